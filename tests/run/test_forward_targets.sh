#!/bin/bash
# Targets that misbehave cost the other connections of a forwarding guest at most a fifth of their
# speed: exactly so in virtual time, by the integers of results with the bad targets at the same guest
# (all of them, and each alone) and at another one. As processes, everything comes out the same, and
# the speed is not judged.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

scenario=$SOURCE/scenarios/forward-bad-targets.yaml
kinds=(refusing resetting deaf mute unreachable)

# away [KIND]: has all bad targets but KIND be another guest's.
away()
{
    local kind
    for kind in "${kinds[@]}"; do
        [ "$kind" = "${1-}" ] || printf -- '--set\nworkload.to-%s.where=other\n' "$kind"
    done
}

# right NAME: the good ones are whole, and each bad target did what it is there for.
right()
{
    # shellcheck disable=SC2016
    holds "$1/result.json" 'r["complete"] is True' 'e == []' \
        'm["forwarded.bulk"]["joined"] == 4 and m["forwarded.visits"]["joined"] == 400' \
        'm["forwarded.bulk"]["reset"] == 0 == m["forwarded.visits"]["reset"]' \
        'm["forwarded.bulk"]["refused"] == 0 == m["forwarded.visits"]["refused"]' \
        'c["peer.copies.bytes_in"] == c["peer.copies.bytes_out"] == 4 << 25' \
        'c["peer.visitors.bytes_in"] == c["peer.visitors.bytes_out"] == 400 << 12' \
        'c["peer.big.bytes_in"] == 4 << 25 and c["peer.small.bytes_in"] == 400 << 12' \
        'm["forwarded.to-refusing"]["refused"] == m["forwarded.to-refusing"]["value"] > 0' \
        'm["forwarded.to-refusing"]["joined"] == 0' \
        'm["forwarded.to-resetting"]["reset"] > 0 and c["peer.reset.cut"] > 0' \
        'm["forwarded.to-resetting"]["joined"] >= m["forwarded.to-resetting"]["reset"]' \
        'm["forwarded.to-deaf"]["joined"] == 4 == m["forwarded.to-deaf"]["cut_off"]' \
        'c["peer.deaf.bytes_in"] == 0 == m["received.to-deaf"]["value"]' \
        'm["sent.to-deaf"]["value"] > 4 << 16' \
        'c["peer.mute.bytes_in"] == 4 << 16 and m["received.to-mute"]["value"] == 0' \
        'm["forwarded.to-mute"]["joined"] == 4 == m["forwarded.to-mute"]["cut_off"]' \
        'm["forwarded.to-unreachable"]["joined"] == 0' \
        'm["forwarded.to-unreachable"]["cut_off"] == 2'
}

# run NAME ARGUMENT...
run()
{
    timeout 50 "$XENSOCK" run --out "$@" "$scenario" >"$1.log" 2>&1 </dev/null || fail "$1 failed"
    right "$1"
}

mapfile -t options < <(away)
run without "${options[@]}" &
run all
wait $! || fail "without"
for kind in "${kinds[@]}"; do
    mapfile -t options < <(away "$kind")
    run "$kind" "${options[@]}"
done
# whom the backend served
holds without/result.json 'c["backend.elsewhere.ports_peak"] > 8'
holds all/result.json 'c["backend.elsewhere.ports_peak"] == 1'

# Equal bytes in at most five quarters of the time.
python3 - all "${kinds[@]}" <<'EOS' || fail "bad targets cost more than a fifth"
import json, sys
def of(name):
    with open(name + "/result.json") as file:
        m = json.load(file)["points"][0]["repeats"][0]["metrics"]
    return [(m[f"bytes.{one}"]["value"], m[f"duration.{one}"]["value"])
            for one in ("bulk", "visits")]
slow = False
for name in sys.argv[1:]:
    for what, (bytes0, ns0), (bytes1, ns1) in zip(("bulk", "visits"), of("without"), of(name)):
        assert bytes0 == bytes1
        print(f"{what} beside {name}: {100 * ns0 // ns1} % of the speed, {ns1} ns for {ns0} ns")
        slow |= 100 * ns0 < 80 * ns1
sys.exit(slow)
EOS

port=$((21000 + $$ % 5000)) # seven in a row, where the kernel gives nobody any
options=()
for name in bulk visits "${kinds[@]/#/to-}"; do
    options+=(--set "workload.$name.listen=127.0.0.1:$((port++))")
done
run emulated --set mode=emulated --set duration=400ms "${options[@]}"
nothing_left
