#!/bin/bash
# test_ci.sh: the examples of tools/ci do what they say. Their steps are carried out here, without the
# engines that they are for: shards, artifacts, merging, judging. Of the Containerfile the packages are
# those of tools/packages.sh, and of the libraries the command is linked with.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
python3 -c 'import yaml' 2>/dev/null || { echo "skipped: python3-yaml is missing"; exit 77; }

expect 0 "$XENSOCK" run --quiet --out baselines/annotated "$SOURCE/scenarios/annotated.yaml"
python3 "$SOURCE/tests/run/pipeline.py" "$SOURCE" "$XENSOCK" || fail "a pipeline"
for name in github gitlab; do # in shards it is what it is at once, but for the time it takes
    python3 - "$name/out/result.json" baselines/annotated/result.json <<'EOF' || fail "$name: another result"
import json, re, sys
a, b = (re.sub(r'"(wall_ns|load_1m_milli)": \d+', "", open(name).read()) for name in sys.argv[1:])
sys.exit(a != b)
EOF
done
grep -q '^## annotated: passed' summary.md || fail "no summary"
[ -s github/out/study.csv ] || fail "no CSV"
cmp <(sed 's/ time="[0-9.]*"//' github/out/junit.xml) <(sed 's/ time="[0-9.]*"//' gitlab/out/junit.xml) ||
    fail "two JUnit files of one study"

# packages N: those that the N-th stage of the Containerfile installs, a line each.
packages()
{
    sed -e ':a;/\\$/{N;s/\\\n//;ba}' "$SOURCE/tools/ci/Containerfile" |
        sed -n 's/.*--no-install-recommends \(.*\) && rm .*/\1/p' | sed -n "$1p" | tr -s ' ' '\n' | grep . | sort
}
cmp <(packages 1) <(sed -n '/^run="/,/"$/p' "$SOURCE/tools/packages.sh" | sed 's/^run=//; s/"//g' |
    tr -s ' ' '\n' | grep . | sort) || fail "the Containerfile builds with other packages than tools/packages.sh run"
if command -v dpkg-query >/dev/null && command -v readelf >/dev/null && ! sanitized; then
    readelf -d "$XENSOCK" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | while read -r library; do
        file=$(ldd "$XENSOCK" | sed -n "s,.*$library => \(/[^ ]*\).*,\1,p")
        file=$(realpath "$file") # dpkg has some below /lib, which is a link
        { dpkg-query -S "$file" || dpkg-query -S "${file#/usr}"; } 2>/dev/null | sed 's/:.*//'
    done | sort -u | grep -vxE 'libc6|libgcc-s1' >linked # each image has these
    cmp <(packages 2) linked || fail "the Containerfile runs with other packages than libraries are linked"
fi
for line in 'USER 1000' 'ENTRYPOINT \["xensock"\]'; do
    grep -qx "$line" "$SOURCE/tools/ci/Containerfile" || fail "not in the Containerfile: $line"
done
nothing_left
