#!/bin/bash
# What is linked with XENSOCK_HV_EMU=posix asks for nothing but POSIX: of sim/hv every file but
# *_linux.c names no Linux header, call or flag, and what makes a domain a process compiles with
# POSIX.1-2008 alone (emu_runtime.c: and flock). Whether another Unix has all of POSIX is not tested.
set -euo pipefail
cd "${SOURCE:?}"
compiler=$(command -v cc gcc clang | head -n 1) || { echo "no compiler" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

headers='<(linux/[^>]*|sys/(eventfd|epoll|timerfd|signalfd|inotify|prctl|vfs|sendfile|syscall)\.h)>'
names='accept4|SOCK_(CLOEXEC|NONBLOCK|SEQPACKET)|MSG_(CMSG_CLOEXEC|NOSIGNAL|DONTWAIT)|memfd_create'
names+='|eventfd|pipe2|F_(ADD|GET)_SEALS|epoll_[a-z]*|dup3'

# foreign FILE: lines of code, not of comments, that only Linux understands
foreign()
{
    "$compiler" -fpreprocessed -dD -E -P "$1" | grep -nE "$headers|\b($names)\b"
}

# strict FILE: it compiles where nothing beyond POSIX can be seen
strict()
{
    "$compiler" -std=c11 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -I. \
        -D_POSIX_C_SOURCE=200809L "$1"
}

files=()
for file in sim/hv/*.c sim/hv/*.h; do
    [[ $file == *_linux.c ]] || files+=("$file")
done
for file in "${files[@]}"; do
    if foreign "$file"; then echo "$file: only Linux has that" && failed=1; fi
done
strictly=(sim/hv/emu_*.c sim/hv/hv_emu*.c)
for file in "${strictly[@]}"; do
    [[ $file == *_linux.c ]] || strict "$file" || { echo "$file: more than POSIX" && failed=1; }
done

# These would be found.
foreign sim/hv/emu_wire_linux.c >"$work/found" || { echo "accept4 is not found" && failed=1; }
[ "$(wc -l <"$work/found")" -ge 4 ] || { echo "not all of emu_wire_linux.c is found" && failed=1; }
sed '/_GNU_SOURCE/s/_GNU_SOURCE/NOTHING/' sim/hv/emu_memory_linux.c >"$work/memory.c"
if strict "$work/memory.c" 2>/dev/null; then echo "seals are taken for POSIX" && failed=1; fi
exit "$failed"
