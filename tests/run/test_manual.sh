#!/bin/bash
# test_manual.sh [all]: every example of the manual pages is right: scenarios and their parts are
# checked, commands run, for a shorter time than they say; and the pages have every key of results. By
# day those that start processes which stay, or run for long, are only looked at, since other tests do
# what they do; with `all` they run.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
python3 -c 'import yaml' 2>/dev/null || { echo "skipped: python3-yaml is missing"; exit 77; }
all=${1-}
man=$SOURCE/tools/man
ln -s "$SOURCE/scenarios" scenarios
python3 "$SOURCE/tests/run/manual.py" blocks "$man"/*.scd >blocks.log || fail "an example that is none"

# where NUMBER: page and line of an example.
where()
{
    sed -n "s,^$1 [a-z]* .*/,,p" blocks.log
}

# The command under test for a shorter time.
mkdir bin
cat >bin/xensock <<'EOF'
#!/bin/bash
case $1 in
run | frontend) exec "$XENSOCK" "$@" --set duration="${FOR:-20ms}" --set warmup=1ms ;;
swarm) exec "$XENSOCK" "${@/#0..9999/0..99}" ;;
compare)
    [ "$2" != --runs ] || set -- "$@" --set duration=20ms --set warmup=1ms
    exec "$XENSOCK" "${@/#10/2}"
    ;;
*) exec "$XENSOCK" "$@" ;;
esac
EOF
chmod +x bin/xensock
PATH=$work/bin:$PATH

mapfile -t parts < <(printf '%s\n' [0-9]*.yaml | sort -n)
[ "${#parts[@]}" -ge 12 ] || fail "only ${#parts[@]} scenarios"
if ! "$XENSOCK" check --quiet "${parts[@]}" 2>check.log; then
    sed -n 's/^\([0-9]*\)\.yaml:.*/\1/p' check.log | sort -u | while read -r one; do
        echo "$(where "$one"): a faulty scenario"
    done
    fail "$(cat check.log)"
fi

# What the overrides lead to is in the examples of peers, links and workloads.
cat >set.yaml <<'EOF'
{schema: xensock/scenario/1, name: set, protocol: {order: 3}, topology: {
  hosts: {dom0: {role: backend}, web: {role: frontend}},
  peers: {nginx: {kind: external, address: "127.0.0.1:80"}, echo: {kind: echo}, drain: {kind: sink}},
  links: [{to: echo}]},
 workload: [{name: bulk, kind: stream, connect_to: drain}]}
EOF
for one in *.sets; do
    # shellcheck disable=SC2046
    expect 0 "$XENSOCK" check --quiet $(cat "$one") set.yaml
done
for one in *.model; do # a row, in place of that of a whole model
    python3 -c 'import json, sys, yaml
model, row = (yaml.safe_load(open(name)) for name in sys.argv[1:])
json.dump({**model, **row}, sys.stdout)' scenarios/models/linux-processes.yaml "$one" >model.yaml
    expect 0 xensock run --quiet --set mode=virtual --set cost_model="$work/model.yaml" --out model scenarios/quickstart.yaml
done

