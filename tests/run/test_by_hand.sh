#!/bin/bash
# The parts of a run as commands of their own, each in its terminal: started in any order, and each
# ended with ^C in good order.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >hand.yaml <<'EOF'
schema: xensock/scenario/1
name: hand
duration: 100ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers:
    echo: {kind: echo}
    drain: {kind: sink}
workload:
  - {name: bulk, kind: stream, connect_to: drain}
  - {name: ask, kind: request-response, connect_to: echo, operations: 100}
EOF

hypervisor()
{
    start hypervisor "$XENSOCK" hypervisor --runtime here
    hypervisor=$pid
}

backend()
{
    start backend "$XENSOCK" backend --runtime here
    backend=$pid
}

frontend()
{
    start frontend "$XENSOCK" frontend --runtime here \
        --set "topology.peers.echo.listen=$echo_at" --set "topology.peers.drain.listen=$drain_at" \
        hand.yaml
    frontend=$pid
}

# peer NAME: sets NAME_at to where it listens.
peer()
{
    start "$1" "$XENSOCK" peer hand.yaml "$1"
    within 10 grep -qs "^$1 listens on 127.0.0.1:" "$1.log"
    printf -v "$1_pid" %s "$pid"
    printf -v "$1_at" %s "$(sed -n "s/^$1 listens on //p" "$1.log")"
}

waits_at()
{
    [ -S "here/domain-$1.sock" ]
}

# interrupted PID
interrupted()
{
    kill -INT "$1"
    ended "$1" 0 10
}

# round COMMAND...: starts the parts in this order, and ends them.
round()
{
    local step
    peer echo
    peer drain
    for step in "$@"; do
        "$step"
    done
    ended "$frontend" 0 20
    grep -q '^ask .* 100 operations .* ok$' frontend.log || fail "the guest does not say ok: ask"
    grep -q '^bulk .*B/s .* ok$' frontend.log || fail "the guest does not say ok: bulk"
    # shellcheck disable=SC2154
    interrupted "$backend"
    python3 -c 'import json; c = json.load(open("backend.log"))
assert c["tcp_connects"] == 2 and c["requests"] == c["replies"] == 4, c
assert all(c[name] == 0 for name in c if name.endswith("_left")), c' || fail "backend counters"
    interrupted "$hypervisor"
    [ ! -e here ] || fail "the runtime directory is left: $(ls -A here)"
    interrupted "$echo_pid"
    interrupted "$drain_pid"
    grep -q 'mismatches *0$' drain.log || fail "the sink does not report"
    nothing_left
}

waiting()
{
    within 10 waits_at 0
    within 10 waits_at 1
}

round hypervisor waiting backend frontend
round hypervisor waiting frontend backend
round frontend backend hypervisor

# Two backends, each with a guest: who is who, the scenario says by name, the hypervisor by number.
sed -i 's/web: .*}$/dom1: {role: backend}, web: {role: frontend}, db: {role: frontend, backend: dom1}}/
    s/connect_to: echo,/& where: db,/' hand.yaml
peer echo
peer drain
start hypervisor "$XENSOCK" hypervisor --runtime here --device 2:0 --device 3:1
hypervisor=$pid
start back0 "$XENSOCK" backend --runtime here
back0=$pid
start back1 "$XENSOCK" backend --runtime here --domid 1
back1=$pid
for guest in web db; do
    start $guest "$XENSOCK" frontend --runtime here --guest $guest \
        --set "topology.peers.echo.listen=$echo_at" --set "topology.peers.drain.listen=$drain_at" \
        hand.yaml
    printf -v $guest %s "$pid"
done
# shellcheck disable=SC2154
for one in "$web" "$db"; do
    ended "$one" 0 20
done
grep -q '^serving domains 0, 2, 1 and 3 in here$' hypervisor.log || fail "not all are served"
grep -q '^bulk .*B/s .* ok$' web.log || fail "the guest does not say ok: bulk"
grep -q '^ask .* 100 operations .* ok$' db.log || fail "the guest does not say ok: ask"
! grep -q '^ask' web.log || fail "a guest tells of another's workload"
for one in "$back0" "$back1" "$hypervisor" "$echo_pid" "$drain_pid"; do
    interrupted "$one"
done
nothing_left
for one in back0 back1; do
    python3 -c 'import json, sys; c = json.load(open(sys.argv[1]))
assert c["tcp_connects"] == 1 and c["requests"] == 2, c' $one.log || fail "counters of $one"
done

# usage CODE TEXT ARGUMENT...
usage()
{
    local code=$1 text=$2
    shift 2
    expect "$code" "$XENSOCK" "$@"
    grep -qF -- "$text" err.log || fail "not said: $text"
}
usage 2 "no guest 'dom1'" frontend --runtime here --guest dom1 hand.yaml
usage 2 "no guest 'wbe'" frontend --runtime here --guest wbe hand.yaml
usage 2 "domain 3 cannot be its own backend" frontend --runtime here --guest db --backend 3 hand.yaml
usage 2 "--device takes GUEST:BACK[:DIALECT], not '1'" hypervisor --runtime here --device 1
usage 2 "domain 2 cannot be its own backend" hypervisor --runtime here --device 2:2
