#!/bin/bash
# A study as a user runs it: its runs are those one would make by hand; however they are divided
# (--point, --repeat, --only, --jobs, --shard and merge), broken off or gone on with, the result is
# the same; and result.json is whole at every moment.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

cat >s.yaml <<'END'
schema: xensock/scenario/1
name: s
mode: virtual
seed: 7
duration: 5ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {echo: {kind: echo}, sink: {kind: sink}}
workload:
  - {name: ask, kind: request-response, connect_to: echo}
  - {name: put, kind: stream, connect_to: sink}
sweep:
  order: {path: protocol.order, values: [1, 3]}
  dialect: {path: protocol.dialect, values: [xensock1, pvcalls1]}
repeat: {count: 3}
expect:
  - {name: any, that: p99(latency.ask) > 0s}
  - {name: pays, that: median(throughput.put) @ order=3 > 2 * median(throughput.put) @ order=1}
END
# half of its runs end with E0501
cat >bad.yaml <<'END'
schema: xensock/scenario/1
name: bad
mode: virtual
duration: 1ms
timeout: 5ms
topology:
  hosts: {dom0: {role: backend}, web: {role: frontend}}
  peers: {sink: {kind: sink}}
workload:
  - {name: put, kind: stream, connect_to: sink, bytes: 1MiB}
sweep:
  bytes: {path: workload.put.bytes, values: [1MiB, 1GiB]}
repeat: {count: 2}
END

# of FILE: what is a function of the study alone, and which part of it the file is to have.
of()
{
    python3 - "$1" <<'END'
import json, sys

def of(value):
    if isinstance(value, dict):
        return {key: of(one) for key, one in value.items() if key not in ("wall_ns", "host")}
    return [of(one) for one in value] if isinstance(value, list) else value

result = of(json.load(open(sys.argv[1])))
result["plan"]["shard"] = None
print(json.dumps(result, indent=1))
END
}

# same A B: two results of the whole study.
same()
{
    cmp <(of "$1/result.json") <(of "$2/result.json") || fail "$1 and $2 are not the same"
}

# traces DIR [POINT]: of each run, or of those of a point.
traces()
{
    python3 - "$@" <<'END'
import json, sys
for point in json.load(open(sys.argv[1] + "/result.json"))["points"]:
    for one in point["repeats"]:
        if len(sys.argv) == 2 or point["id"] == int(sys.argv[2]):
            print(point["id"], one["i"], one["trace"])
END
}

# edit FROM TO STATEMENT: a result changed by Python, j being all of it.
edit()
{
    mkdir -p "$(dirname "$2")"
    python3 -c 'import json, sys
j = json.load(open(sys.argv[1])); exec(sys.argv[3]); json.dump(j, open(sys.argv[2], "w"))' "$@"
}

says()
{
    grep -qF -- "$1" err.log || fail "it does not say: $1"
}

run=("$XENSOCK" run --quiet)
expect 0 "${run[@]}" --out whole s.yaml
holds whole/result.json 'r["complete"] is True' 'r["plan"]["runs"] == 12' 'len(r["points"]) == 4' \
    'all([one["i"] for one in p["repeats"]] == [0, 1, 2] for p in r["points"])' \
    'r["points"][1]["axes"] == {"order": 1, "dialect": "pvcalls1"}' \
    '[e["result"] for e in r["expectations"]] == ["pass", "pass"]' \
    'len({one["trace"] for p in r["points"] for one in p["repeats"]}) == 12' \
    'len({one["seed"] for p in r["points"] for one in p["repeats"]}) == 3'

# Each run is what its overrides make of the file, also of one without a sweep.
grep -v -e '^sweep' -e '^  order' -e '^  dialect' -e '^repeat' -e '^expect' -e '^  - {name: any' \
    -e '^  - {name: pays' s.yaml >plain.yaml
