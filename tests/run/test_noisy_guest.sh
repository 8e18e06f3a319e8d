#!/bin/bash
# A noisy guest costs another at most a fifth beyond what an equal one would: in virtual time, so that
# the answer is the same each time. What N, E and X are, the scenario says.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

scenario=$SOURCE/scenarios/noisy-guest.yaml
"$XENSOCK" run --out n "$scenario" >n.log 2>&1 &
"$XENSOCK" run --out e --set topology.hosts.equal.backend=dom0 "$scenario" >e.log 2>&1 &
expect 0 "$XENSOCK" run --out x --set topology.hosts.noisy.backend=dom0 "$scenario"
wait
for one in n e x; do
    holds $one/result.json "r['complete'] and not e" 'm["operations.noisy-visits"]["value"] > 0' \
        "m['duration.noisy-visits']['value'] >= m['duration.bulk']['value']"
done
# whom the backend served: the ports at once are those of who was there
holds n/result.json 'c["backend.dom0.ports_peak"] == 3'
holds e/result.json 'c["backend.dom0.ports_peak"] == 6'
holds x/result.json 'c["backend.dom0.ports_peak"] > 3 + 129'

python3 - <<'EOS' || fail "the noise costs more than a fifth"
import json
def of(name):
    with open(name + "/result.json") as file:
        m = json.load(file)["points"][0]["repeats"][0]["metrics"]
    return (m["throughput.bulk"]["value"],
            m["operations.ask"]["value"] * 10**9 // m["duration.ask"]["value"])
n, e, x = of("n"), of("e"), of("x")
for what, alone, equal, noisy in zip(("bytes/s", "requests/s"), n, e, x):
    print(f"{what}: alone {alone}, beside an equal guest {equal}, beside the noisy one {noisy}")
    assert equal - noisy <= alone // 5
EOS
nothing_left
