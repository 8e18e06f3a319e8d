# Toolchain file for 32-bit programs on Debian on amd64: the host's compilers with -m32, and the
# libraries that `tools/i386.sh build/i386` has put there, or into $XENSOCK_I386.
set(CMAKE_C_FLAGS_INIT -m32)

if(NOT DEFINED ENV{XENSOCK_I386})
    cmake_path(SET XENSOCK_I386 NORMALIZE ${CMAKE_CURRENT_LIST_DIR}/../build/i386)
    set(ENV{XENSOCK_I386} ${XENSOCK_I386})
endif()
if(NOT EXISTS $ENV{XENSOCK_I386}/packages)
    message(FATAL_ERROR "$ENV{XENSOCK_I386} is missing: tools/i386.sh makes it.")
endif()
# Nothing of the host's: not even what is optional.
set(ENV{PKG_CONFIG_SYSROOT_DIR} $ENV{XENSOCK_I386})
set(ENV{PKG_CONFIG_LIBDIR} $ENV{XENSOCK_I386}/usr/lib/i386-linux-gnu/pkgconfig)
