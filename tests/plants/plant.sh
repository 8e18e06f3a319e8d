#!/bin/sh
# plant.sh [NAME...]: for each row of `table` (or only the named ones) passes if the row's test
# passes as the tree stands, and fails once the row's defect is planted. Works on a copy of the
# tree, with the release flags, in one build directory, so that a row rebuilds only what it changed.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
tree=$work/tree
build=$work/build

fail()
{
    echo "plant $name: $*"
    exit 1
}

# The target of a test, and how it is run; a script is run with the command it asks for.
run_test()
{
    case $test in
    *.sh) target=xensock ;;
    *) target=$(echo "$test" | tr / _) ;;
    esac
    cmake --build "$build" --target "$target" >"$work/log" 2>&1 ||
        { cat "$work/log"; fail "does not build"; }
    case $test in
    *.sh) set -- "$tree/tests/$test" ;;
    *) set -- "$build/tests/$test" ;;
    esac
    (cd "$work" && XENSOCK=$build/xensock SOURCE=$tree timeout 60 "$@" >"$work/log" 2>&1)
}

plant()
{
    run_test || { cat "$work/log"; fail "$test fails without it"; }
    cp "$tree/$file" "$work/kept"
    sed -i "$expression" "$tree/$file"
    ! cmp -s "$work/kept" "$tree/$file" || fail "the expression changes nothing in $file"
    ! run_test || fail "$test did not notice"
    cp "$work/kept" "$tree/$file"
    echo "plant $name: noticed by $test"
}

mkdir "$tree"
for part in CMakeLists.txt ringlib frontend backend sim tools tests scenarios; do
    cp -R "$root/$part" "$tree/"
done
name=none
cmake -S "$tree" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release >"$work/log" 2>&1 ||
    { cat "$work/log"; fail "the tree does not configure"; }

grep -v '^#' "$root/tests/plants/table" >"$work/rows"
planted=0
while read -r name file test expression <&3; do
    case " $* " in
    "  " | *" $name "*)
        plant
        planted=$((planted + 1))
        ;;
    esac
done 3<"$work/rows"
[ "$planted" -gt 0 ] || { echo "no such row: $*"; exit 1; }
