#!/bin/sh
# packages.sh run|check|bench: installs the Debian packages that are missing, the one place that
# names them. `run` is what tools/quickstart needs; `check` is that and what tools/check needs;
# `bench` is what tools/bench compares with, and nothing installs it unasked.
# Exit 77 where it cannot install: it then prints what to install by hand.
set -eu

run="gcc libc6-dev cmake ninja-build pkg-config libuv1-dev libyaml-dev libjansson-dev libxxhash-dev
zlib1g-dev uthash-dev librandom123-dev libgoogle-perftools-dev google-perftools systemtap-sdt-dev"
check="libcmocka-dev clang libclang-rt-14-dev spin gcovr clang-tidy clang-format valgrind strace socat xxhash
shellcheck iproute2 scdoc python3 xenstore-utils xen-utils-4.17 iperf3 curl nginx-light apache2-utils
redis-server redis-tools git openssh-server openssh-client netcat-openbsd
libnginx-mod-stream haproxy libxen-dev tshark wireshark-common r-mathlib python3-jsonschema python3-yaml
libxml2-utils jq chromium linux-perf binutils gdb"
bench="g++ libns3-dev nginx-light libnginx-mod-stream haproxy socat iproute2"
upstream="a C11 compiler, CMake >= 3.25, ninja, pkg-config, libuv, libyaml, jansson, xxHash, zlib,
uthash, Random123, gperftools and sys/sdt.h (both optional); for the tests cmocka, clang with libFuzzer, clang-tidy,
clang-format, spin, gcovr, valgrind, strace, socat, xxhsum, shellcheck, ss (iproute2), scdoc, Python 3, node and npm,
xenstore's tools, Xen's own test-xenstore and public headers, and as programs to carry: iperf3, curl, nginx
with its stream module, HAProxy, ab, redis, git, OpenSSH, nc; tshark 4.0 or newer; Python's jsonschema and yaml, xmllint, jq, R's
standalone mathematics library, Chromium, perf, readelf, gdb; for tools/bench a C++ compiler and ns-3.37"

case ${1-} in
run) wanted=$run ;;
check) wanted="$run $check" ;;
bench) wanted="$run $bench" ;;
*)
    echo "usage: $0 run|check|bench" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "This is not Debian. Please install by hand: $upstream." >&2
    exit 77
fi

if [ "$1" = check ]; then
    # Not gcc-multilib: it conflicts with cross compilers.
    [ "$(dpkg --print-architecture)" != amd64 ] || wanted="$wanted gcc-12-multilib libc6-dev-i386"
    command -v node >/dev/null || wanted="$wanted nodejs"
    command -v npm >/dev/null || wanted="$wanted npm"
fi

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=none
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && [ -z "${CI-}" ]; }; }; then
    as_root=sudo # asks for a password on a terminal only, and never in CI
else
    echo "Not root and no sudo. Please have installed: apt-get install$missing" >&2
    exit 77
fi

echo "Installing$missing"
# $as_root and $missing are lists of words.
# shellcheck disable=SC2086
if ! { $as_root apt-get update -q &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        $missing; } </dev/null; then
    echo "apt-get failed. Please install by hand:$missing" >&2
    exit 77
fi
