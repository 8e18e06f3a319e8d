#!/bin/bash
# matrix.sh notices what it is for. It builds nothing here: `cmake` is a stand-in that makes a script
# of each variant, and the machine passes for one that leaves out 32 bits.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/build"
export PATH=$work/bin:$PATH

cat >"$work/bin/dpkg" <<'EOS'
#!/bin/sh
echo elsewhere
EOS
# As matrix.sh calls it: cmake -G Ninja -S ROOT -B DIR ..., cmake --build DIR ...
cat >"$work/bin/cmake" <<'EOS'
#!/bin/sh
[ "$1" = --build ] || exit 0
mkdir -p "$2"
cp "$(dirname "$0")/command" "$2/xensock"
EOS
# The command: `same` is as it should be, anything else a defect.
cat >"$work/bin/command" <<'EOS'
#!/bin/sh
trace=0123456789abcdef0123456789abcdef
variant=$(basename "$(dirname "$0")")
case $1 in
variant) [ "$variant" != clang-O0-64 ] || trace=fedcba9876543210fedcba9876543210 ;;
again) [ "$MALLOC_PERTURB_" = 85 ] || trace=fedcba9876543210fedcba9876543210 ;;
short) trace=0123 ;;
more) [ "$variant" != gcc-O2-64 ] || echo "trace $trace" ;;
esac
echo "trace $trace"
[ "$1" != fails ]
EOS
chmod +x "$work"/bin/*

fail()
{
    cat "$work/log"
    echo "FAIL: $*"
    exit 1
}

# matrix CODE RUN...: exit code CODE for these lines of `runs`.
matrix()
{
    local code=$1 got=0
    shift
    printf '%s\n' '# comment' '' "$@" >"$work/runs"
    "$SOURCE/tests/identity/matrix.sh" "$work/build" "$work/runs" >"$work/log" 2>&1 || got=$?
    [ "$got" = "$code" ] || fail "exit code $got instead of $code for: $*"
}

says()
{
    grep -qF -e "$1" "$work/log" || fail "it does not say: $1"
}

matrix 1
says "no runs in"
matrix 0 "same --seed 1" "same  "
says "trace 0123456789abcdef0123456789abcdef  8 x  same --seed 1"
says "4 of 8 variants left out"
says "2 runs, 0 differ or fail"
matrix 1 same variant
says "trace fedcba9876543210fedcba9876543210  2 x  variant"
says "    clang-O0-64.2"
says "2 runs, 1 differ or fail"
matrix 1 again
says "trace fedcba9876543210fedcba9876543210  4 x  again"
matrix 1 more
matrix 1 short
says "no trace"
matrix 1 fails
says "failed"
