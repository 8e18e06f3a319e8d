#!/bin/bash
# A run of processes that has not ended in its time says who is dead or stands still, by a fault of
# the scenario, and what the others wait for. (In virtual time: test_stall.sh.)
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

# A server that takes connections and nothing else: nobody's CPU is busy.
start mute python3 -c 'import socket, time
one = socket.socket()
one.bind(("127.0.0.1", 0))
one.listen()
print(one.getsockname()[1], flush=True)
time.sleep(60)'
mute=$pid
within 10 grep -qs . mute.log
cat >stall.yaml <<EOS
schema: xensock/scenario/1
name: stall
timeout: 3s
topology:
  hosts:
    dom0: {role: backend}
    b1: {role: backend}
    late: {role: frontend, backend: b1}
    dead: {role: frontend}
    away: {role: frontend}
    web: {role: frontend, count: 6}
  peers: {mute: {kind: external, address: "127.0.0.1:$(cat mute.log)"}}
protocol: {order: 1}
workload:
  - {name: ask, where: web, kind: request-response, connect_to: mute, operations: 1}
faults:
  - {kind: kill, where: dead, at: 10ms}
  - {kind: restart, where: away, at: 10ms, for: 100s}
  - {kind: pause, where: b1, at: 10ms, for: 100s}
  - {kind: restart, where: late, at: 20ms, for: 1ms}
EOS
# Hosts without a workload would be through before that.
for host in late dead away; do
    sed -i "/^faults:/i\\  - {name: $host, where: $host, kind: request-response, connect_to: mute, operations: 1}" \
        stall.yaml
done
expect 5 "$XENSOCK" run --out result stall.yaml
kill "$mute"
within 10 is_over "$mute"
nothing_left
holds result/result.json 'e == ["E0501"]' 'r["complete"] is False'

says()
{
    grep -qxE "   $*" out.log || fail "not told: $*"
}
grep -qx 'error\[E0501\]: stalled: the run had not ended after 3s (timeout)' out.log || fail "no stall"
says 'b1       stands still for another (9[0-9]{4}ms|99s)'
says 'dead     is dead for good'
says 'away     is dead for another (9[0-9]{4}ms|99s)'
says 'late     waits: for its device to connect'
says 'web\.0    waits: ask: 1 of its sockets; socket 0 waits for bytes or their end \(sent 64, received 0 bytes\)'
says 'and 3 more guests'
