#!/bin/bash
# A scenario that forwards, and programs that know nothing of it: curl through it both ways, a stranger
# who stays to the end, one whose target is not there, an echo that is no peer of ours; what the run
# ends with, what it counts, and where it may not listen or connect.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
command -v curl >/dev/null || { echo "skipped: curl is missing"; exit 77; }

mkdir www
for i in 1 2 3; do
    "$XENSOCK" payload --seed $i --bytes $((i * 1500001)) >www/file$i
done
start site python3 -u -m http.server --bind 127.0.0.1 --directory www 0
servers=("$pid")
within 10 grep -qs 'port [0-9]' site.log
site=$(sed -n 's/.*port \([0-9]*\).*/\1/p' site.log)
port=$(free_port)
cat >forward.yaml <<EOF
schema: xensock/scenario/1
name: forward
duration: 30s
timeout: 40s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {site: {kind: external, address: "127.0.0.1:$site"}}
workload:
  - {name: f, kind: forward, listen: "127.0.0.1:$port", connect_to: site, hold: 100ms}
EOF

# run ARGUMENT...: in the background, until it listens; sets `run`.
run()
{
    start run "$XENSOCK" run --out result "$@" forward.yaml
    run=$pid
    within 10 listens "$port"
}

fetch()
{
    curl -sS --fail --max-time 20 -o got "http://127.0.0.1:$port/file$1"
    cmp got "www/file$1" || fail "file$1 is another"
}

# Interrupted, it ends with what there is until then.
run
for i in 1 2 3; do
    fetch $i
done
kill -INT "$run"
ended "$run" 130 10
holds result/result.json 'r["complete"] is False' 'e == []' \
    'm["forwarded.f"]["unit"] == "connections" and m["forwarded.f"]["value"] == 3' \
    'm["forwarded.f"]["joined"] == 3 and m["forwarded.f"]["refused"] == 0' \
    'm["received.f"]["value"] > 6 * 1500001 and 0 < m["sent.f"]["value"] < 3000' \
    'm["bytes.f"]["value"] == m["sent.f"]["value"] + m["received.f"]["value"]'
grep -q '^  received  *8.5 MiB$' run.log || fail "the table does not say it"

# So it does in virtual time, in the midst of connections: these end with it.
cat >long.yaml <<'EOF'
schema: xensock/scenario/1
name: long
mode: virtual
duration: 20min
timeout: 30min
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}, c: {kind: client, connect_to: f, connections: 4, bytes: 1024GiB}}
workload:
  - {name: f, kind: forward, listen: "127.0.0.1:1", connect_to: echo}
EOF
start long "$XENSOCK" run --out result --trace long.trace long.yaml
within 10 test -s long.trace
kill -INT "$pid"
ended "$pid" 130 10
holds result/result.json 'r["complete"] is False' 'e == []' 'm["forwarded.f"]["cut_off"] == 4' \
    'm["bytes.f"]["value"] > 0 and c["peer.c.mismatches"] == c["peer.echo.mismatches"] == 0'

# The other way, from the backend's side to beside the guest; it ends when all have been there.
run --set workload.f.listen_at=backend --set workload.f.accepts=2
fetch 3
fetch 2
ended "$run" 0 10
holds result/result.json 'r["complete"] is True' 'e == []' 'm["operations.f"]["value"] == 2' \
    'm["forwarded.f"]["joined"] == 2' '0 < m["received.f"]["value"] < 2000' \
    'm["sent.f"]["value"] > 5 * 1500001'

# Who is there at the end is reset, and counted.
run --set duration=500ms --set workload.f.connections=1
start stranger socat -d -u "TCP:127.0.0.1:$port" -
ended "$run" 0 10
within 10 is_over "$pid"
grep -qi 'reset by peer' stranger.err.log || fail "the stranger was told no end"
holds result/result.json 'r["complete"] is True' 'e == []' 'm["forwarded.f"]["cut_off"] == 1' \
    'm["operations.f"]["value"] == 0 == m["forwarded.f"]["refused"]'

# A target that is not there is a reset, which comes before or after curl knows that it is connected.
run --set "topology.peers.site.address=127.0.0.1:$(free_port)" --set workload.f.accepts=1
code=0
curl -sS --max-time 20 "http://127.0.0.1:$port/" 2>curl.log || code=$?
[[ $code =~ ^(7|56)$ ]] || fail "curl came to $code"
ended "$run" 0 10
holds result/result.json 'e == []' 'm["forwarded.f"]["refused"] == m["forwarded.f"]["value"] == 1' \
    'm["forwarded.f"]["joined"] == 0 == m["operations.f"]["value"]'

