#!/bin/bash
# xensock compare as a user meets it: differences in virtual time, runs in turns, more of them, and
# interrupted; every refusal of a file or a command line. Verdicts and numbers: sim/run/test_compare;
# a defect that is found in both modes: run/test_compare_needless.sh.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >ask.yaml <<'END'
schema: xensock/scenario/1
name: ask
mode: virtual
duration: 20ms
warmup: 5ms
topology:
  hosts:
    dom0: {role: backend}
    web: {role: frontend}
  peers:
    echo: {kind: echo}
workload:
  - {name: ask, kind: request-response, connect_to: echo}
END

# said FILE TEXT: a line of it is TEXT, runs of spaces being one.
said()
{
    tr -s ' ' <"$1" | grep -qxF -- "$2" || fail "not said in $1: $2 $(cat "$1")"
}

# refuses CODE TEXT ARGUMENT...: exit code 2, and why on stderr alone.
refuses()
{
    local code=$1 text=$2
    shift 2
    expect 2 "$XENSOCK" "$@"
    grep -qF -- "error[$code]: $text" err.log || fail "not said: $code $text: $(cat err.log)"
    [ ! -s out.log ] || fail "something on stdout: $*"
}

run() # DIR ARGUMENT...
{
    local out=$1
    shift
    expect 0 "$XENSOCK" run --quiet --out "$out" "$@" ask.yaml
}

# ---- virtual time ----
run one
run two
cp -r one three
python3 - three/result.json <<'END'
import json, sys
result = json.load(open(sys.argv[1]))
result["host"]["cpu"] = "another"  # of no consequence in virtual time
json.dump(result, open(sys.argv[1], "w"))
END
expect 0 "$XENSOCK" compare one three
expect 0 "$XENSOCK" compare one/result.json two
said out.log equal
run deep --set protocol.order=2
expect 0 "$XENSOCK" compare --metric throughput. --metric protocol one one
expect 4 "$XENSOCK" compare --json one deep
python3 - <<'END' || fail "the comparison is not what it should be"
import json
it = json.load(open("out.log"))
assert it["schema"] == "xensock/comparison/1" and it["verdict"] == "different"
assert {"path": "protocol.order", "a": 6, "b": 2} in it["scenario"], it["scenario"]
assert it["counts"]["worse"] + it["counts"]["better"] + it["counts"]["different"] == len(it["rows"])
END
expect 4 "$XENSOCK" compare --markdown one deep
said out.log '| protocol.order | 6 | 2 |'

# ---- in turns ----
expect 0 "$XENSOCK" compare --runs 1 --out same ask.yaml # virtual: one is enough
said out.log equal
expect 4 "$XENSOCK" compare --runs 1 --quiet --out differ --set-b protocol.order=2 \
    --set seed=7 ask.yaml
[ ! -s err.log ] || fail "not quiet: $(cat err.log)"
said out.log 'protocol.order 6 2'
grep -q '"seed": 7' differ/a/0/result.json || fail "--set is not for both"

emulated=(--set mode=emulated --set duration=40ms --set warmup=10ms)
expect 0 "$XENSOCK" compare --runs 2 --out turns "${emulated[@]}" ask.yaml
grep -q '^throughput.ask .* 2/2$' out.log || fail "$(cat out.log)"
printf 'run %s of 4: %s\n' 1 A 2 B 3 B 4 A | cmp - err.log || fail "not in turns"
expect 2 "$XENSOCK" compare --runs 1 --out turns ask.yaml
grep -qF 'error[E0828]: turns has runs already: --more N adds to them' err.log || fail "added"
expect 0 "$XENSOCK" compare turns/a turns/b