seed=$(python3 -c 'import json; print(json.load(open("whole/result.json"))["points"][2]["repeats"][1]["seed"])')
expect 0 "${run[@]}" --out one --set protocol.order=3 --set protocol.dialect=xensock1 \
    --set seed="$seed" plain.yaml
[ "$(traces one | cut -d ' ' -f 3)" = "$(traces whole 2 | sed -n 's/^2 1 //p')" ] ||
    fail "a run is not what its overrides make of the file"

# Some of it is that part of it.
expect 0 "${run[@]}" --out some --point 2 s.yaml
diff <(traces some) <(traces whole 2)
expect 0 "${run[@]}" --out some --repeat 1 --only order=3 --only dialect=pvcalls1 s.yaml
diff <(traces some) <(traces whole 3 | grep '^3 1 ')
holds some/result.json 'r["complete"]' 'r["expectations"][1]["cases"] == []'

# An axis' value more, and an axis: what was there is as it was.
sed 's/\[1, 3\]/[1, 3, 2]/; s/^repeat.*/  w: {path: workload.put.write_size, values: [64KiB, 1KiB]}\n&/' \
    s.yaml >more.yaml
expect 0 "${run[@]}" --out more --only w=64KiB --only order=1 --only order=3 more.yaml
diff <(traces more | cut -d ' ' -f 2-) <(traces whole | cut -d ' ' -f 2-)

# However divided.
expect 0 "${run[@]}" --out jobs --jobs 3 s.yaml
same whole jobs
for i in 1 2 3 4 5; do
    expect 0 "${run[@]}" --out parts --shard "$i/5" s.yaml
done
expect 0 "$XENSOCK" merge --quiet parts
same whole parts
sum=$(sha256sum parts/result.json)
expect 0 "$XENSOCK" merge --quiet --out again parts
expect 0 "$XENSOCK" merge --quiet parts/shard-{5,3,1,2,4}-of-5 --out shuffled
[ "${sum%% *}" = "$(sha256sum <again/result.json | cut -d ' ' -f 1)" ] || fail "merged otherwise"
same whole shuffled
expect 0 "$XENSOCK" plan --json --shards 5 s.yaml
python3 - <<'END'
import json
plan = json.load(open("out.log"))
parts = [json.load(open(f"parts/shard-{i}-of-5/result.json")) for i in range(1, 6)]
assert plan["runs"] == 12 and plan["run_ns"] == 5000000 and plan["all_ns"] == 60000000
assert plan["shards"] == [[[p["id"], one["i"]] for p in part["points"] for one in p["repeats"]]
                          for part in parts]
END

# What cannot be merged is told, and writes nothing.
rm -rf bad
edit parts/shard-1-of-5/result.json foreign/result.json 'j["scenario"]["xxh3"] = "0" * 16'
edit parts/shard-1-of-5/result.json set/result.json 'j["plan"]["sets"] = ["seed=8"]'
edit parts/shard-1-of-5/result.json beyond/result.json 'j["points"][0]["id"] = 4'
edit parts/shard-1-of-5/result.json odd/result.json 'j["plan"]["sets"] = [5]'
edit parts/shard-1-of-5/result.json many/result.json 'j["plan"]["sets"] = ["seed=8"] * 65'
mkdir -p torn && head -c 1000 parts/shard-1-of-5/result.json >torn/result.json
expect 2 "$XENSOCK" merge --out bad parts/shard-{1,2,3,4}-of-5
says 'error[E0855]: no part has point'
expect 2 "$XENSOCK" merge --out bad parts/shard-{1,2,3,4,5}-of-5 parts/shard-2-of-5
says 'error[E0854]: parts/shard-2-of-5/result.json: point 0 repeat 1 is in another part too'
expect 2 "$XENSOCK" merge --out bad parts/shard-2-of-5 foreign
says 'error[E0853]: foreign/result.json: its scenario.xxh3 is not that of parts/shard-2-of-5'
expect 2 "$XENSOCK" merge --out bad parts/shard-2-of-5 set
says 'error[E0853]'
for one in beyond odd many torn nowhere; do
    expect 2 "$XENSOCK" merge --out bad "$one"
    says 'error[E0851]'