# Our client, to an echo that is none of ours: it gives back the stream's header too.
start echo socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork PIPE
servers+=("$pid")
sed "s/^  peers: .*/  peers:\n    site: {kind: external, address: \"127.0.0.1:$(socat_port echo)\"}\n    c: {kind: client, connect_to: f, connections: 9, bytes: 100001}/" \
    forward.yaml >client.yaml
expect 0 "$XENSOCK" run --out result --set workload.f.accepts=9 client.yaml
holds result/result.json 'r["complete"] is True' 'e == []' 'm["forwarded.f"]["joined"] == 9' \
    'c["peer.c.bytes_in"] == c["peer.c.bytes_out"] == 9 * 100001' \
    'm["sent.f"]["value"] == m["received.f"]["value"] == 9 * (100001 + 32)'

# said TEXT: the first error.
said()
{
    grep -qxF -e "$1" err.log || fail "not said: $1"
}

# Where it cannot, or may not, listen, on either side; or connect beside the guest.
place=forward.yaml:9:38
expect 3 "$XENSOCK" run --out result --set "workload.f.listen=127.0.0.1:$site" forward.yaml
said "--set:1:19: error[E0115]: f cannot listen: EADDRINUSE"
sed "s/listen: \"127.0.0.1/listen: \"192.0.2.1/" forward.yaml >elsewhere.yaml
for side in guest backend; do
    expect 3 "$XENSOCK" run --out result --set workload.f.listen_at=$side elsewhere.yaml
    said "${place/forward/elsewhere}: error[E0115]: f cannot listen: EACCES"
    expect 3 "$XENSOCK" run --out result --allow 192.0.2.1 --set workload.f.listen_at=$side \
        elsewhere.yaml
    said "${place/forward/elsewhere}: error[E0115]: f cannot listen: EADDRNOTAVAIL"
done
expect 1 "$XENSOCK" run --out result --set workload.f.listen_at=backend --set duration=50ms \
    --set topology.peers.site.address=192.0.2.1:80 forward.yaml
holds result/result.json 'e == ["E0401"]' '"f: 1 failed: connect beside the guest" in t' \
    '"EACCES" in t'

# Deaths on the way cut connections, which are begun again, and nothing else; nor do other workloads
# of the guest see anything of those that forward.
cat >faults.yaml <<EOF
schema: xensock/scenario/1
name: faults
duration: 400ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    far: {kind: echo}
    other: {kind: echo}
    near: {kind: echo}
    c: {kind: client, connect_to: out, connections: 4096, bytes: 10000}
    d: {kind: client, connect_to: in, connections: 4096, bytes: 10000}
    e: {kind: client, connect_to: srv, connections: 4096, bytes: 10000}
workload:
  - {name: out, kind: forward, listen: "127.0.0.1:$port", connect_to: far, hold: 1ms}
  - {name: in, kind: forward, listen: "127.0.0.1:$(free_port)", listen_at: backend, connect_to: near}
  - {name: ask, kind: request-response, connect_to: other, sockets: 3}
  - {name: doors, kind: connect-close, connect_to: other, sockets: 3}
  - {name: srv, kind: serve, listen: "127.0.0.1:$(free_port)"}
faults:
  - {kind: restart, where: dom0, at: 50ms, for: 5ms}
  - {kind: restart, where: web, at: 200ms, for: 5ms}
EOF
for mode in emulated virtual; do
    expect 0 "$XENSOCK" run --set mode=$mode --out result faults.yaml
    holds result/result.json 'r["complete"] is True' 'e == []' 'len(f) == 2' \
        'c["peer.c.cut"] > 0 and c["peer.d.cut"] > 0 and c["frontend.sockets_left"] == 0' \
        'c["peer.c.mismatches"] == c["peer.d.mismatches"] == c["peer.e.mismatches"] == 0'
done
# (a process that was killed took its counts with it)
holds result/result.json 'm["operations.out"]["value"] > 0 and m["operations.in"]["value"] > 0' \
    'm["operations.ask"]["value"] > 0 and m["operations.srv"]["value"] > 0' \
    'm["operations.doors"]["value"] > 0'
kill "${servers[@]}"
for pid in "${servers[@]}"; do
    within 5 is_over "$pid"
done
nothing_left