# ---- interrupted: what was measured stays, and can be gone on with ----
start cut "$XENSOCK" compare --runs 100 --out cut "${emulated[@]}" ask.yaml
within 20 [ -e cut/b/1/result.json ]
kill -INT "$pid"
ended "$pid" 130 20
grep -qx 'interrupted; --more N --out cut goes on' cut.err.log || fail "not told how to go on"
grep -q 'runs of one side; with so many metrics it takes' cut.log || fail "nothing of what there is"
for result in cut/[ab]/*/result.json; do
    grep -q '"complete": true' "$result" || fail "$result was cut short"
done
expect 0 "$XENSOCK" compare --more 1 --out cut
grep -qE '^throughput.ask .* ([0-9]+)/\1$' out.log || fail "not as many of each: $(cat out.log)"

# ---- what cannot be run, read or compared ----
expect 3 "$XENSOCK" compare --runs 1 --out bad --set protocol.ordr=1 ask.yaml
grep -qF "E0101" err.log || fail "the run did not say why"
grep -qF 'error[E0829]: a run of A ended with code 3:' err.log || fail "$(cat err.log)"
refuses E0829 'cannot start ./none: no such file' compare --runs 1 --quiet --out absent \
    --command-b ./none ask.yaml
refuses E0828 'empty/arms.json does not say what to run more of' compare --more 1 --out empty
refuses E0826 'cannot write /dev/null/x/arms.json: ' compare --runs 1 --out /dev/null/x ask.yaml
mkdir empty
refuses E0820 'missing: No such file' compare missing one
refuses E0820 'empty: there is no result.json in it' compare one empty
echo '{"schema": 1' >bad.json
refuses E0820 'bad.json:2:0: not JSON: ' compare bad.json one
echo '{"schema": "xensock/result/1", "errors": []}' >bad.json
refuses E0820 "bad.json: not a result of xensock run: it has no 'mode'" compare bad.json one
echo '{}' >bad.json
refuses E0820 "bad.json: not a result of xensock run: 'schema'" compare one bad.json
echo '{"schema": "xensock/result/1", "mode": "emulated", "scenario": {}, "points": [{"repeats": ["x"]}]}' >bad.json
refuses E0820 "bad.json: not a result of xensock run: one of 'repeats' is no object" compare one bad.json
mkdir mixed
cp -r one deep mixed
refuses E0821 'mixed/one/result.json: of another scenario' compare mixed one
refuses E0821 "A is of mode 'virtual', B of mode 'emulated'" compare one turns/a
mkdir -p hosts/0 hosts/1
cp turns/a/0/result.json hosts/0
sed 's/"cores": /&1/' turns/a/1/result.json >hosts/1/result.json
refuses E0821 'hosts/1/result.json: of another host than' compare hosts turns/a
sed 's/"code": 0/"code": 1/' one/result.json >failed.json
expect 4 "$XENSOCK" compare --metric throughput. one failed.json # that it failed is no metric to leave out
python3 - <<'END'
import json
result = json.load(open("turns/a/0/result.json"))
result["points"][0]["repeats"] = [{"i": i} for i in range(100001)]
json.dump(result, open("many.json", "w"))
END
refuses E0820 'many.json: a point has more than 100000 repeats' compare many.json turns/a
sed 's/"complete": true/"complete": false/' one/result.json >short.json
refuses E0823 'B is incomplete' compare one short.json
mkdir -p moved/0
sed 's/"cores": /&1/' turns/a/0/result.json >moved/0/result.json
refuses E0822 'measured on different machines' compare turns/a moved
grep -q '^  cores: A [0-9]*, B 1[0-9]*$' err.log || fail "the machines are not told"
expect 0 "$XENSOCK" compare --allow-different-host turns/a moved
expect 2 "$XENSOCK" compare --json one missing
python3 -c 'import json; assert json.load(open("out.log"))["errors"][0]["code"] == "E0820"' ||
    fail "a refusal is not JSON"

# wrong TEXT ARGUMENT...: a wrong command line.
wrong()
{
    local text=$1
    shift
    expect 2 "$XENSOCK" compare "$@"
    grep -qF -- "$text" err.log || fail "not said: $text: $(cat err.log)"
}
wrong 'usage: xensock compare' one
wrong 'usage: xensock compare' one two three
wrong 'usage: xensock compare' --runs 1 --out x
wrong 'usage: xensock compare' --more 1 --out turns ask.yaml
wrong "--min-effect takes a share (%, ppm) above 0, not '5'" --min-effect 5 one two
wrong "--min-effect takes a share (%, ppm) above 0, not '0%'" --min-effect 0% one two
wrong "--alpha takes a number from 0.000001 to 0.5, not '1%'" --alpha 1% one two
wrong "--alpha takes a number from 0.000001 to 0.5, not '0'" --alpha 0 one two
wrong '--runs takes a number from 1' --runs 0 --out x ask.yaml
wrong '--runs and --more need --out DIR' --runs 1 ask.yaml
wrong '--set-b goes with --runs alone' --set-b a=b one two
wrong '--out goes with --runs alone' --out x one two
wrong '--arg-a does not go with --more' --more 1 --out turns --arg-a x
wrong 'must be UTF-8 here' --runs 1 --out x --set $'seed=\xff' ask.yaml
[ ! -e x ] || fail "something was begun"
nothing_left
