#!/bin/bash
# A guest that listens and echoes: a stranger connects and gets 64 MiB back unchanged, at several
# orders and over IPv6; and so do several built-in clients at once.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

bytes=64MiB
! sanitized || bytes=8MiB
cat >serve.yaml <<'EOF'
schema: xensock/scenario/1
name: serve
timeout: 30s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
workload:
  - {name: srv, kind: serve, listen: "127.0.0.1:1", accepts: 1}
EOF

# stranger ORDER HOST: HOST as in an address, with brackets for IPv6.
stranger()
{
    local port run back
    port=$(free_port "${2//[][]/}")
    start run "$XENSOCK" run --set "protocol.order=$1" --set "workload.srv.listen=$2:$port" \
        --out result serve.yaml
    run=$pid
    within 10 listens "$port"
    # socat -t: how long the echo may be silent once everything has been sent
    start back sh -c "'$XENSOCK' payload --seed 99 --bytes $bytes |
        socat -b 262144 -t 20 - 'TCP:$2:$port' | xxh128sum"
    ended "$pid" 0 30
    ended "$run" 0 10
    read -r back _ <back.log
    [ "$back" = "$sent" ] || fail "order $1, $2: $back came back for $sent"
    holds result/result.json 'r["complete"] is True' 'e == []' \
        "m['received.srv']['xxh128'] == '$sent'" 'm["operations.srv"]["value"] == 1'
}

sent=$("$XENSOCK" payload --seed 99 --bytes $bytes | xxh128sum)
sent=${sent%% *}
for order in 1 3 6; do
    stranger "$order" 127.0.0.1
done
if free_port ::1 >/dev/null 2>&1; then
    stranger 6 '[::1]'
fi

cat >clients.yaml <<'EOF'
schema: xensock/scenario/1
name: clients
timeout: 30s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    many: {kind: client, connect_to: srv, connections: 60, bytes: 30001}
    one: {kind: client, connect_to: srv, bytes: 1}
workload:
  - {name: srv, kind: serve, listen: "127.0.0.1:1", accepts: 61}
EOF
for order in 1 6; do
    expect 0 "$XENSOCK" run --set protocol.order=$order --out result \
        --set "workload.srv.listen=127.0.0.1:$(free_port)" clients.yaml
    holds result/result.json 'r["complete"] is True' 'e == []' \
        'c["peer.many.bytes_in"] == c["peer.many.bytes_out"] == 60 * 30001' \
        'c["peer.one.bytes_in"] == c["peer.one.bytes_out"] == 1' \
        'c["peer.many.mismatches"] == c["peer.many.short_streams"] == 0' \
        'm["operations.srv"]["value"] == 61'
done

# 64 listeners over a command ring of 8 slots: a storm on four of them, one connection to each. All
# are accepted, the two sides count the same, and only the application's bytes.
cat >listeners.yaml <<'EOF'
schema: xensock/scenario/1
name: listeners
timeout: 30s
duration: 1ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    storm: {kind: client, connect_to: srv, connections: 400, listeners: 4, bytes: 10}
    quiet: {kind: client, connect_to: srv, connections: 64, bytes: 10}
workload:
  - {name: srv, kind: serve, listen: "127.0.0.1:1", listeners: 64, polls: true, accepts: 464}
EOF
many=$((21000 + $$ % 5000)) # 64 in a row, where the kernel gives nobody any
for mode in virtual emulated; do
    expect 0 "$XENSOCK" run --set mode=$mode --set "workload.srv.listen=127.0.0.1:$many" \
        --out result listeners.yaml
    holds result/result.json 'r["complete"] is True' 'e == []' \
        'c["peer.storm.connections"] == 400 and c["peer.quiet.connections"] == 64' \
        'm["accepted.srv"]["value"] == 464 and m["operations.srv"]["value"] == 464' \
        'm["accepted.srv"]["listeners"] == 64 and m["accepted.srv"]["least"] == 1' \
        'm["accepted.srv"]["most"] == 101 and m["bytes.srv"]["value"] == 2 * 464 * 10' \
        'c["frontend.request_waits"] > 0'
done