done
[ ! -e bad ] || fail "a merge that failed wrote something"

# Broken off at some moment: it says so, what was made is there, and the rest can be made.
# broken COUNT WHEN [OPTION]...: ^C to a study of 4 * COUNT runs once there is the path WHEN.
broken()
{
    local count=$1 when=$2
    shift 2
    rm -rf broken
    start broken "${run[@]}" "$@" --out broken --set repeat.count="$count" s.yaml
    within 20 test -e "broken/$when"
    kill -INT "$pid"
    ended "$pid" 130 10
    [ "$(ls -A broken)" = result.json ] || fail "left: $(ls -A broken)"
    holds broken/result.json 'r["complete"] is False' 'len(r["points"]) > 0' \
        "sum(len(p['repeats']) for p in r['points']) < 4 * $count"
}

broken 900 result.json # which is there after a second, and whole

# A terminal's ^C reaches the workers too, beside what they are told: none dies of the second.
for _ in 1 2 3; do
    rm -rf group
    start group "${run[@]}" --jobs 4 --out group --set repeat.count=40 s.yaml
    within 20 test -e group/.worker-3
    kill -INT -- "-$pid"
    ended "$pid" 130 10
    holds group/result.json 'e == []' 'r["complete"] is False'
done
broken 40 .worker-1 --jobs 2
expect 0 "${run[@]}" --resume --jobs 2 --out broken --set repeat.count=40 --only order=1 \
    --only dialect=xensock1 s.yaml
holds broken/result.json 'r["complete"]' 'len(r["points"][0]["repeats"]) == 40'
expect 0 "${run[@]}" --out resumed --set repeat.count=3 --point 1 s.yaml
expect 0 "${run[@]}" --resume --out resumed --set repeat.count=3 s.yaml
expect 0 "${run[@]}" --out sets --set repeat.count=3 s.yaml
same resumed sets
expect 0 "${run[@]}" --resume --out resumed --set repeat.count=3 s.yaml # nothing is left to make
same resumed sets

# What cannot be gone on with is told, and left alone.
for one in 'j["scenario"]["xxh3"] = "0" * 16' 'j["plan"]["sets"] = []' 'j["tool"]["version"] = "0"' \
    'j["points"][3]["repeats"][0]["i"] = 3' 'j["points"][3]["id"] = 4'; do
    edit sets/result.json other/result.json "$one"
    cp other/result.json before
    expect 2 "${run[@]}" --resume --out other --set repeat.count=3 s.yaml
    says 'error[E0856]: other/result.json '
    cmp other/result.json before
done
cp torn/result.json other/result.json
expect 2 "${run[@]}" --resume --out other s.yaml
says 'error[E0856]: other/result.json cannot be read'
cmp other/result.json torn/result.json

# A worker that is killed: its error is told, the result is partial, and nothing of it is what was left
# there by another.
rm -rf died
edit whole/result.json died/.worker-0/result.json \
    '[one.update(metrics={}) for p in j["points"] for one in p["repeats"]]'
start died "${run[@]}" --jobs 2 --out died --set repeat.count=40 s.yaml
within 20 test -e died/.worker-1
worker=$(cut -d ' ' -f 1 "/proc/$pid/task/$pid/children")
kill -KILL "$worker"
ended "$pid" 70 40
holds died/result.json 'r["complete"] is False' 'e == ["E0857"]' \
    '80 <= sum(len(p["repeats"]) for p in r["points"]) < 160' \
    'all(one["metrics"] for p in r["points"] for one in p["repeats"])'
[ "$(ls -A died)" = result.json ] || fail "left: $(ls -A died)"

