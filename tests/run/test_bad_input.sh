#!/bin/bash
# What is wrong with a scenario or a command line is told at once and in full: file, line, column,
# the line with a caret below, what would be right, and the exit code; nothing is started. Every
# single message has its unit test; here is what a person meets, through the command.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >base.yaml <<'EOF'
schema: xensock/scenario/1
name: base
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    drain: {kind: sink}
protocol:
  order: 3
workload:
  - name: bulk
    kind: stream
    connect_to: drain
    bytes: 1MiB
EOF

# said FILE TEXT: TEXT, lines and all, is in it.
said()
{
    [[ $(cat "$1") == *"$2"* ]] || fail "not said in $1: $2"
}

# rejects CODE TEXT ARGUMENT...: ends with CODE, says TEXT on stderr and nothing else anywhere.
rejects()
{
    local code=$1 text=$2
    shift 2
    expect "$code" "$XENSOCK" "$@"
    said err.log "$text"
    [ ! -s out.log ] || fail "something on stdout: $*"
    [ ! -e out ] || fail "something was begun: $*"
}

# bad SED TEXT: the base file, changed, is rejected by run and by check with TEXT.
bad()
{
    sed "$1" base.yaml >bad.yaml
    ! cmp -s base.yaml bad.yaml || fail "this changes nothing: $1"
    rejects 3 "$2" run bad.yaml
    rejects 3 "$2" check bad.yaml
    ! grep -q 'at point' err.log || fail "a point, where there is no sweep: $1"
}

bad 's/order/ordr/' "bad.yaml:10:3: error[E0101]: unknown key 'ordr' in 'protocol'
   10 |   ordr: 3
      |   ^^^^ did you mean 'order'?
      = known keys: dialect, order"
bad 's/order: 3/order: three/' "bad.yaml:10:10: error[E0106]: 'order' is 'three'
   10 |   order: three
      |          ^^^^^ expected a whole number"
bad 's/order: 3/order: [3]/' "bad.yaml:10:10: error[E0104]: 'order' has the wrong type
   10 |   order: [3]
      |          ^"
bad 's/order: 3/order: 7/' "bad.yaml:10:10: error[E0112]: order 7 is too large for dialect 'xensock1'
   10 |   order: 7
      |          ^ allowed: 1 to 6"
bad 's/1MiB/2000GiB/' "bad.yaml:15:12: error[E0112]: 'bytes' is '2000GiB'
   15 |     bytes: 2000GiB
      |            ^^^^^^^ allowed: 1B to 1024GiB"
bad 's/to: drain/to: drian/' "bad.yaml:14:17: error[E0109]: there is no peer 'drian'
   14 |     connect_to: drian
      |                 ^^^^^ did you mean 'drain'?
      = known peers: drain"
bad 's/{kind: sink}/{kind: source}/' "bad.yaml:14:17: error[E0110]: "
bad '/name: base/d' "error[E0103]: "
bad 's/{kind: sink}/{kind: sink/' "error[E0003]: "
bad 's,scenario/1,scenario/2,' "bad.yaml:1:9: error[E0100]: "
bad 's/^name:.*/&\nname: again/' "bad.yaml:3:1: error[E0102]: "
bad 's/^name:.*/&\nmode: virtual/; s/{kind: sink}/{kind: external, address: "127.0.0.1:9"}/' \
    "bad.yaml:9:19: error[E0190]: an external peer cannot be reached in mode 'virtual'"
bad 's|role: frontend|&, count: 65|' "bad.yaml:6:34: error[E0113]: with host 'web' there are 65 guests"
bad 's|role: frontend|&, backend: web|' "bad.yaml:6:36: error[E0110]: host 'web' is a guest, no backend"
bad 's|role: backend|&, count: 2|' "bad.yaml:5:34: error[E0113]: host 'dom0' is a backend: one domain, not 2"
bad 's|role: frontend|&, backend: dom1|' "bad.yaml:6:36: error[E0109]: there is no host 'dom1'"
bad 's/^name:.*/&\ncost_model: xen-amr/' "bad.yaml:3:13: error[E0105]: there is no cost model 'xen-amr'"

