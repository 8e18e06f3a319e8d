#!/bin/bash
# Each frontend with each backend: what scenarios/interop/README.md says of them is what tools/interop
# finds, and one that ought to understand ours does.
set -euo pipefail
: "${XENSOCK:?names the command under test}" "${SOURCE:?names the source tree}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

table() { sed -n '/^| dialect /,/^$/p'; }

"$SOURCE/tools/interop" >"$work/now"
diff <(table <"$SOURCE/scenarios/interop/README.md") <(table <"$work/now") ||
    { echo "scenarios/interop/README.md has another table than tools/interop"; exit 1; }
diff <(grep '^[0-9]*\. ' "$SOURCE/scenarios/interop/README.md") <(grep '^[0-9]*\. ' "$work/now") ||
    { echo "scenarios/interop/README.md has other notes"; exit 1; }
[ "$("$XENSOCK" quirks --pairs | wc -l)" -ge 21 ] || { echo "there are fewer pairs"; exit 1; }
if grep -E '^\| [^|]* \| [0-9]+ \| xensock \| xensock \|.*(no|refused)' "$work/now"; then
    echo "ours do not understand each other"
    exit 1
fi
# As processes, too: the guest is told of its peer by the scenario, the backend by --peer.
emulated()
{
    "$XENSOCK" run --quiet --out "$work/out" --set mode=emulated --set timeout=2s --set protocol.dialect=pvcalls1 \
        --set topology.hosts.guest.peer=linux-6.1-front --set "topology.hosts.dom0.peer=$1" \
        "$SOURCE/scenarios/interop/down.yaml" >"$work/emulated" 2>&1
}
emulated linux-2023-back || { cat "$work/emulated"; exit 1; }
status=0
emulated linux-6.1-back || status=$?
if [ "$status" != 5 ] || ! grep -q 'guest.*waits: down: 1 of its sockets' "$work/emulated"; then
    cat "$work/emulated"
    echo "exit code $status where a backend is deaf"
    exit 1
fi

# One that cannot speak with its backend says so once, also where devices may come again.
{
    cat "$SOURCE/scenarios/interop/up.yaml"
    printf 'faults:\n  - {kind: restart, where: dom0, at: 1ms, for: 1ms}\n'
} >"$work/refused.yaml"
for mode in virtual emulated; do
    status=0
    "$XENSOCK" run --quiet --out "$work/out" --set mode=$mode --set timeout=5s --set protocol.dialect=pvcalls1 \
        --set protocol.order=9 --set topology.hosts.dom0.peer=linux-2023-back "$work/refused.yaml" \
        >"$work/refused" 2>&1 || status=$?
    if [ "$status" != 5 ] || ! grep -qx 'error\[E0502\]: guest: fault of dom0: ORDER (ours 9, claimed 4)' "$work/refused"; then
        cat "$work/refused"
        echo "exit code $status where a guest is refused"
        exit 1
    fi
done
# Bytes that a quirk loses are a finding, and say so.
status=0
"$XENSOCK" run --quiet --out "$work/out" --set topology.hosts.guest.peer=xensock+error-first \
    "$SOURCE/scenarios/interop/down.yaml" >"$work/lost" 2>&1 || status=$?
if [ "$status" != 1 ] || ! grep -q "E0505.*, and a quirk of a host's 'peer' loses bytes" "$work/lost"; then
    cat "$work/lost"
    echo "exit code $status where a quirk loses bytes"
    exit 1
fi
# And the hint at an address that it cannot have is about that.
"$XENSOCK" run --quiet --out "$work/out" --set topology.hosts.dom0.peer=xensock+inet-only \
    "$SOURCE/scenarios/interop/six.yaml" >"$work/six" 2>&1 && exit 1
grep -q "choose an IPv4 address: the backend's 'peer' knows no other" "$work/six" || { cat "$work/six"; exit 1; }

"$SOURCE/tools/interop" --json 'pvcalls1 4 xensock linux-6.1-back' >"$work/json"
python3 - "$work/json" <<'P'
import json, sys
pair = json.load(open(sys.argv[1]))
assert pair["backend"] == "linux-6.1-back" and pair["order"] == 4, pair
assert pair["up"] == "" and pair["down"].startswith("stalled"), pair
P
