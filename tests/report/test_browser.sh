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
# What npm installed stays beside the build, until the lists of what is wanted are others.
kept=$built/report_browser
cat "$here"/package*.json "$SOURCE"/tools/report/package*.json "$SOURCE/tools/report/fetch" >wanted
if ! cmp -s wanted "$kept/installed"; then
    rm -rf "$kept"
    mkdir -p "$kept"
    "$SOURCE/tools/report/fetch" "$kept/assets" >fetch.log 2>&1 || { cat fetch.log; exit 77; }
    cp "$here"/package*.json "$here/.npmrc" "$kept"
    (cd "$kept" && timeout 60 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) ||
        { echo "skipped: npm cannot install here"; exit 77; }
    cp wanted "$kept/installed"
fi
cp "$here/browser.mjs" "$kept"
cp -r "$kept/assets" assets

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
HOME=$work timeout -k 5 100 node "$kept/browser.mjs" "$work" || fail "in Chromium"
