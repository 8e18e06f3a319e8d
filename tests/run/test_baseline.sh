#!/bin/bash
# xensock baseline as a user meets it: accepted on purpose, found changed, accepted anew with what
# that changes; the same text from each run in virtual time; what is no baseline is refused.
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

# refuses CODE TEXT ARGUMENT...: exit code 2, and why on stderr alone.
refuses()
{
    local code=$1 text=$2
    shift 2
    expect 2 "$XENSOCK" baseline "$@"
    grep -qF -- "error[$code]: $text" err.log || fail "not said: $code $text: $(cat err.log)"
    [ ! -s out.log ] || fail "something on stdout: $*"
}

expect 0 "$XENSOCK" run --quiet --out one ask.yaml
expect 0 "$XENSOCK" run --quiet --out two ask.yaml
expect 0 "$XENSOCK" run --quiet --notify immediate --out loud ask.yaml

refuses E0827 'there is no baseline baselines/ask.json; xensock baseline accept one makes it' check one
[ ! -e baselines ] || fail "a check made something"
expect 0 "$XENSOCK" baseline accept one
grep -qx 'new baseline: baselines/ask.json' out.log || fail "$(cat out.log)"
expect 0 "$XENSOCK" baseline check two
expect 0 "$XENSOCK" baseline accept --to again.json two
cmp baselines/ask.json again.json || fail "two runs in virtual time are two texts"
grep -qE '"(wall_ns|load_1m_milli|host|hdr_v2|file)": ' <(grep -v '"file": "ask.yaml"' again.json) &&
    fail "what changes from run to run was kept"
python3 - <<'END' || fail "the text of a baseline is not sorted"
import json
text = open("again.json").read()
assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
END

expect 4 "$XENSOCK" baseline check loud
grep -q '^frontend.notifications  *worse ' out.log || fail "not told what is worse"
expect 4 "$XENSOCK" baseline check --json loud
python3 -c 'import json; assert json.load(open("out.log"))["verdict"] == "different"' || fail "no JSON"
expect 0 "$XENSOCK" baseline accept loud
grep -q '^frontend.notifications  *worse ' out.log || fail "not told what the acceptance changes"
grep -qx 'accepted as baseline: baselines/ask.json' out.log || fail "not told where it is"
expect 0 "$XENSOCK" baseline check loud
expect 4 "$XENSOCK" baseline check one
expect 0 "$XENSOCK" baseline check --to again.json one

# ---- what is none ----
mkdir short
sed 's/"complete": true/"complete": false/' one/result.json >short/result.json
refuses E0825 'short is incomplete' accept --to new.json short
sed 's/"errors": \[\]/"errors": [{"code": "E0501", "message": "stalled"}]/' one/result.json >failed.json
refuses E0825 'failed.json has failed runs' accept --to new.json failed.json
# an error that is awaited is none of a run that failed
awaited='"code": "E0501", "message": "stalled", "point": 0, "repeat": 0'
sed "s/\"errors\": \[\]/\"errors\": [{$awaited, \"expected\": true}]/; s/\"code\": 0/\"code\": 5/" one/result.json >awaited.json
expect 0 "$XENSOCK" baseline accept --to awaited.base awaited.json
sed "s/\"errors\": \[\]/\"errors\": [{$awaited}]/; s/\"code\": 0/\"code\": 5/" one/result.json >failed.json
refuses E0825 'failed.json has failed runs' accept --to new.json failed.json
sed 's/"code": 0/"code": 5/' one/result.json >failed.json
refuses E0825 'failed.json has failed runs' accept --to new.json failed.json
sed 's,"expectations": \[\],"expectations": [{"name": "tail"\, "result": "fail"}],' one/result.json >unmet.json
refuses E0825 "unmet.json does not meet the expectation 'tail'" accept --to new.json unmet.json
refuses E0820 'none: No such file' accept --to new.json none
refuses E0820 'none: No such file' check none
sed 's/"name": "ask",$/"name": "..\/ask",/' one/result.json >named.json
refuses E0820 'named.json: its scenario has no name for a file; give --to FILE' accept named.json
[ ! -e new.json ] || fail "what was refused was kept"
expect 0 "$XENSOCK" baseline accept --force --to new.json unmet.json
expect 0 "$XENSOCK" baseline accept --force --to new.json short
echo '{' >new.json
expect 0 "$XENSOCK" baseline accept --to new.json one
grep -q '^replaces what cannot be read: new.json:' out.log || fail "not told what it replaces"
sed 's/"mode": "virtual",/"mode": "emulated",/' one/result.json >other.json
expect 0 "$XENSOCK" baseline accept --to new.json other.json
grep -q '^replaces what it cannot be compared with: A is of mode' out.log || fail "$(cat out.log)"
expect 1 "$XENSOCK" baseline accept --to /dev/null/new.json one
grep -qF 'error[E0826]: cannot write /dev/null/new.json: ' err.log || fail "not told why not"

for words in '' accept check 'accept one two' keep 'check --force one'; do
    # shellcheck disable=SC2086
    expect 2 "$XENSOCK" baseline $words
    grep -q '^usage: xensock baseline' err.log || fail "no usage: baseline $words"
done
expect 0 "$XENSOCK" baseline --help
nothing_left
