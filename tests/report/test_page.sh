#!/bin/bash
# The report of a result, read by a parser that knows nothing of this project: tables say what
# result.json says, nothing a scenario may hold becomes markup, faulty results are told with their
# place, and without what draws the charts the page is whole and says so. No browser: test_browser.sh.
# shellcheck disable=SC1091,SC2154
. "$SOURCE/tests/run/common.sh"

here=$SOURCE/tests/report
for kind in sweep hostile plain; do
    mkdir "$kind"
    python3 "$here/results.py" "$kind" >"$kind/result.json"
    expect 0 "$XENSOCK" report --assets "$work/none" "$kind"
    [ "$(cat out.log)" = "$kind/report.html" ] || fail "it does not say where the page is"
    grep -q "note\[E0833\].*tools/report/fetch $work/none" err.log || fail "it does not say what is missing"
    python3 "$here/check_page.py" "$kind/result.json" "$kind/report.html" || fail "the page of $kind"
done
grep -q "No charts: .*tools/report/fetch" sweep/report.html || fail "the page does not say what is missing"

# the same result, the same page; and elsewhere
expect 0 "$XENSOCK" report --assets none -o - sweep/result.json
cp out.log twice.html
expect 0 "$XENSOCK" report --assets none -o other.html sweep
cmp twice.html other.html || fail "two pages of one result differ"

# a second result laid over it
mkdir other
python3 "$here/results.py" other >other/result.json
expect 0 "$XENSOCK" report --assets none --with other -o with.html sweep
grep -q '<td>1.250</td>' with.html || fail "a throughput of 100 over one of 80 is not 1.250"
grep -q '"other":\[\]' twice.html || fail "without another result there is one in the charts"

# a real run, and a capture of it that is too small
expect 0 "$XENSOCK" run --stages --capture-limit 64KiB --set mode=virtual --set duration=20ms --set warmup=0s \
    "$SOURCE/scenarios/quickstart.yaml"
expect 0 "$XENSOCK" report --assets none out/quickstart
grep -q '<strong>Passed</strong>' out/quickstart/report.html || fail "the page of a real run"
[ "$(grep -c 'packets of a run did not fit' out/quickstart/report.html)" = 2 ] ||
    fail "neither stages nor time line say that they are not whole"
grep -q 'did not fit' sweep/report.html && fail "what has no capture has none that is cut"
grep -q 'run quickstart.yaml --set mode=virtual --set duration=20ms --set warmup=0s<' \
    out/quickstart/report.html || fail "it does not say how to run it again"
grep -q 'run quickstart.yaml --set mode=emulated --set seed=42<' plain/report.html ||
    fail "nor of an older result"
grep -q 'Again: <code>xensock run connect-storm.yaml --set mode=virtual --point 7 --out out/connect-storm/again<' \
    sweep/report.html || fail "nor of one point"

# where a link leads; and no file is no page's place
echo old >linked.html
ln -s linked.html link.html
expect 0 "$XENSOCK" report --assets none -o link.html plain
[ -L link.html ] || fail "the link was replaced"
grep -q "</html>" linked.html || fail "it did not get where the link leads"
mkfifo pipe
expect 1 "$XENSOCK" report --assets none -o pipe plain
[ -p pipe ] || fail "the pipe was replaced"

# what is no result: its place, and why
refused() # refused CODE PATTERN FILE
{
    expect 2 "$XENSOCK" report --assets none "$3"
    grep -q "error\[$1\].*$2" err.log || fail "$3: no $1 with '$2'"
    [ ! -e "${3%/*}/report.html" ] || fail "$3: there is a page"
}
mkdir bad
printf '{"schema": "xensock/result/1",\n "points": [}\n' >bad/cut.json
refused E0830 "no JSON" bad/cut.json
grep -q '^bad/cut.json:2:13: ' err.log || fail "the place of what is no JSON"
printf '{"schema": "xensock/result/1", "seed": 1, "seed": 2}\n' >bad/twice.json
refused E0830 "duplicate" bad/twice.json
printf '{"schema": "xensock/result/9"}\n' >bad/newer.json
refused E0831 "xensock/result/9" bad/newer.json
printf '[]\n' >bad/list.json
refused E0831 "no schema" bad/list.json
refused E0001 "cannot read" bad/absent.json
expect 1 "$XENSOCK" report --assets none -o bad/none/page.html sweep
grep -q 'error\[E0832\].*bad/none/page.html' err.log || fail "no word of where it cannot be written"
expect 2 "$XENSOCK" report
expect 2 "$XENSOCK" report sweep other
echo ok