# The fault that is shown is the one that is reported.
shown=$(grep -l '^quickstart.yaml:9:3:' ./*.shown)
at=$(where "$(basename "$shown" .shown)")
mkdir fault && printf 'schema: xensock/scenario/1\nname: x\n\n\n\n\n\nprotocol:\n  ordr: 6\n' >fault/quickstart.yaml
(cd fault && expect 3 "$XENSOCK" check quickstart.yaml) || exit 1
while IFS= read -r line; do
    grep -qxF -- "$line" fault/err.log || fail "$at: not what is said: $line"
done <"$shown"

# What examples need to be there.
expect 0 xensock run scenarios/quickstart.yaml
expect 0 xensock run --quiet scenarios/quickstart.yaml --set mode=virtual --set seed=43 --trace after.trace --out after
expect 0 xensock payload --seed 42 --bytes 64MiB
mv out.log received.bin

# stays SH: it starts what stays, or waits for it, or runs in turns.
stays()
{
    grep -qE '&$|xensock (hypervisor|backend|peer|frontend|compare --runs) ' "$1"
}

ran=0
for one in $(printf '%s\n' *.sh | sort -n); do
    if stays "$one"; then
        continue
    elif grep -q '^jq\|| jq' "$one" && ! command -v jq >/dev/null; then
        echo "left out for want of jq: $(where "${one%.sh}")"
        continue
    fi
    sed -i 's/^xensock trace diff .*/& || [ $? = 1 ]/' "$one" # they differ, as they should
    expect 0 bash -euo pipefail "$one"
    ran=$((ran + 1))
done
[ "$ran" -ge 6 ] || fail "only $ran examples of commands ran"

# Each key that results can have, and each counter that some have, is in the pages.
for name in forward serve restart open-loop connect-rate; do
    expect 0 "$XENSOCK" run --quiet --stages --out "$name" --set mode=virtual --set duration=20ms "$SOURCE/scenarios/$name.yaml"
done
python3 "$SOURCE/tests/run/manual.py" keys "$man/xensock-result.5.scd" "$man/xensock.1.scd" \
    "$SOURCE/sim/run/result.schema.json" ./*/result.json out/*/result.json || fail "the pages have not all keys"

# ---- what stays ----

# by_hand SH: each command in a terminal of its own, the guest last.
by_hand()
{
    local commands=() one pids=()
    mapfile -t commands < <(sed -e ':a;/\\$/{N;s/\\\n//;ba}' "$1")
    for one in "${commands[@]:0:${#commands[@]}-1}"; do
        start part bash -c "exec $one"
        pids+=("$pid")
        within 10 test -S xs/domain-0.sock
    done
    expect 0 bash -c "${commands[-1]}"
    kill -INT "${pids[@]}"
    wait "${pids[@]}" || true
}

# in_turn SH: the commands as they stand, each when that before it, if it stays, is ready.
in_turn()
{
    local line
    while IFS= read -r line; do
        case $line in
        *forward*'&')
            start part bash -c "exec ${line% &}"
            within 10 listens "$(sed -n 's/.* -[LR] \([0-9]*\):.*/\1/p' <<<"$line")"
            ;;
        *'&')
            start part bash -c "exec ${line% &}"
            within 10 test -S xs/domain-0.sock
            ;;
        *compare*) # of two runs a side something may be worse
            timeout -k 5 50 bash -c "$line" </dev/null >out.log 2>err.log || [ $? = 4 ] || fail "$line"
            ;;
        *watch*) # until there is nothing left to watch
            timeout -k 5 50 bash -c "$line" </dev/null >out.log 2>err.log || true
            grep -q . out.log || fail "nothing was seen: $line"
            ;;
        *) expect 0 bash -c "$line" ;;
        esac
    done <"$1"
}

[ "$all" = all ] || { nothing_left; exit; }
start web python3 -m http.server --bind 127.0.0.1 "$(free_port)"
web=$pid
within 10 grep -qs 'port [0-9]*' web.log web.err.log
port=$(ss -Htlnp | sed -n "s/.*127.0.0.1:\([0-9]*\) .*pid=$web,.*/\1/p")
# of sessions what needs no tool beside xensock
sed -n 's/^\$ \(xensock .*\)/\1/p' ./*.session | grep -v -- --perf | while IFS= read -r line; do
    expect 0 bash -c "$line"
done
export FOR=2s
for one in *.sh; do
    stays "$one" || continue
    rm -rf xs
    first=$(free_port)
    second=$(free_port)
    third=$(free_port)
    # who tries ssh is anybody who speaks TCP
    sed -i "s,/tmp/xs,$work/xs,; s/:80\b/:$port/; s/:22\b/:$port/; s/\b8080\b/$first/; s/\b2222\b/$second/
        s/7101/$second/; s/7102/$third/; s,\.\./old/xensock,$XENSOCK,; s,^ssh -p \([0-9]*\) \(.*\),curl http://\2:\1/," "$one"
    case $(cat "$one") in
    *hypervisor*) by_hand "$one" ;;
    *) in_turn "$one" ;;
    esac
    clean=$(ours) && for pid in $clean; do
        [ "$pid" = "$web" ] || kill -INT "$pid" 2>/dev/null || true
    done
done
