#!/bin/bash
# test_schema.sh: the JSON Schemas of scenarios and results say what xensock does, by the word of
# another's validator; scenarios/annotated.yaml has every key there is, and runs.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
python3 -c 'import jsonschema, yaml; jsonschema.Draft202012Validator' 2>/dev/null ||
    { echo "skipped: python3-jsonschema or python3-yaml is missing"; exit 77; }
check=$SOURCE/tests/run/schema_check.py annotated=$SOURCE/scenarios/annotated.yaml

expect 0 "$XENSOCK" check --schema
cp out.log scenario.schema.json
expect 0 "$XENSOCK" check --schema=scenario
cmp out.log scenario.schema.json || fail "it is another by its name"
expect 0 "$XENSOCK" check --schema=result
cp out.log result.schema.json
cmp out.log "$SOURCE/sim/run/result.schema.json" || fail "the schema of results is another"
expect 2 "$XENSOCK" check --schema=trace
grep -q -- "--schema takes scenario or result, not 'trace'" err.log || fail "no word about it"

# What only processes have, and an error that must come, stands there as comments.
sed '/# site:/,/#   address:/s/# //; /# - name: stalls/,/#   when:/s/# //; s/^mode: virtual/mode: emulated/' "$annotated" >with.yaml
expect 0 "$XENSOCK" check --quiet "$annotated" with.yaml
[ ! -s err.log ] || fail "something is said of the annotated scenario"

mapfile -t files < <(find "$SOURCE/scenarios" "$SOURCE/tests" -name '*.yaml' -exec grep -l '^schema: xensock/scenario/1' {} +)
python3 "$check" scenarios scenario.schema.json "$XENSOCK" with.yaml "$annotated" "${files[@]}" ||
    fail "check and schema differ, or a key has no example"

expect 0 "$XENSOCK" run --out annotated "$annotated"
expect 0 "$XENSOCK" run --quiet --out two --set duration=20ms --set warmup=0s "$SOURCE/scenarios/quickstart.yaml"
expect 0 "$XENSOCK" run --quiet --out script "$SOURCE/scenarios/steps/half-close.yaml"
for name in forward restart open-loop connect-rate; do
    expect 0 "$XENSOCK" run --quiet --stages --out "$name" --set mode=virtual --set duration=20ms "$SOURCE/scenarios/$name.yaml"
done
printf 'schema: xensock/scenario/1\nname: x\n' >x.yaml
expect 3 "$XENSOCK" run --format json x.yaml
cp out.log refused.json
python3 "$SOURCE/tests/run/study_result.py"
python3 "$check" results result.schema.json study.json mixed.json shard.json refused.json ./*/result.json ||
    fail "a result is not as its schema says"
nothing_left
