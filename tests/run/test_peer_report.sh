#!/bin/bash
# A peer that is asked for its report gives it when the connections it was told of have come and
# ended, not before: a loaded host may hand it a connection after the guest has long released it.
# Here a script is the launcher, and opens the connections only after it asked.
# shellcheck disable=SC1091
. "$(dirname "$0")/common.sh"

cat >peer.yaml <<'EOF'
schema: xensock/scenario/1
name: peer
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    drain: {kind: sink}
workload:
  - {name: bulk, kind: stream, connect_to: drain, bytes: 1MiB}
EOF

"$XENSOCK" payload --bytes 1MiB >stream
cat >launcher.py <<'EOF'
import json, socket, struct, subprocess, sys

ours, theirs = socket.socketpair()
peer = subprocess.Popen([sys.argv[1], "peer", "peer.yaml", "drain", "--control",
                         str(theirs.fileno())], pass_fds=[theirs.fileno()])
theirs.close()
ours.settimeout(20)
lines = ours.makefile("r")


def say(**words):
    ours.sendall((json.dumps(words) + "\n").encode())


def hear():
    return json.loads(lines.readline())


host, port = hear()["address"].split(":")
with open("stream", "rb") as file:
    stream = file.read()
header = b"XSPL" + struct.pack("<HHQQQ", 1, 1, 1, 0, len(stream))
say(do="measure-all")
say(do="end")
say(do="report", connections=2)
for _ in range(2):
    with socket.create_connection((host, int(port))) as one:
        one.sendall(header + stream)
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1) == b""
report = hear()
say(do="quit")
assert report["event"] == "report", report
counters = report["counters"]
assert counters["connections"] == 2, report
assert counters["bytes_in"] == 2 * len(stream), report
assert counters["mismatches"] == counters["short_streams"] == 0, report
assert peer.wait(20) == 0
EOF
expect 0 python3 launcher.py "$XENSOCK"
nothing_left
