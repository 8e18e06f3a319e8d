#!/bin/bash
# A backend that is back is another one, with another device: a guest that answers the old one is not
# taken for a liar, and one that saw nothing of it offers again (scenarios/another-device.yaml,
# same-state.yaml, in virtual time). Nor does a busy backend see each death of many guests: whose
# device another one has taken the place of is offered that.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

here=$SOURCE/tests/fault/scenarios
for order in 3 6; do
    expect 0 "$XENSOCK" run --quiet --out another --set protocol.order=$order "$here/another-device.yaml"
    right another/result.json 'len(f) > 0' 'm["operations.w1"]["value"] > 0'
done
expect 0 "$XENSOCK" run --quiet --out same "$here/same-state.yaml"
right same/result.json 'len(f) >= 2'
for count in 5 40; do
    for fault in 'for: 0s, every: 3ms, times: 2' 'at: 200us, for: 1ms, every: 2ms, times: 3'; do
        cat >many.yaml <<EOF
schema: xensock/scenario/1
name: many
mode: virtual
duration: 30ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend, count: $count}}
  peers: {echo: {kind: echo}}
workload:
  - {name: call, kind: connect-close, connect_to: echo, operations: 1}
faults:
  - {kind: restart, where: web, $fault}
EOF
        expect 0 "$XENSOCK" run --quiet --out many many.yaml
        right many/result.json "len(f) >= $count"
    done
done
nothing_left
