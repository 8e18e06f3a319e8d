#!/bin/bash
# 10,000 seeds of the swarm over all pairs of a frontend and a backend, and over each quirk by itself in each
# dialect: no rule is broken but those that the quirks of the two excuse; one that is said to cost nothing
# costs nothing, and those that cost the most do.
set -euo pipefail
: "${XENSOCK:?names the command under test}" "${SOURCE:?names the source tree}"
[ -x "$XENSOCK" ] || { echo "skipped: there is no $XENSOCK"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SEEDS=10000

"$XENSOCK" quirks --pairs | awk '{ print $1, $3, $4 }' | sort -u >"$work/cells"
"$XENSOCK" quirks --json >"$work/quirks.json"
python3 - "$work/quirks.json" >>"$work/cells" <<'P'
import json, sys
for name, quirk in json.load(open(sys.argv[1]))["quirks"].items():
    for dialect in ("xensock1", "pvcalls1", "xensock1-compact"):
        if dialect != "xensock1" and name == "offers-nothing":
            continue  # they have to name an order, see below
        one = "xensock+" + name
        print(dialect, *((one, "xensock") if quirk["side"] == "frontend" else ("xensock", one)))
P
free=$(python3 -c 'import json, sys
quirks = json.load(open(sys.argv[1]))["quirks"]
print(*(name for name, quirk in quirks.items() if not quirk["costs"]))' "$work/quirks.json")
cells=$(wc -l <"$work/cells")
each=$((SEEDS / cells + 1))
n=0
while read -r dialect front back; do
    order=$([[ $front$back =~ linux|draft1 ]] && echo 4 || echo 3)
    [ "$dialect" != xensock1 ] || [[ ! $front$back =~ draft1|offers-nothing ]] || order=6
    "$XENSOCK" swarm --jobs "$(nproc)" --seeds $((n * each))..$((n * each + each - 1)) \
        --set "protocol.dialect=$dialect" --set "protocol.order=$order" \
        --set "topology.hosts.web.peer=$front" --set "topology.hosts.dom0.peer=$back" \
        "$SOURCE/scenarios/quickstart.yaml" >"$work/out" 2>&1 ||
        { cat "$work/out"; echo "$dialect: $front with $back"; exit 1; }
    grep -q "^$each seeds, no violation" "$work/out" || { cat "$work/out"; exit 1; }
    quirk=${front#xensock+}${back#xensock+}
    quirk=${quirk#xensock}
    if [[ " $free " == *" ${quirk%xensock} "* ]] && grep -q 'as the quirks' "$work/out"; then
        cat "$work/out"
        echo "$dialect: $front with $back loses what no quirk of theirs costs"
        exit 1
    fi
    ! grep -q 'as the quirks' "$work/out" || echo "$quirk" >>"$work/excused"
    n=$((n + 1))
done <"$work/cells"
for quirk in error-first no-linger deaf silent-reset; do
    grep -q "^$quirk" "$work/excused" || { echo "$quirk cost nothing in any seed"; exit 1; }
done
# A backend that keeps to itself what its dialect wants is refused, each time: that is no fault either.
for dialect in pvcalls1 xensock1-compact; do
    for front in xensock xensock+unwaited; do
        if ! "$XENSOCK" swarm --seeds 0..9 --set "protocol.dialect=$dialect" --set "topology.hosts.web.peer=$front" \
            --set topology.hosts.dom0.peer=xensock+offers-nothing "$SOURCE/scenarios/quickstart.yaml" \
            >"$work/out" 2>&1 || ! grep -q '^10 seeds, no violation: 0 requests' "$work/out" ||
            ! grep -q '^10 of them .* as the quirks' "$work/out"; then
            cat "$work/out"
            echo "$dialect: $front is not refused in good order"
            exit 1
        fi
    done
done
echo "$((n * each)) seeds over $n pairs"