# Killed itself, its workers end too; what they leave is no part of another study.
rm -rf killed
start killed "${run[@]}" --jobs 2 --out killed --set repeat.count=400 s.yaml
within 20 test -e killed/.worker-1
kill -KILL "$pid"
nobody() { [ -z "$(ours)" ]; }
within 20 nobody
# What they leave is gone on with.
rm -rf killed
mkdir -p killed/.worker-0 killed/.worker-5
edit whole/result.json killed/.worker-0/result.json 'j["complete"] = False; del j["points"][1:]; j["points"][0]["repeats"][0]["wall_ns"] = 77'
edit whole/result.json killed/.worker-5/result.json 'j["complete"] = False; del j["points"][:3]; j["points"][0]["repeats"][1]["wall_ns"] = 78'
expect 0 "${run[@]}" --jobs 2 --resume --out killed s.yaml
same whole killed
holds killed/result.json 'r["points"][0]["repeats"][0]["wall_ns"] == 77' 'r["points"][3]["repeats"][1]["wall_ns"] == 78'
[ "$(ls -A killed)" = result.json ] || fail "left: $(ls -A killed)"
mkdir -p killed/.worker-0
cp whole/result.json killed/.worker-0/
expect 5 "${run[@]}" --jobs 2 --out killed bad.yaml
holds killed/result.json 'r["scenario"]["file"] == "bad.yaml"' \
    'sum(len(p["repeats"]) for p in r["points"]) == 4'

# A failure: the command that is told shows it again; --fail-fast ends there; expected, it is none.
expect 5 "$XENSOCK" run --out bad --set seed=3 bad.yaml
again=$(sed -n 's/^reproduce: xensock //p' out.log)
[ "$again" = 'run --point 1 --repeat 0 --out bad/again --set seed=3 bad.yaml' ] || fail "$again"
# shellcheck disable=SC2086
expect 5 "$XENSOCK" $again
diff <(traces bad/again) <(traces bad 1 | grep '^1 0 ')
for jobs in 1 2; do
    expect 5 "${run[@]}" --jobs "$jobs" --out fast --fail-fast --set repeat.count=20 bad.yaml
    holds fast/result.json 'r["complete"] is False' 'len(r["points"][1]["repeats"]) < 18'
done
expect 1 "${run[@]}" --out fast --fail-fast --set expect.any.that='p99(latency.ask) < 1us' s.yaml
holds fast/result.json 'sum(len(p["repeats"]) for p in r["points"]) == 1' # failed is also what is not as expected
printf 'expect: [{name: late, error: E0501, when: bytes == 1GiB}]\n' >>bad.yaml
expect 0 "${run[@]}" --fail-fast --out fast bad.yaml
holds fast/result.json 'r["complete"] is True' 'all(one["expected"] for one in r["errors"])'
expect 1 "$XENSOCK" run --out failed --only order=1 --set expect.any.that='p99(latency.ask) < 1us' s.yaml
grep -q '^reproduce: xensock run --point 0 --repeat [0-2] --out failed/again' out.log
grep -q '^not run pays: ' out.log
# Of two that are not met the table names the first, and that there is another.
expect 1 "$XENSOCK" run --out failed --point 0 --set expect.any.that='p99(latency.ask) < 1us' \
    --set expect.pays.that='errors > 0' s.yaml
grep -q '^0 .* FAIL any +1$' out.log
# What looks at other points shows again only with these.
expect 1 "$XENSOCK" run --out bad --set expect.pays.that='p99(latency.ask) @ order=3 > p99(latency.ask)' s.yaml
again=$(sed -n "s/^reproduce: xensock //p" out.log)
[ "${again#run --repeat [0-2] --out bad/again }" != "$again" ] || fail "$again"
eval "expect 1 \"\$XENSOCK\" $again"

