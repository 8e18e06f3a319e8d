#!/bin/bash
# A domain whose launcher is alive waits for its hypervisor, which may have many others to attend to;
# it joins when that answers, and ends at once when the launcher does. Here a script is the launcher.
# shellcheck disable=SC1091
. "$(dirname "$0")/common.sh"

cat >joining.yaml <<'EOS'
schema: xensock/scenario/1
name: joining
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    drain: {kind: sink}
workload:
  - {name: bulk, kind: stream, connect_to: drain, bytes: 1MiB}
EOS

# launcher.py XENSOCK SECONDS COMMAND...: starts both kinds of domains without a hypervisor and sees
# that neither gives up for SECONDS. With a COMMAND, that is the hypervisor then, and both join; else
# it dies.
cat >launcher.py <<'EOS'
import json, os, select, signal, socket, subprocess, sys

xensock, seconds, hypervisor = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
controls, parts = [], []
for words in (["backend"], ["frontend", "joining.yaml"]):
    ours, theirs = socket.socketpair()
    parts.append(subprocess.Popen([xensock, *words, "--runtime", "runtime.here", "--control",
                                   str(theirs.fileno())], pass_fds=[theirs.fileno()]))
    theirs.close()
    controls.append(ours)
for one in select.select(controls, [], [], seconds)[0]:
    sys.exit("it gave up: %r" % one.recv(4096))
if not hypervisor:
    os.kill(os.getpid(), signal.SIGKILL)
server = subprocess.Popen(hypervisor)
for one in controls:
    one.settimeout(20)
    said = json.loads(one.makefile("r").readline())
    assert said["event"] == "ready", said
for one in controls:
    one.close()
assert [part.wait(20) for part in parts] == [0, 0]
server.send_signal(signal.SIGINT)
assert server.wait(20) == 0
EOS

nobody()
{
    local pid
    for pid in $(ours); do
        is_over "$pid" || return 1
    done
}

expect 0 python3 launcher.py "$XENSOCK" 1.5 "$XENSOCK" hypervisor --runtime runtime.here
nothing_left

# Whether they have come to wait or not.
for seconds in 0 0.2; do
    expect 137 python3 launcher.py "$XENSOCK" $seconds
    within 5 nobody
done
nothing_left
