#!/bin/bash
# test_convert.sh: results of runs and studies as JUnit XML, CSV and Markdown say what the result
# says, for readers that are not ours, also where each text of it is one to trip over; and what
# xensock convert refuses, and what it leaves alone.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

# three NAME: NAME.json in all three.
names=()
three()
{
    local to
    for to in junit csv markdown; do
        expect 0 "$XENSOCK" convert --to "$to" -o "$1.$to" "$1.json"
        [ ! -s out.log ] || fail "$1 as $to says something"
    done
    names+=("$1")
}
python3 "$SOURCE/tests/run/study_result.py"
for kind in study mixed hostile large shard; do
    three "$kind"
done

# Real ones: of processes, in virtual time, of a study, of a scenario that is refused.
expect 0 "$XENSOCK" run --quiet --out two --set duration=50ms --set warmup=0s "$SOURCE/scenarios/quickstart.yaml"
cp two/result.json two.json
three two
expect 0 "$XENSOCK" run --quiet --stages --out virtual --set mode=virtual --set duration=50ms "$SOURCE/scenarios/forward.yaml"
cp virtual/result.json virtual.json
three virtual
expect 0 "$XENSOCK" run --quiet --out annotated "$SOURCE/scenarios/annotated.yaml"
cp annotated/result.json annotated.json
three annotated
grep -q '^| runs | throughput' virtual.markdown || fail "no table of the run"
printf 'schema: xensock/scenario/1\nname: x\n' >x.yaml
expect 3 "$XENSOCK" run --format json x.yaml
cp out.log refused.json
three refused
python3 "$SOURCE/tests/run/rendered.py" "${names[@]}" || fail "what the last line names is not as it should be"
if command -v xmllint >/dev/null; then
    xmllint --noout --schema "$SOURCE/tests/run/junit.xsd" ./*.junit 2>xml.log || fail "another shape"
fi
grep -q 'message="E0103: x.yaml:1:1: the scenario has no' refused.junit || fail "no error in refused.junit"

# What a failure says, and how to see it again.
for text in 'name="tail\[order=6,rate=5000/s\]"' 'message="p99(latency.short) = 412 us, wanted &lt;= 250 us"' \
    '>xensock run x.yaml --set protocol.dialect=xensock1 --point 3 --repeat 1 --out out/sizes/again<' \
    'message="not p99(latency.short) &lt;= 250us: 200 us, wanted &gt; 250 us"' \
    '>xensock run x.yaml --set protocol.dialect=xensock1 --point 1 --repeat 2 --out out/sizes/again<' \
    '>xensock run x.yaml --set protocol.dialect=xensock1 --repeat 2 --out out/sizes/again<' \
    'name="axis.rate" value="workload.short.arrivals.rate: 5000/s, 20000/s"'; do
    grep -q "$text" mixed.junit || fail "not in mixed.junit: $text"
done
# A shell takes the hostile command for the words it was made of.
python3 - <<'EOF' || fail "the words of the hostile command"
import json, shlex, xml.etree.ElementTree as ET
said = ET.parse("hostile.junit").getroot().find(".//system-out").text
result = json.load(open("hostile.json"))
told = lambda text: "".join("\ufffd" if c < " " and c not in "\t\n\r" or c in "\ufffe\uffff" else c for c in text)
assert shlex.split(said) == ["xensock", "run", told(result["scenario"]["file"]), "--set", told(result["plan"]["sets"][0])]
EOF

# The standard streams, and a directory.
"$XENSOCK" convert --to csv - <two.json >piped || fail "from and to the standard streams"
cmp piped two.csv || fail "through the standard streams it is another"
"$XENSOCK" convert --to csv two | cmp - two.csv || fail "of a directory it is another"

# Faults of what is read, each with its code, its place, and nothing written.
refused()
{
    expect "$1" "$XENSOCK" convert --to junit -o never "${@:3}"
    grep -q "$2" err.log || fail "not said: $2"
    [ ! -e never ] || fail "something was written"
}
echo '{"schema": "xensock/result/1",' >cut.json
echo '{"schema": "xensock/result/2", "complete": true, "errors": []}' >other.json
echo '{"schema": "xensock/result/1", "complete": true, "errors": [], "points": [{}]}' >bare.json
echo '{"schema": "xensock/result/1", "errors": []}' >silent.json
echo '[]' >list.json
refused 2 'error\[E0840\]: cannot read none.json: No such file' none.json
mkdir empty
refused 2 'error\[E0840\]: cannot read empty/result.json: No such file' empty
refused 2 'error\[E0841\]: cut.json:2:0: no JSON: ' cut.json
refused 2 'error\[E0842\]: other.json is no result: its schema is not xensock/result/1' other.json
refused 2 "error\[E0842\]: bare.json is no result: a point has no list of repeats" bare.json
refused 2 "error\[E0842\]: silent.json is no result: 'complete' is no boolean" silent.json
refused 2 "error\[E0842\]: list.json is no result: it is no JSON object" list.json
refused 2 "'xml'" --to xml two.json
refused 2 '^usage: ' two.json mixed.json
expect 2 "$XENSOCK" convert two.json

# An expression that ends early, and one whose counter begins as the word that turns it round.
python3 - <<'END'
import json
case = {"point": None, "result": "fail", "failed": 1, "of": 1, "measured": "7", "limit": "3", "why": "w"}
json.dump({"schema": "xensock/result/1", "complete": True, "errors": [], "points": [], "expectations": [
    {"name": name, "that": that, "result": "fail", "cases": [case]}
    for name, that in (("a", "abc <"), ("b", "frontend.notifications < 3"), ("c", "not x < 3"))]}, open("ends.json", "w"))
END
expect 0 "$XENSOCK" convert --to junit ends.json
for text in 'abc = 7, wanted &lt; 3' 'frontend.notifications = 7, wanted &lt; 3' 'not x &lt; 3: w'; do
    grep -q "message=\"$text\"" out.log || fail "not in it: $text: $(cat out.log)"
done

# What is there stays as it is if it cannot be replaced whole, and what is no file is not replaced.
refused 1 'error\[E0843\]: cannot write /dev/full: it is there and no regular file' -o /dev/full two.json
refused 1 'error\[E0843\]: cannot write empty: Is a directory' -o empty two.json
refused 1 'error\[E0843\]: cannot write none/x: No such file' -o none/x two.json
ln -s old link && echo old >old
expect 0 "$XENSOCK" convert --to csv --output link two.json
[ -L link ] || fail "the link is gone"
cmp old two.csv || fail "it did not get where the link leads"
before=$(cat old)
if bash -c 'ulimit -f 8; trap "" XFSZ; exec "$@"' bash "$XENSOCK" convert --to csv -o old large.json 2>err.log; then
    fail "more than fits was written"
fi
grep -q 'error\[E0843\]: cannot write old: File too large' err.log || fail "not said that it does not fit"
[ "$(cat old)" = "$before" ] || fail "the old one is gone"
[ -z "$(find . -name 'old.*')" ] || fail "something was left of it"
if "$XENSOCK" convert --to csv two.json >/dev/full 2>err.log; then
    fail "it did not notice that nothing can be written"
fi
nothing_left
