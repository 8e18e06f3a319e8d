#!/bin/bash
# test_profiles.sh [all]: the profiles of a run, a table and a flame graph each: what is missing is
# said, and the run goes on. By day the CPU's of processes and perf's, the heap's in virtual time;
# with `all` each kind in both modes, and of each part by hand.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

quickstart=$SOURCE/scenarios/quickstart.yaml
parts="backend frontend peer.sink peer.echo"
mkdir bare # a PATH without programs

# profiles DIR KIND LEAST PART...: each part's table and picture, which is XML, has no script, and says
# in total what the table says; at least LEAST of all parts together.
profiles()
{
    python3 - "$@" <<'EOS' || fail "the profiles in $1 are not as they should be"
import os, re, sys
import xml.etree.ElementTree as tree
folder, suffix, least, parts = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
found, sums = [], []
for part in parts:
    stem = f"{folder}/profile.{part}."
    assert os.path.getsize(stem + suffix) > 0, stem
    for infix in ["", "allocated."] if suffix == "heap" else [""]:
        lines = open(stem + infix + "txt").read().splitlines()
        total, unit = re.fullmatch(r"Total: (\d+) (\w+)", lines[0]).groups()
        assert unit == ("bytes" if suffix == "heap" else "samples"), lines[0]
        sums.append(int(total))
        assert sum(int(line.split()[0]) for line in lines[1:]) == int(total), stem
        own = [int(line.split()[0]) for line in lines[1:]]
        assert own == sorted(own, reverse=True)
        root = tree.parse(stem + infix + "svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
        assert titles[0].startswith(part + ": "), titles[0]
        if int(total) > 0:
            assert titles[1] == f"all: {total} {unit}, 100.0 %", titles[1]
        found += titles[1:]
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
# A part may have had too little CPU time for one sample where others want it, too; not all of them.
assert sum(sums) >= least, sums
# Few samples may be unwound badly, but not all; perf takes 8 KiB of the stack along, which need not
# reach the bottom.
assert suffix == "data" or any(title.startswith("main: ") for title in found), found
EOS
}

# possible KIND OPTION...: whether this build and machine can take it. What cannot is an error with a
# code, and nothing is run.
possible()
{
    local kind=$1
    shift
    timeout 10 "$XENSOCK" run "$@" --out cannot none.yaml >out.log 2>err.log && fail "no file, no error"
    if grep -q 'error\[E071[12]\]' err.log; then
        echo "no $kind profile here"
        [ ! -e cannot ] || fail "something was run"
        return 1
    fi
}

have()
{
    command -v "$1" >/dev/null
}

# summarised PROGRAM DIR SUFFIX LEAST PART...: and without PROGRAM, which says so
summarised()
{
    local program=$1
    shift
    if have "$program"; then
        profiles "$@"
    else
        grep -q "note\[E0713\]: no $program" err.log || fail "no word about $program"
    fi
    holds "$1/result.json" 'r["complete"] is True' 'e == []'
}

# Processes. A sample is taken each 10 ms of CPU time.
if possible CPU --profile cpu; then
    expect 0 "$XENSOCK" run --out emulated --profile cpu --set duration=700ms "$quickstart"
    # shellcheck disable=SC2086
    summarised google-pprof emulated prof 1 $parts

    # Without the program that reads them they are left as they are. The old summaries are not.
    expect 0 env PATH="$work/bare" "$XENSOCK" run --out emulated --profile cpu --set mode=virtual \
        --set duration=20ms "$quickstart"
    grep -q 'note\[E0713\]: no google-pprof' err.log || fail "nobody misses google-pprof"
    [ "$(cd emulated && echo profile.*)" = profile.virtual.prof ] ||
        fail "left: $(cd emulated && echo profile.*)"
    holds emulated/result.json 'r["complete"] is True' 'e == []'
fi

if possible perf --perf; then
    expect 0 "$XENSOCK" run --out emulated --perf --set duration=400ms "$quickstart"
    # shellcheck disable=SC2086
    summarised perf emulated data 1 $parts
fi

# Virtual time: of this process, and it changes nothing about the run.
if possible heap --profile heap; then
    expect 0 "$XENSOCK" run --out virtual --profile heap --set mode=virtual --set duration=50ms \
        "$quickstart"
    trace=$(grep '^trace ' out.log)
    summarised google-pprof virtual heap 1000 virtual
    ! grep -q GetHeapProfile virtual/*.txt || fail "the profile counts itself"
    expect 0 "$XENSOCK" run --out virtual --set mode=virtual --set duration=50ms "$quickstart"
    [ "$(grep '^trace ' out.log)" = "$trace" ] || fail "another run under the profiler"
fi

# Each run of a study leaves its own, whoever makes it.
if possible heap --profile heap; then
    { sed '/^workload:/,$d' "$quickstart" && cat <<'EOS'; } >sweep.yaml
workload:
  - {name: ask, kind: request-response, connect_to: echo, request: 64}
sweep:
  size: {path: workload.ask.request, values: [64, 128]}
EOS
    expect 0 env PATH="$work/bare" "$XENSOCK" run --out sweep --profile heap --jobs 2 \
        --set mode=virtual --set duration=10ms sweep.yaml
    [ "$(cd sweep && echo p*/*)" = "p0r0/profile.virtual.heap p1r0/profile.virtual.heap" ] ||
        fail "the profiles of a sweep: $(cd sweep && echo p*/*)"
fi

if [ "${1-}" = all ]; then
    possible CPU --profile cpu && for mode in emulated virtual; do
        for option in "--profile cpu" "--profile heap" --perf; do
            # shellcheck disable=SC2086
            possible "$option" $option || continue
            rm -rf all
            # shellcheck disable=SC2086
            expect 0 "$XENSOCK" run --out all $option --set mode=$mode --set duration=1s "$quickstart"
            suffix=prof reader=google-pprof of=$parts
            [ "$option" != --perf ] || suffix=data reader=perf
            [ "$option" != "--profile heap" ] || suffix=heap
            [ $mode = emulated ] || of=virtual
            # shellcheck disable=SC2086
            summarised $reader all $suffix 1 $of
        done
    done
fi

expect 2 "$XENSOCK" run --profile memory "$quickstart"
grep -q -e "--profile takes cpu or heap, not 'memory'" err.log || fail "an unknown profile"
if possible perf --perf && possible CPU --profile cpu; then
    expect 2 "$XENSOCK" run --profile cpu --perf "$quickstart"
    grep -q 'one profile at a time' err.log || fail "two profiles at a time"
fi
# No perf is a sentence with a code.
expect 2 env PATH="$work/bare" "$XENSOCK" run --perf "$quickstart"
grep -q 'error\[E0712\]: no perf profile: perf is not installed' err.log || fail "nobody misses perf"
nothing_left
