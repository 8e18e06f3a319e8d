#!/bin/bash
# test_first_minutes.sh: what the README has a new user type in the first five minutes works as it stands
# there, word by word, and leaves what it says.
# shellcheck disable=SC1091,SC2154
. "$SOURCE/tests/run/common.sh"

# The commands of the section, each a line, without what is said of them; a backslash goes on.
sed -n '/^## The first five minutes/,/^## /s/^    //p' "$SOURCE/README.md" | sed 's/  *# .*//' |
    sed -e ':a' -e '/\\$/N; s/\\\n *//; ta' >commands
[ "$(wc -l <commands)" = 7 ] || fail "not 7 commands in the README: $(cat commands)"

# A tree as it is for who built it. The assets are those of the build, if they are there.
mkdir -p tree/build/release tree/tools/report
ln -s "$XENSOCK" tree/build/release/xensock
ln -s "$SOURCE/scenarios" tree/scenarios
cd tree || exit
while read -r -u 3 line; do
    code=0
    case $line in
    tools/report/fetch*) continue ;; # npm: tests/report has it
    *--perf*) command -v perf >/dev/null || continue ;;
    esac
    timeout -k 5 100 bash -c "$line" >log 2>&1 </dev/null || code=$?
    # a machine may be noisy, and a smaller ring worse
    [[ $code = 0 || ($line == *doctor* && $code = 1) || ($line == *compare* && $code = 4) ]] ||
        fail "exit code $code: $line: $(tail -n 5 log)"
    case $line in
    *compare*) grep -qE '^(better|worse|same|inconclusive)|worse' log || fail "no verdict: $(cat log)" ;;
    *"run "*) grep -qx ok log || fail "not ok: $(cat log)" ;;
    esac
done 3<../commands
grep -q '</html>' out/quickstart/report.html || fail "no page"
