#!/bin/bash
# plant.sh BUILD [--daily|NAME...]: for each row of `table` (or only the named ones; or, daily, those of
# rings and cores that are noticed in a moment) passes if the row's test passes as built in BUILD, and
# fails once the row's defect is planted (build.sh). Daily the first is not tried: the same tests run
# there by themselves.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
shift

# For each row this script starts itself with PLANT_WORK set: the directory for what is shared.
if [ -z "${PLANT_WORK-}" ]; then
    PLANT_WORK=$(mktemp -d)
    export PLANT_WORK
    trap 'rm -rf "$PLANT_WORK"' EXIT
    trap 'exit 130' INT TERM
    grep -v '^#' "$root/tests/plants/table" >"$PLANT_WORK/rows"
    rows=("$@")
    case ${1-} in
    "") mapfile -t rows < <(cut -d ' ' -f 1 "$PLANT_WORK/rows") ;;
    --daily)
        export PLANT_DAILY=1
        # those of rings and cores, whose tests take a moment
        mapfile -t rows < <(awk '$3 ~ /^(ringlib|cores)\// {print $1}' "$PLANT_WORK/rows" |
            grep -Ev '^(attack|semantics|fault|look|posix|long)_')
        ;;
    esac
    # one more than there are CPUs: a row also waits
    printf '%s\0' "${rows[@]}" | xargs -0 -n 1 -P "$(($(nproc) + 1))" "$0" "$build"
    exit
fi

name=$1
work=$PLANT_WORK/$name
mkdir -p "$work/here"

fail()
{
    echo "plant $name: $*"
    [ ! -s "$work/log" ] || cat "$work/log"
    exit 1
}

# run_test COMMAND PROGRAM: the script with the command it asks for, the harness with its inputs, or
# the program itself. What the shell says of a killed program is no news here.
run_test()
{
    case $test in
    *.sh) set -- env "XENSOCK=$1" "SOURCE=$root" "$root/tests/$test" ;;
    fuzz/*)
        harness=${test#fuzz/fuzz_}
        harness=${harness%_hooked}
        set -- "$2" "$root/tests/fuzz/corpus/$harness" "$root/tests/fuzz/regressions/$harness"
        ;;
    *) set -- "$2" ;;
    esac
    { (cd "$work/here" && timeout 60 "$@" >"$work/log" 2>&1 </dev/null); } 2>/dev/null
}

# A test stands in several rows, and is tried once as it stands.
passes_unplanted()
{
    local result=0 seen
    seen=$PLANT_WORK/$(echo "$test" | tr / _).passed
    if [ -n "${PLANT_DAILY-}" ] || [ -e "$seen" ]; then return 0; fi
    run_test "$build/xensock" "$build/tests/$test" || result=$?
    [ "$result" != 77 ] || { echo "plant $name: left out, $test cannot run here"; exit 0; }
    [ "$result" = 0 ] || fail "$test fails without it"
    : >"$seen"
}

row=$(grep "^$name " "$PLANT_WORK/rows") || fail "no such row"
read -r name file test expression <<<"$row"
passes_unplanted
case $test in
swarm/*.sh) set -- xensock-hooked xensock-hooked ;;
*.sh) set -- xensock xensock ;;
*) set -- "$(echo "$test" | tr / _)" "tests/$test" ;;
esac
"$root/tests/plants/build.sh" "$build" "$@" "$file" "$expression" "$work/planted" >"$work/log" 2>&1 ||
    fail "does not build"
noticed=0
run_test "$work/planted" "$work/planted" || noticed=$?
[ "$noticed" != 0 ] || fail "$test did not notice"
[ "$noticed" != 77 ] || { echo "plant $name: left out, $test cannot run here"; exit 0; }
# 3 of a script: noticed, but what it promises beside that does not hold. (A program exits with how
# many of its tests failed.)
[[ $test != *.sh || $noticed != 3 ]] || fail "$test is not content with how it was noticed"
echo "plant $name: noticed by $test$(sed -n '0,/^seed/s/^seed \([0-9]*\): \(.*\) at .*/, seed \1: \2/p' "$work/log")"
rm -rf "$work"
