#!/bin/bash
# A backend that is back is another one, with another device: a guest that answers the old one is not
# taken for a liar, and one that saw nothing of it offers again (scenarios/another-device.yaml,
# same-state.yaml, in virtual time).
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

here=$SOURCE/tests/fault/scenarios
for order in 3 6; do
    expect 0 "$XENSOCK" run --quiet --out another --set protocol.order=$order "$here/another-device.yaml"
    right another/result.json 'len(f) > 0' 'm["operations.w1"]["value"] > 0'
done
expect 0 "$XENSOCK" run --quiet --out same "$here/same-state.yaml"
right same/result.json 'len(f) >= 2'
nothing_left