# A ring and a channel a socket in the hypervisor's process: what cannot fit is not begun.
sed 's/role: frontend/&, count: 4/; s/bytes: 1MiB/bytes: 1KiB\n    sockets: 20/' base.yaml >room.yaml
# shellcheck disable=SC2016
with='ulimit -n "$0" && exec "$@"'
expect 3 bash -c "$with" 250 "$XENSOCK" run room.yaml
needs=$(sed -n 's/.*the hypervisor needs \([0-9]*\) descriptors.*/\1/p' err.log)
expect 3 bash -c "$with" $((needs - 1)) "$XENSOCK" run room.yaml
said err.log "room.yaml:12:5: error[E0116]: the hypervisor needs $needs descriptors for 80 sockets of 4 guests, and a process may have $((needs - 1))"
[ ! -e out ] || fail "something was begun"
expect 0 bash -c "$with" "$needs" "$XENSOCK" run room.yaml
rm -rf out

# Several at once, in the order of the file.
sed 's/order: 3/ordr: 3/; s/kind: stream/kind: steam/; s/role: frontend/role: fronted/' \
    base.yaml >several.yaml
rejects 3 "several.yaml:6:17: error[E0105]: 'role' is 'fronted'" run several.yaml
said err.log "several.yaml:10:3: error[E0101]"
said err.log "several.yaml:13:11: error[E0105]: 'kind' is 'steam'"
[ "$(grep -c ' error\[E' err.log)" = 3 ] || fail "not three errors"

# A file that cannot be read, and one too large.
rejects 3 "none.yaml: error[E0001]: cannot read the file: No such file or directory" run none.yaml
mkdir directory.yaml
rejects 3 "directory.yaml: error[E0001]: " run directory.yaml
if [ "$(id -u)" != 0 ]; then
    cp base.yaml closed.yaml
    chmod 000 closed.yaml
    rejects 3 "closed.yaml: error[E0001]: cannot read the file: Permission denied" run closed.yaml
fi
head -c 1048577 /dev/zero | tr '\0' '#' >large.yaml
rejects 3 "large.yaml: error[E0002]: " run large.yaml

# Overrides have their own number, line and column.
rejects 3 "--set:2:10: error[E0101]: unknown key 'ordr' in 'protocol'
    2 | protocol.ordr=3
      |          ^^^^ did you mean 'order'?" run --set seed=1 --set protocol.ordr=3 base.yaml
rejects 3 "--set:1:16: error[E0112]: order 9 is too large for dialect 'xensock1'
    1 | protocol.order=9
      |                ^ allowed: 1 to 6" run --set protocol.order=9 base.yaml
rejects 3 "--set:1:1: error[E0120]: expected path=value" run --set seed base.yaml
rejects 3 "error[E0121]: " run --set workload.other.bytes=1 base.yaml
rejects 3 "--set:1:26: error[E0109]: there is no peer 'sink'" \
    run --set workload.bulk.connect_to=sink base.yaml

# json ARGUMENT...: the errors as JSON on stdout, with the same code and nothing on stderr.
json()
{
    expect 3 "$XENSOCK" run --format json "$@"
    [ ! -s err.log ] || fail "something on stderr as well"
    cp out.log errors.json
}
json several.yaml
holds errors.json 'r["complete"] is False' 'e == ["E0105", "E0101", "E0105"]' \
    '[(one["file"], one["line"], one["column"]) for one in r["errors"]] ==
     [("several.yaml", 6, 17), ("several.yaml", 10, 3), ("several.yaml", 13, 11)]' \
    '"frontend" in r["errors"][0]["hint"]'