# Some runs made again do not replace the result of all.
expect 0 "${run[@]}" --set repeat.count=1 s.yaml
expect 0 "${run[@]}" --set repeat.count=1 --point 2 s.yaml
holds out/s/result.json 'len(r["points"]) == 4'
holds out/s/again/result.json '[p["id"] for p in r["points"]] == [2]'
expect 1 "$XENSOCK" run --point 2 --set repeat.count=1 --set expect.any.that='p99(latency.ask) < 1us' s.yaml
grep -q '^reproduce: .* --out out/s/again --set' out.log

# A path that is too long is not cut.
expect 2 "${run[@]}" --out "$(printf 'a/%.0s' {1..300})" s.yaml
says 'error[E0701]'

# The command line.
expect 2 "${run[@]}" --point 4 s.yaml
says 'there is no point 4, only 0 to 3'
expect 2 "${run[@]}" --repeat 3 s.yaml
says 'there is no repeat 3, only 0 to 2'
expect 2 "${run[@]}" --point 0 --only order=3 s.yaml
says 'no point is all that --point and --only ask for'
expect 2 "${run[@]}" --only order=2 s.yaml
says "axis 'order' has no value '2'; it has: 1 3"
expect 2 "${run[@]}" --only ordr=1 s.yaml
says "--only takes AXIS=VALUE, not 'ordr=1'; axes: order dialect"
for shard in 0/2 3/2 1 1/ /2 1/2x; do
    expect 2 "${run[@]}" --shard "$shard" s.yaml
    says '--shard takes I/N'
done
expect 2 "${run[@]}" --trace t s.yaml
says '--trace is of one run, and these are 12'
expect 2 "${run[@]}" --jobs 2 --set mode=emulated s.yaml
says "--jobs does not go with mode 'emulated'"
expect 3 "${run[@]}" --set protocol.order=2 s.yaml
says 'error[E0135]'
touch file
expect 2 "${run[@]}" --out file/below s.yaml
says 'error[E0701]'
expect 0 "${run[@]}" --out empty --shard 13/13 s.yaml
holds empty/shard-13-of-13/result.json 'r["points"] == []'

# What is recorded: of runs that failed alone, by their errors or what was expected of them; of all; and in
# emulated mode.
files() { (cd "$1" && find . -name '*.json' -o -name '*.pcapng' | sort | paste -sd ' '); }
record=(--set record.stages=true --set record.trace=on-failure --set record.capture=always)
expect 1 "${run[@]}" --out kept "${record[@]}" --only dialect=xensock1 --set repeat.count=1 \
    --set expect.any.that='order == 1 or errors > 0' s.yaml
[ "$(files kept)" = './p0r0/capture.pcapng ./p2r0/capture.pcapng ./p2r0/trace.json ./result.json' ] ||
    fail "kept: $(files kept)"
holds kept/result.json 'all("stage.round" in p["repeats"][0]["metrics"] for p in r["points"])'
sed '/^expect:/d' bad.yaml >worse.yaml
expect 5 "${run[@]}" --out kept-bad --set record.capture=on-failure --set repeat.count=1 worse.yaml
[ "$(files kept-bad)" = './p1r0/capture.pcapng ./result.json' ] || fail "kept: $(files kept-bad)"
expect 0 "${run[@]}" --out kept-one --set mode=emulated --set duration=50ms --set record.trace=always plain.yaml
[ "$(files kept-one)" = './result.json ./trace.json' ] || fail "kept: $(files kept-one)"

# In emulated mode: processes for each run, which have the point's values.
expect 0 "${run[@]}" --out emulated --set mode=emulated --set duration=100ms \
    --only dialect=pvcalls1 --set repeat.count=2 --set expect.pays.that='errors == 0' s.yaml
holds emulated/result.json 'r["mode"] == "emulated"' 'r["complete"] is True' \
    '[p["id"] for p in r["points"]] == [1, 3]' \
    'all(len(p["repeats"]) == 2 for p in r["points"])' \
    'all(one["metrics"]["bytes.put"]["value"] > 0 for p in r["points"] for one in p["repeats"])'
nothing_left
