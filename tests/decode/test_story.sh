#!/bin/bash
# test_story.sh: what `xensock decode` prints of a short run in virtual time is, packet by packet and in
# each dialect, what stands in golden/DIALECT.txt; and tshark, if there is one, finds the same in it.
# test_story.sh --accept: makes what is printed now golden. `git diff` then shows what changed; whoever
# changes what cores put on the rings, or what it costs, says in the commit why.
# shellcheck disable=SC1091,SC2154
: "${SOURCE:=$(cd "$(dirname "$0")/../.." && pwd)}" "${XENSOCK:=$SOURCE/build/release/xensock}"
. "$SOURCE/tests/run/common.sh"
. "$SOURCE/tests/decode/common.sh"
golden=$SOURCE/tests/decode/golden

read -ra dialects < <("$XENSOCK" hypervisor --dialect none --runtime . 2>&1 | sed 's/.*there are://')
[ "${#dialects[@]}" -ge 3 ] || fail "not all dialects: ${dialects[*]}"
different=()
for dialect in "${dialects[@]}"; do
    expect 0 "$XENSOCK" run --set "protocol.dialect=$dialect" --out "$dialect" \
        --capture "$dialect.pcapng" "$SOURCE/tests/decode/story.yaml"
    expect 0 "$XENSOCK" decode "$dialect.pcapng"
    if [ "${1-}" = --accept ]; then
        cp out.log "$golden/$dialect.txt"
    elif ! diff -u "$golden/$dialect.txt" out.log; then
        different+=("$dialect")
    fi
done
[ "${#different[@]}" = 0 ] || fail "if this is meant: tests/decode/test_story.sh --accept"

# Of each command that the dialects have there is one but POLL, which no workload sends.
for command in CONNECT RELEASE BIND LISTEN ACCEPT SOCKET; do
    grep -q " published  response  $command .* ret 0 " "$golden"/*.txt || fail "no $command in the story"
done

if has_tshark; then # once for all of them, since each start of it takes a while
    mergecap -w story.pcapng "${dialects[@]/%/.pcapng}" 2>mergecap.err.log
    agree story.pcapng
else
    echo "left out: tshark, which is not installed"
fi