json --set protocol.order=9 base.yaml
holds errors.json '(r["errors"][0]["file"], r["errors"][0]["column"]) == ("--set", 16)'
json none.yaml
holds errors.json 'e == ["E0001"]' 'r["errors"][0]["file"] == "none.yaml"'

# Command lines.
rejects 2 "unknown command 'runn'" runn
rejects 2 "unrecognized option '--bad'" run --bad base.yaml
rejects 2 "usage: xensock run" run
rejects 2 "usage: xensock run" run base.yaml base.yaml
rejects 2 "--format takes text or json, not 'xml'" run --format xml base.yaml
rejects 2 "--notify takes coalesced or immediate, not 'now'" run --notify now base.yaml
rejects 2 "--profile takes cpu or heap" run --profile memory base.yaml
rejects 2 "--trace does not go with mode 'emulated'" run --trace base.trace base.yaml
rejects 2 "--runtime does not go with mode 'virtual'" run --set mode=virtual --runtime . base.yaml
rejects 2 "--allow takes IP or IP/BITS, not '300.0.0.1'" run --allow 300.0.0.1 base.yaml
rejects 2 "usage: xensock check" check
rejects 2 "usage: xensock backend" backend
rejects 2 "usage: xensock hypervisor" hypervisor
rejects 2 "--max-order takes a number from 1, not '0'" backend --runtime . --max-order 0
rejects 2 "--max-sockets takes a number from 1, not '0'" backend --runtime . --max-sockets 0
rejects 2 "--backlog takes a number from 1, not '0'" backend --runtime . --backlog 0
rejects 2 "usage: xensock forward" forward
rejects 2 "--order takes a number from 1, not '0'" forward -L 1:127.0.0.1:1 --order 0
rejects 2 "--connections takes a number from 1, not '0'" forward -L 1:127.0.0.1:1 --connections 0
rejects 2 "--hold takes a duration" forward -L 1:127.0.0.1:1 --hold soon
rejects 2 "'1:127.0.0.1' of -L: it has not the form" forward -L 1:127.0.0.1
rejects 2 "'70000:127.0.0.1:1' of -R: a port is 1 to 65535" forward -R 70000:127.0.0.1:1
rejects 2 "'1::1' of -L: it names no host to forward to" forward -L 1::1
rejects 2 "usage: xensock socks" socks
rejects 2 "'one' of the door: a port is 1 to 65535" socks one
rejects 2 "usage: xensock frontend" frontend base.yaml
rejects 2 "has no built-in peer 'dran'" peer base.yaml dran
rejects 2 "--bytes takes a size" payload --bytes 1MB1
rejects 2 "usage: xensock payload" payload
expect 0 "$XENSOCK" --help
said out.log "usage: xensock COMMAND"
expect 0 "$XENSOCK" run --help
expect 0 "$XENSOCK" --version
expect 0 "$XENSOCK" check --quiet base.yaml

# A port that somebody has: of a peer, by default place and by --set, and of a guest that listens.
start holder python3 -c 'import socket, time
held = []
for host in "127.0.0.1", "127.0.0.77":
    held.append(socket.socket())
    held[-1].bind((host, 0))
    held[-1].listen()
    print(held[-1].getsockname()[1], flush=True)
