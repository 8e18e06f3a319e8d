#!/bin/bash
# 1000 guests with 100 sockets each, all open at once in one run: every byte right, nothing left,
# within 4 GiB.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../run/common.sh"

guests=1000
if sanitized; then
    guests=20 # ten times slower, and memory is the sanitizer's
fi

cat >bounded.py <<'EOS'
"""Runs a command; its peak of memory in KiB goes to a file."""
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
with open(sys.argv[1], "w") as peak:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=peak)
sys.exit(code)
EOS
expect 0 python3 bounded.py peak "$XENSOCK" run --out result \
    --set "topology.hosts.web.count=$guests" "$SOURCE/scenarios/many-guests.yaml"
# the backend's peak of ports: at one moment it had one for each socket and each device
holds result/result.json 'r["complete"] is True' 'e == []' \
    "c['backend.ports_peak'] == $guests * 101" "c['backend.sockets_peak'] == $guests * 100" \
    'c["frontend.ports_peak"] == 101' 'c["frontend.grants_peak"] == 401' \
    "c['peer.echo.connections'] == $guests * 100" 'c["peer.echo.connect_failures"] == 0' \
    'c["peer.echo.mismatches"] == 0' 'c["peer.echo.resets"] == 0' \
    "c['peer.echo.bytes_in'] == c['peer.echo.bytes_out'] >= $guests * 100 * 256" \
    "m['operations.visits']['value'] >= $guests * 50" \
    'sum(name.endswith("_left") for name in c) == 9' \
    'all(c[name] == 0 for name in c if name.endswith("_left"))'
[ "$(cat peak)" -lt $((4 * 1024 * 1024)) ] || sanitized || fail "$(cat peak) KiB of memory"
nothing_left
