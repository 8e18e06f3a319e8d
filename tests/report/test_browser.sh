#!/bin/bash
# The report in Chromium, offline: no request and no error, charts that are not blank in light and
# dark, keyboard, print, no scripts, texts that would be markup, and how long a large one takes.
# Needs npm once, for uPlot and Playwright; what of it is there already is used again.
# shellcheck disable=SC1091,SC2154
: "${CHROMIUM:=$(command -v chromium)}"
[ -n "$CHROMIUM" ] || { echo "skipped: no chromium"; exit 77; }
export CHROMIUM
built=$PWD
. "$SOURCE/tests/run/common.sh"

here=$SOURCE/tests/report
"$SOURCE/tools/report/fetch" "$work/assets" >fetch.log 2>&1 || { cat fetch.log; exit 77; }
mkdir -p "$built/report_browser"
cp "$here"/package*.json "$here/.npmrc" "$here/browser.mjs" "$built/report_browser"
(cd "$built/report_browser" && timeout 60 npm ci --ignore-scripts --no-audit --no-fund \
    --loglevel=error) || { echo "skipped: npm cannot install here"; exit 77; }

for kind in sweep other large hostile; do
    mkdir "$kind"
    python3 "$here/results.py" "$kind" >"$kind/result.json"
done
expect 0 "$XENSOCK" report --assets assets -o sweep.html sweep
expect 0 "$XENSOCK" report --assets assets --with other -o with.html sweep
expect 0 "$XENSOCK" report --assets none -o bare.html sweep
expect 0 "$XENSOCK" report --assets assets -o hostile.html hostile
expect 0 "$XENSOCK" report --assets assets -o large.html large
grep -q "Permission is hereby granted" large.html || fail "uPlot's licence is not in the page"
HOME=$work timeout -k 5 100 node "$built/report_browser/browser.mjs" "$work" || fail "in Chromium"