time.sleep(60)'
holds_both()
{
    [ "$(wc -l <holder.log)" = 2 ]
}
within 10 holds_both
taken=127.0.0.1:$(head -n 1 holder.log)
sed "s/{kind: sink}/{kind: sink, listen: \"$taken\"}/" base.yaml >taken.yaml
expect 3 "$XENSOCK" run --out result taken.yaml
said err.log "taken.yaml:8:33: error[E0115]: drain cannot listen: EADDRINUSE
    8 |     drain: {kind: sink, listen: \"$taken\"}
      |                                 ^^^^^^^"
holds result/result.json 'r["complete"] is False' 'e == ["E0115"]' '"taken.yaml:8:33" in t'
json --out result taken.yaml
holds errors.json 'r["complete"] is False' 'e == ["E0115"]'
expect 3 "$XENSOCK" run --out result --set "topology.peers.drain.listen=$taken" base.yaml
said err.log "--set:1:29: error[E0115]: drain cannot listen: EADDRINUSE"
sed "s/kind: stream/kind: serve/; s/connect_to: drain/listen: \"$taken\"/; /bytes/d" \
    base.yaml >serve.yaml
expect 3 "$XENSOCK" run --out result serve.yaml
said err.log "serve.yaml:14:13: error[E0115]: bulk cannot listen: EADDRINUSE"
# Of several ports it is the one that somebody has, at an address that nobody else uses.
taken=$(sed -n 2p holder.log)
sed "s/listen: .*/listen: \"127.0.0.77:$((taken - 2))\"\n    listeners: 4/" serve.yaml >several.yaml
expect 3 "$XENSOCK" run --out result several.yaml
said err.log "several.yaml:14:13: error[E0115]: bulk cannot listen on port $taken: EADDRINUSE"
expect 3 "$XENSOCK" peer taken.yaml drain
said err.log EADDRINUSE
kill "$pid"

# A cost model that cannot be read, when a run needs it; a trace that cannot be written, or not whole.
rejects 3 "none.yaml: error[E0001]: " run --set mode=virtual --set cost_model=none.yaml base.yaml
expect 2 "$XENSOCK" run --out result --set mode=virtual --trace none/base.trace base.yaml
said out.log "error[E0704]: cannot write the trace none/base.trace: No such file or directory"
holds result/result.json 'r["complete"] is False' 'e == ["E0704"]'
! grep -q '^trace' out.log || fail "a run that did not begin has a trace"
expect 2 "$XENSOCK" run --out base.yaml/result --format json base.yaml
cp out.log errors.json
holds errors.json 'r["complete"] is False' 'e == ["E0701"]'
if [ -w /dev/full ]; then
    expect 1 "$XENSOCK" run --out result --set mode=virtual --trace /dev/full base.yaml
    said out.log "error[E0704]: the trace /dev/full is not whole: No space left on device"
    holds result/result.json 'e == ["E0704"]'
fi

# A runtime directory that is not ours alone.
mkdir -m 0755 open
mkdir -m 0700 ours elsewhere
ln -s ours link
echo >file
alien=
if [ "$(id -u)" = 0 ]; then
    chown 65534 elsewhere
    alien=elsewhere
fi
for directory in open link file none/none $alien; do
    expect 2 "$XENSOCK" run --out result --runtime "$directory" base.yaml
    grep -q "error\[E0601\]: .*runtime directory $directory" out.log err.log ||
        fail "$directory is not named"
    holds result/result.json 'r["complete"] is False' 'e == ["E0601"]'
    expect 2 "$XENSOCK" hypervisor --runtime "$directory"
    said err.log "runtime directory $directory"
done
[ -z "$(find open ours elsewhere -mindepth 1)" ] || fail "something was put there"
# one that is ours and empty is used, and left as it was
expect 0 "$XENSOCK" run --out result --runtime ours base.yaml
[ -z "$(ls -A ours)" ] || fail "something is left in ours"
nothing_left

# A run reads its file more than once, so a pipe is refused at once and does not hang.
mkfifo pipe.yaml
expect 3 "$XENSOCK" run pipe.yaml
said err.log 'pipe.yaml: error[E0001]: not a regular file'
json pipe.yaml

# What was printed must have arrived.
if [ -w /dev/full ]; then
    status=0
    "$XENSOCK" check base.yaml >/dev/full 2>full.log || status=$?
    [ "$status" = 1 ] || fail "exit code $status for a full standard output"
    grep -q 'error\[E0702\]' full.log || fail "a full standard output is not told"
fi
status=0
"$XENSOCK" check base.yaml <&- >&- 2>&- || status=$?
[ "$status" = 0 ] || fail "closed descriptors: exit code $status"
