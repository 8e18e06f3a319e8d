#!/bin/bash
# iperf3 with 1 and 8 streams, in both directions, with its server on either side.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
needs iperf3

ports server1 server2 near far
for port in "$server1" "$server2"; do # one serves one client at a time
    start "server$port" iperf3 -s -B 127.0.0.1 -p "$port"
    servers+=("$pid")
    within 10 listens "$port"
done
forward -L "$near:127.0.0.1:$server1" -R "$far:127.0.0.1:$server2"

# moved NAME STREAMS: the receiving end counted bytes of each, and neither end complains.
moved()
{
    python3 - "$@" <<'END' || fail "iperf3 moved nothing, or complains"
import json, sys
with open(sys.argv[1] + ".log") as file:
    r = json.load(file)
assert "error" not in r, r["error"]
streams = r["end"]["streams"]
assert len(streams) == int(sys.argv[2]), streams
assert all(s["sender"]["bytes"] >= s["receiver"]["bytes"] > 0 for s in streams), streams
END
}

counts=(1 8)
! brief || counts=(8)
joined=0 # a connection for each stream, and one that controls
for streams in "${counts[@]}"; do
    for direction in "" -R; do
        clients=()
        for port in "$near" "$far"; do
            # shellcheck disable=SC2086
            start "client$port" iperf3 -c 127.0.0.1 -p "$port" -P $streams $direction -t 1 -J
            clients+=("$pid")
        done
        for pid in "${clients[@]}"; do
            ended "$pid" 0 20
        done
        moved "client$near" "$streams"
        moved "client$far" "$streams"
        joined=$((joined + 2 * (streams + 1)))
    done
done
forwarded # its resets are iperf3's, which closes a socket with bytes unread
[ "$(counter joined)" = $joined ] || fail "$(counter joined) connections instead of $joined"
for pid in "${servers[@]}"; do
    interrupted "$pid" 1
done
nothing_left
