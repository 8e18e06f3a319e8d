#!/bin/bash
# matrix.sh [--half] BUILD [RUNS]: the trace of a virtual run is the same whoever compiled the command.
# Builds it with {gcc, clang} x {-O0, -O2} x {64, 32 bits} into BUILD/identity, and for each line of
# RUNS (arguments of the command, relative to the tree; default: `runs` beside this script) runs each
# variant twice. --half: four of the eight, in which each two of these six still meet. All `trace` lines that one line of RUNS makes them print must be equal; there must
# be one, the command must succeed, and RUNS must have a line. Exit 1 if not.
#
# Only a machine that is not Debian on amd64 may leave out the variants of 32 bits; it says so.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
half=
[ "$1" != --half ] || { half=yes; shift; }
mkdir -p "$1"
build=$(cd "$1" && pwd)
list=${2-$root/tests/identity/runs}
cores=$(nproc)
export XENSOCK_I386=$build/i386 # where tools/i386.cmake looks

mapfile -t runs < <(sed '/^#/d; s/ *$//; /^$/d' "$list")
[ "${#runs[@]}" -gt 0 ] || { echo "no runs in $list"; exit 1; }

bits=(64 32)
result=0
"$root/tools/i386.sh" "$XENSOCK_I386" || result=$?
[ "$result" = 0 ] || bits=(64)
[ "$result" = 0 ] || [ "$result" = 77 ] || exit 1
variants=()
for bit in "${bits[@]}"; do
    variants+=({gcc,clang}-O{0,2}-"$bit")
done
# Without 32 bits there is no half that is enough.
[ -z "$half" ] || [ "${#bits[@]}" = 1 ] || variants=(gcc-O2-64 clang-O0-64 gcc-O0-32 clang-O2-32)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export root build work

# build_variant JOBS COMPILER-OPTIMISATION-BITS
build_variant()
{
    local dir=$build/identity/$2 compiler optimisation bit options=()
    IFS=- read -r compiler optimisation bit <<<"$2"
    [ "$bit" = 64 ] || options=("-DCMAKE_TOOLCHAIN_FILE=$root/tools/i386.cmake")
    { cmake -G Ninja -S "$root" -B "$dir" -DCMAKE_C_COMPILER="$compiler" "${options[@]}" \
        -DCMAKE_BUILD_TYPE=Identity -DCMAKE_C_FLAGS_IDENTITY="-$optimisation" \
        -DBUILD_TESTING=OFF &&
        cmake --build "$dir" --target xensock --parallel "$1"; } >"$work/$2.log" 2>&1 ||
        { cat "$work/$2.log"; return 1; }
}

# trace_of NUMBER VARIANT TRY ARGUMENT...: in one line, into the file NUMBER/VARIANT.TRY. The heap has
# other contents at each try, in case they matter.
trace_of()
{
    local out=$work/$1/$2.$3 program=$build/identity/$2/xensock
    mkdir -p "$out.here"
    cd "$out.here"
    ln -s "$root/scenarios" "$root/tests" .
    export MALLOC_PERTURB_=$((85 * $3)) XDG_RUNTIME_DIR=$PWD CI=1
    shift 3
    if ! timeout 120 "$program" "$@" >"$out.log" 2>&1 </dev/null; then
        echo failed
    elif ! grep -xE 'trace [0-9a-f]{32}' "$out.log"; then
        echo "no trace"
    fi | paste -sd ' ' >"$out"
}
export -f build_variant trace_of

began=$SECONDS
printf '%s\0' "${variants[@]}" |
    xargs -0 -n 1 -P "$cores" bash -c 'build_variant "$@"' bash $(((cores + 7) / 8)) || exit 1
echo "${#variants[@]} variants built in $((SECONDS - began)) s"

for number in "${!runs[@]}"; do
    for variant in "${variants[@]}"; do
        printf '%s\n' "$number $variant 1 ${runs[number]}" "$number $variant 2 ${runs[number]}"
    done
done | xargs -L 1 -P "$cores" bash -c 'trace_of "$@"' bash

# All that was printed for a run, with how often, and if it is not one thing by whom: variant.try
cd "$work"
bad=0
for number in "${!runs[@]}"; do
    unset who
    declare -A who
    for variant in "${variants[@]}"; do
        for try in 1 2; do
            who[$(<"$number/$variant.$try")]+=" $variant.$try"
        done
    done
    for text in "${!who[@]}"; do
        read -ra names <<<"${who[$text]}"
        printf '%-38s %2d x  %s\n' "$text" "${#names[@]}" "${runs[number]}"
        [ "${#who[@]}" = 1 ] || printf '    %s\n' "${names[@]}"
        [[ $text == trace* ]] || tail -n 20 "$number/${names[0]}.log"
    done
    [[ ${#who[@]} = 1 && $text == trace* ]] || bad=$((bad + 1))
done
[ "${#bits[@]}" = 2 ] || echo "4 of 8 variants left out: no libraries of 32 bits"
echo "${#runs[@]} runs, $bad differ or fail"
[ "$bad" = 0 ]
