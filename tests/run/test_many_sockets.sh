#!/bin/bash
# 256 sockets at once, opened, used and released 20 times over, at order 6: 16,384 grants for the
# data rings and 256 ports, and one of each for the command ring, at the peak; and nothing grows
# from round to round. First towards the built-in echo; then towards a gate, which answers nobody
# before all 256 are connected, so that the backend too has all of them at once, and what the
# processes hold can be counted from outside at the same moment of each round.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >many.yaml <<'EOF'
schema: xensock/scenario/1
name: many
timeout: 40s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
protocol: {order: 6}
workload:
  - name: churn
    kind: stream
    connect_to: echo
    direction: both
    bytes: 1000
    sockets: 256
    repeat: 20
EOF

counted()
{
    holds result/result.json 'r["complete"] is True' 'e == []' \
        'm["operations.churn"]["value"] == 20 * 256' \
        'c["frontend.grants_peak"] == 256 * 64 + 1' 'c["frontend.ports_peak"] == 256 + 1' \
        'c["frontend.requests"] == c["frontend.responses"] == 2 * 20 * 256' \
        'sum(name.endswith("_left") for name in c) == 9' \
        'all(c[name] == 0 for name in c if name.endswith("_left"))' "$@"
}

expect 0 "$XENSOCK" run --out result many.yaml
counted 'c["peer.echo.connections"] == 20 * 256' 'c["peer.echo.mismatches"] == 0' \
    'c["peer.echo.bytes_in"] == c["peer.echo.bytes_out"] == 20 * 256 * 1000'

cat >gate.py <<'EOF'
"""Echoes 1000 bytes on each connection, 256 at a time, 20 times; meanwhile counts what processes
hold: descriptors and mappings, a line a round. Their pids come on stdin, once they are known."""
import os, socket, sys

SOCKETS, ROUNDS, BYTES = 256, 20, 1000


def held(pid):
    with open(f"/proc/{pid}/maps") as maps:
        return len(os.listdir(f"/proc/{pid}/fd")), sum(1 for _ in maps)


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(SOCKETS)
listener.settimeout(20)
print(listener.getsockname()[1], flush=True)
pids = sys.stdin.readline().split()
for _ in range(ROUNDS):
    all_open = [listener.accept()[0] for _ in range(SOCKETS)]
    received = []
    for one in all_open:
        one.settimeout(20)
        data = b""
        while len(data) < BYTES:
            part = one.recv(BYTES - len(data))
            assert part
            data += part
        received.append(data)
    # everybody has opened, connected and sent, and waits for us
    print(*(number for pid in pids for number in held(pid)), flush=True)
    for one, data in zip(all_open, received):
        one.sendall(data)
    for one in all_open:
        assert one.recv(1) == b""
        one.close()
EOF
mkfifo pids
start gate sh -c 'exec python3 gate.py <pids'
gate=$pid
exec 3>pids
within 10 grep -qs . gate.log
start run "$XENSOCK" run --out result --set topology.peers.echo.kind=external \
    --set "topology.peers.echo.address=127.0.0.1:$(cat gate.log)" many.yaml
run=$pid
parts()
{
    backend=$(part "$run" backend) && frontend=$(part "$run" frontend)
}
within 10 parts
echo "$backend $frontend $run" >&3
exec 3>&-
ended "$run" 0 40
ended "$gate" 0 10
counted 'c["backend.ports_peak"] == 256 + 1' 'c["backend.sockets_peak"] == 256' \
    'm["bytes.churn"]["value"] == 2 * 20 * 256 * 1000'

# A backend's descriptors: two for each of 257 ports, one for each connection, and a few.
python3 - <<'EOF' || fail "something grows from round to round"
import sys
rounds = [[int(number) for number in line.split()] for line in open("gate.log")][1:]
bad = len(rounds) != 20 or rounds[0][0] < 3 * 256 or rounds[0][2] < 2 * 256
for column, what in enumerate(("backend's fds", "backend's maps", "frontend's fds",
                               "frontend's maps", "hypervisor's fds", "hypervisor's maps")):
    seen = [one[column] for one in rounds]
    # the first rounds may still bring in what every process makes once
    grows = max(seen[10:]) > max(seen[2:10])
    print(what, seen, "GROWS" if grows else "")
    bad |= grows
sys.exit(bad)
EOF
nothing_left
