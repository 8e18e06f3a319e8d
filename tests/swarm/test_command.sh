#!/bin/bash
# The commands of the swarm: what they print, that jobs change nothing, that leaving events out does,
# that a trace is the one whose hash is told; and what they say of wrong command lines.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../run/common.sh"

scenario=$SOURCE/scenarios/quickstart.yaml

hash_of()
{
    sed -n 's/^trace \([0-9a-f]\{32\}\)$/\1/p' "$1"
}

expect 0 "$XENSOCK" swarm --seeds 5..104 --jobs 1 "$scenario"
grep -q '^100 seeds, no violation: [0-9]* requests' out.log || fail "no summary"
one=$(hash_of out.log)
expect 0 "$XENSOCK" swarm --seeds 5..104 --jobs 3 "$scenario"
[ "$(hash_of out.log)" = "$one" ] || fail "the number of jobs changes the outcome"
expect 0 "$XENSOCK" swarm --seeds 6..105 --jobs 3 "$scenario"
[ "$(hash_of out.log)" != "$one" ] || fail "other seeds do the same"
expect 0 "$XENSOCK" swarm --seeds 5..104 --quiet "$scenario"
[ ! -s out.log ] || fail "--quiet is not"

# One seed: its plan, all of it, part of it, none of it.
expect 0 "$XENSOCK" swarm --seeds 7..7 --trace all.trace "$scenario"
all=$(hash_of out.log)
expect 0 "$XENSOCK" swarm --seeds 7..7 "$scenario"
[ "$(hash_of out.log)" = "$all" ] || fail "--trace changes the outcome"
[ "$(tail -c +$((17 + $(od -An -tu4 -j12 -N4 all.trace))) all.trace | xxh128sum | cut -d ' ' -f 1)" = "$all" ] ||
    fail "the trace is not the one that was told"
expect 0 "$XENSOCK" swarm --seeds 7..7 --plan "$scenario"
events=$(grep -c '^ *[0-9]*  at ' out.log)
[ "$events" -gt 3 ] || fail "the plan has $events events"
expect 0 "$XENSOCK" swarm --seeds 7..7 --only "0-$((events - 1))" "$scenario"
[ "$(hash_of out.log)" = "$all" ] || fail "all events are not the plan"
expect 0 "$XENSOCK" swarm --seeds 7..7 --only 0,2 "$scenario"
[ "$(hash_of out.log)" != "$all" ] || fail "--only changes nothing"
expect 0 "$XENSOCK" swarm --seeds 7..7 --only 0,2 --plan "$scenario"
[ "$(grep -c '^ *[0-9]*  at ' out.log)" = 2 ] || fail "two events of the plan are not two"
expect 0 "$XENSOCK" swarm --seeds 7..7 --only none "$scenario"

expect 1 "$XENSOCK" shrink --seed 7 "$scenario"
grep -q 'seed 7 does not fail' out.log || fail "what does not fail is reduced"

# wrong TEXT ARGUMENT...: exit code 2, and TEXT is said.
wrong()
{
    local text=$1
    shift
    expect 2 "$XENSOCK" "$@" "$scenario"
    grep -qF -e "$text" err.log || fail "it does not say: $text"
}

wrong "--seeds takes A..B" swarm --seeds 9..3
wrong "--seeds A..B takes a number" swarm --seeds x..3
wrong "--jobs takes a number up to 64" swarm --jobs 65
wrong "--jobs takes a number from 1" swarm --jobs 0
wrong "usage: xensock swarm" swarm --seeds 1..2 "$scenario"
wrong "go with one seed" swarm --seeds 1..2 --plan
wrong "--only takes numbers of events, 0 to" swarm --seeds 1..1 --only 3,900
wrong "--only takes numbers of events, 0 to" swarm --seeds 1..1 --only 5-3
wrong "--only takes numbers of events, 0 to" swarm --seeds 1..1 --only ,
wrong "cannot write the trace" swarm --seeds 1..1 --trace no/such/directory
if [ -w /dev/full ]; then
    expect 1 "$XENSOCK" swarm --seeds 1..1 --trace /dev/full "$scenario"
    grep -q "error\[E0704\]: the trace /dev/full is not whole: No space left" err.log || fail "a lost trace is not told"
fi
wrong "usage: xensock shrink" shrink
expect 3 "$XENSOCK" swarm --set protocol.order=77 "$scenario"
grep -q 'order 77 is too large' err.log || fail "a faulty scenario is not told"
