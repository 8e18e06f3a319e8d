#!/bin/bash
# Scripts (xensock-scenario(5), STEPS): all of scenarios/steps come out as they say, with the same trace
# each time, and so does the manual page's; a script that says anything else fails at that step, with
# its place; a core that does anything else fails them.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
steps=$SOURCE/scenarios/steps

# trace_of NAME: of the run before.
trace_of()
{
    sed -n 's/^trace //p' out.log
}

count=0
for file in "$steps"/*.yaml; do
    name=$(basename "$file" .yaml)
    expect 0 "$XENSOCK" run --out "$name" "$file"
    first=$(trace_of)
    expect 0 "$XENSOCK" run --out again "$file"
    [ -n "$first" ] && [ "$first" = "$(trace_of)" ] || [ "$name" = story-xensock1 ] ||
        fail "$name has another trace, or none: $first"
    grep -q "\`$name.yaml\`" "$steps/README.md" || fail "README.md does not say what $name asks"
    count=$((count + 1))
done
[ "$count" -ge 13 ] || fail "only $count scripts"
sed -n '/^# STEPS/,/^# WORKLOADS/p' "$SOURCE/tools/man/xensock-scenario.5.scd" |
    sed -n '/^schema/,/^```/p' | sed '/^```/d' >manual.yaml
expect 0 "$XENSOCK" run --out manual manual.yaml
holds manual/result.json 'e == []' 'c["virtual.steps"] > 5' 'c["virtual.records"] > 0'

# differs FILE CODE LINE:COLUMN WORDS SED...: with this change of the script.
differs()
{
    local file=$1 code=$2 at=$3 words=$4
    shift 4
    sed -f <(printf '%s\n' "$@") "$steps/$file.yaml" >changed.yaml
    ! cmp -s changed.yaml "$steps/$file.yaml" || fail "not changed: $file by $*"
    "$XENSOCK" run --out "changed/$code:$at:$file" changed.yaml >out.log 2>&1 && fail "$file by $*: $(cat out.log)"
    grep -qF "error[$code]: changed.yaml:$at: $words" out.log || fail "$file by $*: $(cat out.log)"
    grep -qxF "$(printf '%5u | %s' "${at%:*}" "$(sed -n "${at%:*}p" changed.yaml)")" out.log ||
        fail "not the line of the script: $(cat out.log)"
}

# What comes is not what was expected, in each of its fields.
refused="expected response: {cmd: connect, id: 2, sockid: 11, ret:"
differs response-order E0171 19:8 "$refused 0}, but it is response: {" 's/ret: ECONNREFUSED/ret: 0/'
differs response-order E0171 19:8 "expected response: {" 's/id: 2, sockid: 11, ret/id: 1, sockid: 11, ret/'
differs response-order E0171 19:8 "expected response: {" 's/id: 2, sockid: 11, ret/id: 2, sockid: 10, ret/'
differs response-order E0171 12:8 "expected sees: {" 's/connect, addr: "127.0.0.1:9000"/connect, addr: "127.0.0.2:9000"/'
differs half-close E0171 18:8 "expected sees: {sockid: 5, what: data, data: hallo}, but it is byte 1 is 0x65" \
    '18s/hello/hallo/'
differs half-close E0171 26:8 "expected read: {" 's/read: {sockid: 5, data: last words/read: {sockid: 5, data: lost words/'
differs half-close E0171 24:8 "expected error: {" 's/ret: ENOTCONN/ret: EPIPE/'
differs lying-index E0171 21:8 "expected fault: {" '/fault/s/4097/4098/'
differs front-connects E0171 13:8 "expected request: {" '13s/9000/9001/'
differs front-connects E0171 17:8 "expected told: {" '17s/ret: 0/ret: EPIPE/'
differs front-connects E0171 18:8 "it returned -11 (EAGAIN), not 0" 's/ret: EAGAIN/ret: 0/'
differs front-connects E0171 25:8 "it received other bytes" '25s/pong/pang/'
# It does not come, or not then.
differs response-order E0170 22:8 "expected response: {" 22d
differs sleep-handshake E0170 23:8 "expected index: {" '23s/value: 3/value: 4/'
differs sleep-handshake E0170 20:8 "expected notified: {of: command, times: 2}, but there is 1" \
    's/notified: command} .*once for both/notified: {of: command, times: 2}}/'
# It comes, and nobody expects it: at the next step that does something, in time, at the end.
differs response-order E0172 17:18 "no step expects what happened at 0ns: notified: {of: command}" 17d
differs sleep-handshake E0171 26:8 "expected notified: none, but there is notified: {of: command}" 's/, arm: false//'
differs release-with-accept E0172 24:8 "no step expects what happened at 10ms: sees: {sockid: 1, what: close}" '21d'
differs story-pvcalls1 E0172 28:8 "no step expects what happened at 2ms: notified" '/id: 8, .*ret/{n;d}'
differs story-pvcalls1 E0172 25:8 "no step expects what happened at 2ms: 4 bytes came into the ring" '/read/d'
# What cannot be done.
differs response-order E0173 19:17 "this moment, 1ms, is over" 's/at: +1ms/at: 1ms/' '17a\    - {quiet: 2ms}'
differs response-order E0173 18:18 "the peer of 12 cannot: nobody asks to connect" '18s/sockid: 11/sockid: 12/'
differs handshake-back E0173 17:8 "the command ring is not there yet" 's/{state: initialised}/{notify: command}/' '15d' '16a\    - {quiet: 1s}'
differs half-close E0173 17:8 "the ring of socket 5 has room for 4096 of 4097 bytes" '17s/data: hello/bytes: 4097/'

# A driver with a past does something else, or is one of another dialect.
differs reset E0170 26:8 "expected error: {" 's/peer: xensock$/peer: linux-6.1-back/'
differs release-with-accept E0171 23:8 "expected response: {cmd: accept" 's/against: backend/&\n  peer: xensock+forgets-waiters/'
sed 's/peer: xensock$/peer: linux-6.1-back/; s/dialect: pvcalls1/dialect: xensock1/' "$steps/reset.yaml" >other.yaml
expect 3 "$XENSOCK" check other.yaml
grep -q "error\[E0164\]: 'linux-6.1-back' speaks pvcalls1 alone" err.log || fail "said: $(cat err.log)"

python3 - <<'PYTHON' || fail "a result says something else"
import glob, json
names = glob.glob("changed/*")
for name in names:
    code, line, column = name.split("/")[1].split(":")[:3]
    result = json.load(open(name + "/result.json"))
    error, = result["errors"]
    assert error["code"] == code and error["line"] == int(line) and error["column"] == int(column), error
    assert error["file"] == "changed.yaml" and error["message"].startswith(f"changed.yaml:{line}:{column}: "), error
    assert result["points"][0]["repeats"][0]["code"] == 1, result
assert len(names) > 15, names
PYTHON

# A faulty script begins nothing. What is wrong in a step: tests/sim/run/scenarios/bad-steps.yaml.
sed '/^steps/i workload: []' "$steps/half-close.yaml" >both.yaml
expect 3 "$XENSOCK" run --out nothing both.yaml
grep -q "^both.yaml:[0-9:]* error\[E0160\]: 'workload' does not go with 'steps'" err.log || fail "said: $(cat err.log)"
printf 'schema: xensock/scenario/1\nname: none\ntopology: {hosts: {a: {role: backend}, b: {role: frontend}}}\n' >none.yaml
expect 3 "$XENSOCK" run --out nothing none.yaml
grep -q "error\[E0160\]: the scenario has neither 'workload' nor 'steps'" err.log || fail "said: $(cat err.log)"
[ ! -e nothing ] || fail "something was begun"
expect 2 "$XENSOCK" run --capture x.pcapng "$steps/half-close.yaml"
expect 0 "$XENSOCK" check "$steps/half-close.yaml"
python3 -c 'import json; assert len(json.load(open("out.log"))["steps"]["script"]) > 8' || fail "not resolved"

# Whatever a script puts anywhere, it and the core stay upright.
for word in req_prod req_event rsp_prod rsp_event; do
    for value in 0 1 9 64 2147483648 -1; do
        echo "    - {raw: {of: command, word: $word, value: $value}}"
        echo "    - {notify: command}"
    done
done >lies.steps
for word in in_prod in_cons in_error out_prod out_cons out_error; do
    for value in 0 1 4097 2147483648 -1 -4096; do
        echo "    - {raw: {of: 5, word: $word, value: $value}}"
        echo "    - {notify: 5}"
        echo "    - {quiet: 1ms}"
    done
done >>lies.steps
for against in backend frontend; do
    ignored="response, notified, read, error, becomes, fault, sees"
    made='{request: {cmd: connect, id: 1, sockid: 5, addr: "127.0.0.1:9000"}}'
    opened='{peer: {sockid: 5, does: accepts}}'
    if [ $against = frontend ]; then
        ignored="request, notified, read, becomes, fault, told"
        made='{call: {cmd: connect, sockid: 5, addr: "127.0.0.1:9000"}}'
        opened='{request: {cmd: connect, id: 1, sockid: 5}}'
    fi
    for first in command 5; do
        {
            printf 'schema: xensock/scenario/1\nname: lies\nmode: virtual\nprotocol: {order: 1}\nsteps:\n'
            printf '  against: %s\n  ignore: [%s]\n  script:\n    - %s\n    - %s\n' \
                $against "$ignored" "$made" "$opened"
            [ $against = backend ] || echo '    - {response: {cmd: connect, id: 1, sockid: 5, ret: 0}}'
            grep -A 2 "of: $first" lies.steps | sed '/^--/d'
        } >lies.yaml
        expect 0 "$XENSOCK" run --out lies lies.yaml
    done
done

# The trace can be looked at.
expect 0 "$XENSOCK" run --out traced --trace half.trace "$steps/half-close.yaml"
expect 0 "$XENSOCK" trace show half.trace
grep -q NET_CONNECT out.log || fail "the trace has no such action"
nothing_left
