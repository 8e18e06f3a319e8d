#!/bin/bash
# A core that calls its peer broken again and again, as often as either dies, is heard, but each thing
# it says stands once in the result: who said it of whom, of which node, how often, and what had
# happened before. The core that does is planted (tests/plants/build.sh).
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

build=$(dirname "$XENSOCK")
{ [ -e "$build/build.ninja" ] && command -v ninja >/dev/null; } || { echo "skipped: no ninja"; exit 77; }

# A guest that has had a device likes no other's order, twice; then it does all that it has to do.
# (Compilers may keep files where a run does.)
env -u XDG_RUNTIME_DIR "$SOURCE/tests/plants/build.sh" "$build" xensock xensock frontend/fe_device.c \
    's/^    else if (value < 0)$/    else if (value < 0 || (fe->counters.requests > 0 \&\& fe->counters.faults < 2))/' \
    "$work/choosy" >build.log 2>&1 || fail "it does not build"

# choosy MODE COUNT: so many guests, whose backend dies as long as they have something to do, which
# they have until they have seen another one.
choosy()
{
    cat >choosy.yaml <<EOF
schema: xensock/scenario/1
name: choosy
mode: $1
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend, count: $2}}
  peers: {echo: {kind: echo}}
protocol: {order: 1}
workload:
  - {name: once, $once}
faults:
  - {kind: restart, where: dom0, at: 10ms, every: 197ms}
EOF
    expect 5 ./choosy run --out result choosy.yaml
    nothing_left
}

for mode in virtual emulated; do
    choosy $mode 1
    grep -Eqx "error\[E0502\]: web: fault of dom0: STORE_VALUE of node 'max-dataring-page-order', [0-9]+ times, first after the restart of dom0 at [0-9.]+ m?s" out.log ||
        fail "it is not said whose fault it is"
    holds result/result.json 'e == ["E0502"]'
done
choosy virtual 12
holds result/result.json 'e == 9 * ["E0502"]'
grep -Eqx 'error\[E0502\]: and [0-9]+ more of other words' out.log || fail "the others are not counted"
