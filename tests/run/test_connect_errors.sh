#!/bin/bash
# What the network answers reaches the guest and the result; the egress policy; and options of a
# run that change how it goes, not what arrives: odd sizes of writes at every order, immediate
# notifications.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >other.yaml <<'EOF'
schema: xensock/scenario/1
name: other
timeout: 10s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {other: {kind: external, address: "127.0.0.1:1"}}
workload:
  - {name: put, kind: stream, connect_to: other, bytes: 1MiB, sockets: 3}
  - {name: ask, kind: request-response, connect_to: other, operations: 10}
EOF

# refused ADDRESS ERROR [OPTION]...: each of the four sockets fails with ERROR, and says so.
refused()
{
    local address=$1 error=$2
    shift 2
    expect 1 "$XENSOCK" run --out result --set "topology.peers.other.address=$address" "$@" \
        other.yaml
    grep -qF "error[E0401]: put: 3 failed: connect to $address: $error" out.log ||
        fail "$error is not reported"
    holds result/result.json 'r["complete"] is True' 'e == ["E0401", "E0401"]' \
        "'ask: 1 failed: connect to $address: $error' in t" 'm["bytes.put"]["value"] == 0' \
        'c["frontend.requests"] == c["frontend.responses"] == 4' \
        'all(c[name] == 0 for name in c if name.endswith("_left"))'
}

# A bound port on which nobody listens: nobody else can take it meanwhile.
start holder python3 -c 'import socket, time
one = socket.socket()
one.bind(("127.0.0.1", 0))
print(one.getsockname()[1], flush=True)
time.sleep(60)'
within 10 grep -qs . holder.log
refused "127.0.0.1:$(cat holder.log)" ECONNREFUSED
kill "$pid"

# Addresses for documentation (RFC 5737, RFC 3849): never asked, as nothing but loopback is allowed.
refused 192.0.2.1:9 EACCES
refused '[2001:db8::1]:9' EACCES
refused 0.0.0.0:9 EACCES
# An allowance for one network lets no other through. (That it lets its own through cannot be
# tried on loopback, which is always allowed: tests of the policy.)
refused 192.0.2.1:9 EACCES --allow 198.51.100.0/24 --allow 2001:db8::/32

cat >odd.yaml <<'EOF'
schema: xensock/scenario/1
name: odd
timeout: 10s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
workload:
  - name: one
    kind: stream
    connect_to: echo
    direction: both
    bytes: 20011
    write_size: 1
    read_size: 65537
  - name: seven
    kind: stream
    connect_to: echo
    direction: both
    bytes: 100003
    write_size: 7
    read_size: 4095
    sockets: 2
  - name: page
    kind: stream
    connect_to: echo
    direction: both
    bytes: 1000003
    write_size: 4095
    read_size: 7
  - name: more
    kind: stream
    connect_to: echo
    direction: both
    bytes: 3000017
    write_size: 65537
    read_size: 4097
    repeat: 2
EOF
# odd [OPTION]...
odd()
{
    expect 0 "$XENSOCK" run --out result "$@" odd.yaml
    holds result/result.json 'r["complete"] is True' 'e == []' \
        'c["peer.echo.bytes_in"] == c["peer.echo.bytes_out"] ==
         20011 + 2 * 100003 + 1000003 + 2 * 3000017' \
        '[m[f"bytes.{name}"]["value"] for name in ("one", "seven", "page", "more")] ==
         [2 * 20011, 4 * 100003, 2 * 1000003, 4 * 3000017]' \
        'all(c[name] == 0 for name in c if name.endswith("_left"))'
}
for order in 1 2 3 4 5 6; do
    odd --set protocol.order=$order
done
odd --notify immediate
holds result/result.json 'c["frontend.notifications"] > c["frontend.turns"]'
odd --notify coalesced

# A run that is over while sockets still connect gives them up, which is nobody's fault.
cat >hasty.yaml <<'EOF'
schema: xensock/scenario/1
name: hasty
duration: 1ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
workload:
  - {name: ask, kind: request-response, connect_to: echo, request: 64, sockets: 64}
EOF
for _ in 1 2 3; do
    expect 0 "$XENSOCK" run --out result hasty.yaml
    holds result/result.json 'r["complete"] is True' 'e == []'
done

nothing_left