# A storm that does not end keeps nobody waiting: after 40 ms all 64 have had a connection, and after
# 100 ms those with more go on, beside 60 without. Exact in virtual time. (What the end of the run cuts
# off, the storm reports.)
sed 's/, accepts: 464//; s/400/4096/' listeners.yaml >endless.yaml
for duration in 40ms:2 100ms:40; do
    expect 1 "$XENSOCK" run --set mode=virtual --set "duration=${duration%:*}" --out result \
        endless.yaml
    holds result/result.json 'm["accepted.srv"]["least"] == 1' 'e == ["E0402"]' \
        "m['accepted.srv']['most'] >= ${duration#*:}" 'c["peer.quiet.bytes_in"] == 64 * 10'
done

# Who gave up on a listener whose queue stayed full is told beside the guest that waits for it.
{
    printf '%s\n' 'schema: xensock/scenario/1' 'name: crowd' 'mode: virtual' 'timeout: 10min' 'topology:' \
        '  hosts: {dom0: {role: backend}, web: {role: frontend}}' '  peers:'
    for i in {1..16}; do
        echo "    c$i: {kind: client, connect_to: srv, connections: 300, bytes: 1}"
    done
    printf '%s\n' 'protocol: {order: 1}' 'workload:' \
        '  - {name: srv, kind: serve, listen: "127.0.0.1:1", accepts: 4800}'
} >crowd.yaml
expect 5 "$XENSOCK" run crowd.yaml
grep -Eq '^ *web +waits: srv: for connections \(accepted [0-9]+ of 4800\)$' out.log || fail "nobody waits"
grep -Eq '^ *c[0-9]+ +gave up connecting [0-9]+ times$' out.log || fail "nobody gave up"

# Without accepts nobody is waited for: a client without an end is cut, and told once, and so is a
# stranger who sends and never reads.
cat >unending.yaml <<'EOF'
schema: xensock/scenario/1
name: unending
duration: 20ms
timeout: 20s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {forever: {kind: client, connect_to: srv, bytes: 1024GiB}}
workload:
  - {name: srv, kind: serve, listen: "127.0.0.1:1"}
EOF
for mode in virtual emulated; do
    expect 1 "$XENSOCK" run --set mode=$mode --set "workload.srv.listen=127.0.0.1:$(free_port)" \
        --out result unending.yaml
    holds result/result.json 'r["complete"] is True' 'e == ["E0402"]' \
        '"forever: 1 streams" in r["errors"][0]["message"]' 'm["bytes.srv"]["value"] > 0'
done
port=$(free_port)
start run "$XENSOCK" run --set "workload.srv.listen=127.0.0.1:$port" --set duration=1s \
    --set topology.peers.forever.bytes=1 --out result unending.yaml
run=$pid
within 10 listens "$port"
start stranger socat -u -b 65536 /dev/zero "TCP:127.0.0.1:$port,rcvbuf=4096"
stranger=$pid
ended "$run" 0 15
holds result/result.json 'r["complete"] is True' 'e == []' 'm["bytes.srv"]["value"] > 65536'
within 10 is_over "$stranger" # with a reset

# 600 connections that do not end before all of them wait: a guest has grants for 511 sockets of order
# 6, and accepts the others as those are released.
cat >room.yaml <<'EOF'
schema: xensock/scenario/1
name: room
duration: 1ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {crowd: {kind: client, connect_to: srv, connections: 600, bytes: 1}}
  links: [{to: crowd, delay: 100ms}]
workload:
  - {name: srv, kind: serve, listen: "127.0.0.1:1", listeners: 256, polls: true, accepts: 600}
EOF
expect 0 "$XENSOCK" run --set mode=virtual --out result room.yaml
holds result/result.json 'r["complete"] is True' 'e == []' 'm["operations.srv"]["value"] == 600' \
    'm["accepted.srv"]["no_room"] > 0' 'c["peer.crowd.bytes_in"] == 600' \
    'c["frontend.grants_peak"] > 511 * 64'

# A listener whose turn in the command ring comes when the run is already over has not failed.
cat >late.yaml <<'EOF'
schema: xensock/scenario/1
name: late
mode: virtual
duration: 1ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
workload:
  - {name: ask, kind: request-response, connect_to: echo, sockets: 128}
  - {name: srv, kind: serve, listen: "127.0.0.1:1"}
EOF
for duration in 1ms 2ms 5ms; do
    expect 0 "$XENSOCK" run --set duration=$duration late.yaml
    holds out/late/result.json 'r["complete"] is True' 'e == []'
done
nothing_left
