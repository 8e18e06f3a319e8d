#!/bin/bash
# Who has used up a quota of its own is told so, by name, and nobody else is blamed: a guest whose
# watches a tool holds (a backend in sim/run/test_run_virtual.c). So is who finds no room at a socket
# of xenstore.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >hand.yaml <<'YAML'
schema: xensock/scenario/1
name: hand
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
workload:
  - {name: ask, kind: request-response, connect_to: echo, operations: 1}
YAML
start hypervisor "$XENSOCK" hypervisor --runtime here
hypervisor=$pid
within 10 test -S here/xenstore-1.sock
# 256 clients of a socket are served at a time: a look waits for one of them to leave.
start crowd python3 -c '
import socket, sys
crowd = [socket.socket(socket.AF_UNIX) for _ in range(256)]
for one in crowd:
    one.connect("here/xenstore.sock")
crowd[-1].sendall(b"\2" + bytes(11) + b"\2\0\0\0/\0") # is answered, so all are clients
crowd[-1].recv(1)
print("all", flush=True)
crowd[0].recv(1)
'
crowd=$pid
within 10 grep -q all crowd.log
expect 7 "$XENSOCK" ps --runtime here --timeout 100ms
grep -q . err.log || fail "the look that found no room says nothing"
start ps "$XENSOCK" ps --runtime here --timeout 30s
kill -KILL "$crowd"
ended "$pid" 0 30
ended "$crowd" 137 10

start backend "$XENSOCK" backend --runtime here
backend=$pid
start watches python3 -c '
import socket, struct, sys
store = socket.socket(socket.AF_UNIX)
store.connect("here/xenstore-1.sock")
refused = False
for i in range(200):
    words = b"data/%d\0mine\0" % i
    store.sendall(struct.pack("<4I", 4, i, 0, len(words)) + words)
    kind = 15 # of an event, which an answer may follow
    while kind == 15:
        kind, _, _, length = struct.unpack("<4I", store.recv(16, socket.MSG_WAITALL))
        refused |= store.recv(length, socket.MSG_WAITALL) == b"E2BIG\0"
print("all" if refused else "no quota", flush=True)
while store.recv(4096):
    pass
'
watches=$pid
within 10 grep -q . watches.log
grep -qx all watches.log || fail "domain 1 still has watches"
expect 1 "$XENSOCK" frontend --runtime here \
    --set "topology.peers.echo.listen=127.0.0.1:$(free_port)" hand.yaml
grep -qF 'error[E0608]: domain 1 cannot watch its device with the backend: the domain itself has used up its watches in xenstore (at most 129)' \
    err.log || fail "the quota is not told"
! grep -q 'E0502\|fault of\|backend went' err.log out.log || fail "another is blamed"
kill -INT "$backend"
ended "$backend" 0 10
ended "$watches" 0 10 # a domain that ends takes its clients along
kill -INT "$hypervisor"
ended "$hypervisor" 0 10

nothing_left
