#!/bin/bash
# Looking into a testbed in known states: what ps, grants and ports count is what the run's own
# processes counted; a guest that was killed is gone, and what of it is still mapped is shown; xenstore
# is what Xen's own tool sees, and what changes is shown as it does.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >look.yaml <<'YAML'
schema: xensock/scenario/1
name: look
duration: 40s
warmup: 0s
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}}
protocol: {order: 3}
workload:
  - {name: ask, kind: request-response, connect_to: echo, sockets: 5}
YAML

# look COMMAND...: its JSON is in COMMAND.json (the first word).
look()
{
    expect 0 "$XENSOCK" "$@" --runtime here --format json
    cp out.log "$1.json"
}

# seen EXPRESSION...: true of ps, grants, ports (p, g, e: by domid), d the devices, and of r, the
# result's counters, if there is one.
seen()
{
    python3 - "$@" <<'PYTHON'
import json, os, sys
def load(name):
    with open(name) as file:
        return json.load(file)
def by_domid(name):
    return {one["domid"]: one for one in load(name)["domains"]}
p, g, e, d = by_domid("ps.json"), by_domid("grants.json"), by_domid("ports.json"), load("ps.json")["devices"]
r = load("result/result.json")["points"][0]["repeats"][0]["counters"] if os.path.exists("result/result.json") else {}
names = {"p": p, "g": g, "e": e, "d": d, "r": r}
bad = [text for text in sys.argv[1:] if not eval(f"({text})", names)]
if bad:
    print("does not hold:", *bad, p, d, sep="\n")
sys.exit(bool(bad))
PYTHON
}

look_at_all()
{
    look ps
    look grants
    look ports
}

# All five sockets are there.
is_up()
{
    look ps && look grants && look ports && seen 'p[1]["ports"] == p[0]["ports"] == 1 + 5' \
        'p[0]["maps"] == 1 + 5' >up.log
}

# ---- a run, and what its result says ----------------------------------------------------------

start run "$XENSOCK" run --runtime here --out result look.yaml
run=$pid
within 20 test -S here/xenstore.sock
within 20 is_up
expect 0 "$XENSOCK" ps --runtime here
cp out.log ps.text
expect 0 "$XENSOCK" grants --runtime here --domain 1
cp out.log grants.text
expect 0 "$XENSOCK" ports --runtime here --domain 0
cp out.log ports.text
kill -INT "$run"
ended "$run" 130 20
seen 'p[1]["state"] == p[0]["state"] == "connected"' 'p[0]["lives"] == p[1]["lives"] == 1' \
    'p[1]["grants"] == r["frontend.grants_peak"] == 1 + 5 * 8' 'p[0]["grants"] == 0' \
    'p[1]["ports"] == r["frontend.ports_peak"]' 'p[0]["ports"] == r["backend.ports_peak"]' \
    'p[0]["maps"] == r["backend.maps"]' 'p[1]["maps"] == 0' \
    'p[1]["grants_quarantined"] == p[1]["held_pages"] == 0' \
    'sum(1 + one["last_ref"] - one["first_ref"] for one in g[1]["entries"]) == p[1]["grants"]' \
    'all(one["state"] == "mapped" and one["maps"] == 1 and one["peer_domid"] == 0
         for one in g[1]["entries"])' \
    'len({one["run_ref"] for one in g[1]["entries"]}) == 1 + 5' \
    'all(one["state"] == "interdomain" for one in e[0]["entries"] + e[1]["entries"])' \
    '{(one["port"], one["remote_port"]) for one in e[0]["entries"]} ==
     {(one["remote_port"], one["port"]) for one in e[1]["entries"]}' \
    '[one["remote_domid"] for one in e[0]["entries"]] == [1] * 6' \
    'd == [{"type": "xensock", "devid": 0, "frontend_domid": 1, "frontend_state": "Connected",
            "frontend_path": "/local/domain/1/device/xensock/0", "backend_domid": 0,
            "backend_state": "Connected", "backend_path": "/local/domain/0/backend/xensock/1/0"}]' ||
    fail "what was seen is not what the run counted"
# domid, state, lives, grants, of, quarantined, held, ports, of, maps; then what xenstore has of it
grep -qE '^ *1  connected +1 +41 32760 +0 +0 +6 +4095 +0 +[1-9][0-9]* +[1-9]$' ps.text ||
    fail "domains as text: $(cat ps.text)"
grep -qx 'xensock  *0  domain 1  *Connected  *domain 0  *Connected' ps.text || fail "devices as text"
grep -qx 'domain 1 (connected): 41 of 32760 refs, 0 quarantined' grants.text || fail "grants as text"
[ "$(grep -c 'domain 0 *mapped *1$' grants.text)" -ge 6 ] || fail "refs as text"
[ "$(grep -c ': interdomain *domain 1, port [1-9]' ports.text)" = 6 ] || fail "ports as text"
rm -r result

# ---- by hand: nobody yet, a guest, a guest killed ---------------------------------------------

start hypervisor "$XENSOCK" hypervisor --runtime here
hypervisor=$pid
within 10 test -S here/xenstore.sock
look_at_all
seen 'p[0]["state"] == p[1]["state"] == "expected"' 'p[0]["lives"] == 0' 'e[1]["entries"] == []' \
    'd[0]["frontend_state"] == d[0]["backend_state"] == "Initialising"' || fail "before anybody came"

