#!/bin/bash
# A run in virtual time is a function of scenario and seed: the same two give the same trace and the
# same result again, whatever the heap held before and whether the trace is written or not; another
# seed gives another. And the hash is that of the records in the file, as the manual page has it.
# shellcheck disable=SC1091,SC2154
. "$SOURCE/tests/run/common.sh"
golden=$SOURCE/tests/golden/golden.py

# virtual OUT OPTION...: a run with much that is random, its result in OUT/result.json.
virtual()
{
    local out=$1
    shift
    expect 0 "$XENSOCK" run --set mode=virtual --set cost_model=xen-x86-shared --out "$out" \
        --set duration=100ms --set topology.hosts.web.count=3 --set topology.hosts.web.cpu=1 \
        "$@" "$SOURCE/scenarios/open-loop.yaml"
    "$golden" of "$out/result.json" >"$out/golden"
    sed -n 's/^trace //p' out.log >"$out/trace"
    grep -qxE '[0-9a-f]{32}' "$out/trace" || fail "no line with the hash of the trace"
}

# is_same RUN
is_same()
{
    "$golden" diff first/golden "$1/result.json" || fail "$1 is not as the first"
}

virtual first --trace first.trace
MALLOC_PERTURB_=85 virtual again --trace again.trace
is_same again
cmp first.trace again.trace || fail "the same run has two traces"
expect 0 "$XENSOCK" trace diff first.trace again.trace
MALLOC_PERTURB_=170 virtual untraced
is_same untraced

virtual other --set seed=12 --trace other.trace
! cmp -s first/trace other/trace || fail "another seed has the same trace"
! "$golden" diff first/golden other/result.json >other.log || fail "another seed has the same result"
expect 1 "$XENSOCK" trace diff first.trace other.trace

names=$(od -An -tu4 -j12 -N4 first.trace | tr -d ' ')
hash=$(tail -c +$((17 + names)) first.trace | xxh128sum | cut -d ' ' -f 1)
[ "$hash" = "$(cat first/trace)" ] || fail "the hash of the records is $hash"
holds first/result.json "r['points'][0]['repeats'][0]['trace'] == '$hash'" 'p == {}' \
    "c['virtual.records'] == ($(wc -c <first.trace) - 16 - $names) // 32" \
    "r['points'][0]['repeats'][0]['cost_model']['name'] == 'xen-x86-shared'" \
    "r['points'][0]['repeats'][0]['virtual_ns'] > 300000000" "r['mode'] == 'virtual'"
nothing_left
