#!/bin/sh
# i386.sh DIR: makes DIR a sysroot with the libraries of the command for 32 bits, static, as
# tools/i386.cmake wants them. They are downloaded from the system's own Debian sources as any user;
# neither the system's packages nor its list of architectures is touched. The compilers, the C
# library and headers without a library are the host's (tools/packages.sh check).
#
# A DIR that is already made is left alone. It appears whole or not at all, and `packages` in it
# names what it was made from. Exit 77 where it cannot be made on such a machine, 1 if a download or
# anything else failed that should have worked.
set -eu

packages="libuv1-dev libyaml-dev libjansson-dev libxxhash-dev zlib1g-dev"

if [ $# != 1 ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi
dir=$1

# is_made: from these packages.
is_made()
{
    [ "$(cat "$dir/packages" 2>/dev/null)" = "$packages" ]
}

! is_made || exit 0
# shellcheck disable=SC1091
id=$(. /etc/os-release 2>/dev/null && echo "$ID") || id=unknown
if [ "$id" != debian ] || [ "$(dpkg --print-architecture)" != amd64 ]; then
    echo "No 32-bit libraries: this is not Debian on amd64." >&2
    exit 77
fi
if [ -e "$dir" ] && [ ! -e "$dir/packages" ]; then
    echo "$dir is something else." >&2
    exit 1
fi

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
work=$(cd "$work" && pwd)
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/debs" "$work/root"

# Sources, keys and proxies are the system's, read before this. What it does after an update, it
# would do to itself.
cat >"$work/apt/conf" <<END
APT::Architecture "i386";
#clear APT::Architectures;
APT::Architectures { "i386"; };
APT::Sandbox::User "root";
#clear APT::Update;
Acquire::Languages "none";
Dir::State "$work/apt";
Dir::State::status "/dev/null";
Dir::Cache "$work/apt/cache";
END

# A source that cannot be read matters only if a package is not found.
apt-get -c "$work/apt/conf" -q update >"$work/log" 2>&1 || true
# $packages is a list of words.
# shellcheck disable=SC2086
if ! (cd "$work/debs" && apt-get -c "$work/apt/conf" -q download $packages) >>"$work/log" 2>&1; then
    cat "$work/log" >&2
    echo "No 32-bit libraries: the download failed." >&2
    exit 1
fi
for package in "$work"/debs/*.deb; do
    dpkg -x "$package" "$work/root"
done

# The shared libraries are in other packages, and libuv's static one is not called as libuv.pc says.
libraries=$work/root/usr/lib/i386-linux-gnu
rm -f "$libraries"/*.so
ln -s libuv_a.a "$libraries/libuv.a"
# The kernel's headers are for both word sizes; the host's are where only its own size looks.
ln -s /usr/include/x86_64-linux-gnu/asm "$work/root/usr/include/asm"
echo "$packages" >"$work/root/packages"

rm -rf "$dir"
# Somebody else may have made it meanwhile.
mv -T "$work/root" "$dir" 2>/dev/null || is_made
