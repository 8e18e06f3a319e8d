#!/bin/bash
# Twelve -R in one command, twice as many as requests may wait in the command ring: each is served,
# also while programs beside them want to reach a target that never answers.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
count=12

names=()
for ((i = 0; i < count; i++)); do
    names+=("far$i" "target$i")
done
ports near dead "${names[@]}"
options=() pairs=()
for ((i = 0; i < count; i++)); do
    far=far$i target=target$i
    options+=(-R "${!far}:127.0.0.1:${!target}")
    pairs+=("${!far}:${!target}")
done

forward "${options[@]}" -L "$near:127.0.0.1:$dead" --hold 50ms
expect 0 python3 "$SOURCE/tests/forward/rules.py" "${pairs[@]}" "$near:$dead"
forwarded
[ "$(counter joined)" = $((10 * count)) ] || fail "joined: $(counter joined)"
nothing_left