start watch "$XENSOCK" xenstore watch --runtime here /local/domain/1/device
watch=$pid
within 10 grep -qx '/local/domain/1/device = ""' watch.log # at once
start peer "$XENSOCK" peer look.yaml echo
peer=$pid
within 10 grep -qs '^echo listens on' peer.log
start backend "$XENSOCK" backend --runtime here
backend=$pid
start frontend "$XENSOCK" frontend --runtime here \
    --set "topology.peers.echo.listen=$(sed -n 's/^echo listens on //p' peer.log)" look.yaml
frontend=$pid
within 20 is_up
within 10 grep -qx '/local/domain/1/device/xensock/0/state = "4"' watch.log
if command -v xenstore-ls >/dev/null; then
    expect 0 "$XENSOCK" xenstore ls --runtime here
    XENSTORED_PATH=here/xenstore.sock timeout 10 xenstore-ls -fp | diff - out.log ||
        fail "xenstore-ls -fp sees something else"
fi
for domid in 0 1; do # but the root, which no list has
    owned=$("$XENSOCK" xenstore ls --runtime here | grep -c "   (n${domid}[,)]" || true)
    seen "p[$domid]['nodes'] == $owned + ($domid == 0)" "p[$domid]['watches'] > 0" ||
        fail "domain $domid owns $owned nodes"
done
expect 0 "$XENSOCK" xenstore read --runtime here /local/domain/1/device/xensock/0/backend
[ "$(cat out.log)" = /local/domain/0/backend/xensock/1/0 ] || fail "the backend's path"
expect 0 "$XENSOCK" xenstore read --runtime here --domain 1 device/xensock/0/state
[ "$(cat out.log)" = 4 ] || fail "a domain's own path"

kill -STOP "$backend" # as long as it maps what a dead guest shared
kill -KILL "$frontend"
ended "$frontend" 137 10 2>frontend.err.log # not the shell's word about it
is_dead()
{
    look ps && seen 'p[1]["state"] == "dead"' >dead.log
}
within 10 is_dead
look_at_all
seen 'p[1]["grants"] == p[1]["ports"] == 0' 'p[1]["held_pages"] == 1 + 5 * 8' 'd == []' \
    'g[1]["entries"] == []' 'sum(one["pages"] for one in g[1]["held"]) == 1 + 5 * 8' \
    'len(g[1]["held"]) == p[0]["maps"] == 1 + 5' \
    'all(one["mapper_domid"] == 0 for one in g[1]["held"])' \
    '[one["state"] for one in e[0]["entries"]] == ["closed"] * 6' || fail "after its death"
expect 0 "$XENSOCK" grants --runtime here --domain 1
[ "$(grep -c '^held: 8 pages of an earlier life, by map [0-9]* of domain 0$' out.log)" = 5 ] ||
    fail "held pages as text"
kill -CONT "$backend"
is_given_back()
{
    look_at_all
    seen 'p[1]["held_pages"] == p[0]["maps"] == p[0]["ports"] == 0' '"held" not in g[1]' >back.log
}
within 20 is_given_back
within 10 grep -qx '/local/domain/1/device' watch.log # it is gone

kill -INT "$watch"
ended "$watch" 0 10
start watch "$XENSOCK" xenstore watch --runtime here --format json @releaseDomain
within 10 grep -qxF '{"path":"@releaseDomain"}' watch.log
kill -INT "$backend"
ended "$backend" 0 10
is_told()
{
    [ "$(grep -cxF '{"path":"@releaseDomain"}' watch.log)" -ge 2 ]
}
within 10 is_told
kill -INT "$hypervisor"
ended "$hypervisor" 0 10
ended "$pid" 6 10
grep -q 'error\[E0602\]: the hypervisor closed the connection' watch.err.log || fail "no word of its end"
# a list without end is JSON line by line, its end too
python3 -c 'import json, sys; print([json.loads(line) for line in sys.stdin][-1]["errors"][0]["code"])' \
    <watch.log | grep -qx E0602 || fail "the last line is not about the end"
kill -INT "$peer"
ended "$peer" 0 10

# Sockets of a hypervisor that was killed do not stay.
start hypervisor "$XENSOCK" hypervisor --runtime here --device 1:0 --device 2:0
hypervisor=$pid
within 10 test -S here/xenstore-2.sock
kill -KILL "$hypervisor"
wait "$hypervisor" || true
start hypervisor "$XENSOCK" hypervisor --runtime here
hypervisor=$pid
within 10 "$XENSOCK" ps --runtime here # the leftover of its socket says nothing
expect 0 "$XENSOCK" xenstore ls --runtime here --domain 0
grep -q '^/tool = ' out.log || fail 'domain 0 is whom xenstore.sock serves'
expect 6 "$XENSOCK" xenstore ls --runtime here --domain 2
grep -q 'no hypervisor in here has a domain 2' err.log || fail "another word about domain 2"
kill -INT "$hypervisor"
ended "$hypervisor" 0 10
nothing_left
