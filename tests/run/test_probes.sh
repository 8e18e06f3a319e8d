#!/bin/bash
# The static probes: those that the manual has in its table are in the program, no others, and each
# with as many arguments as it says.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

command -v readelf >/dev/null || { echo "skipped: readelf is missing"; exit 77; }
readelf -n "$XENSOCK" >notes.log
expect 0 "$XENSOCK" doctor --root nowhere
if ! grep -q 'Provider: xensock' notes.log; then
    grep -q '^missing     probes  *not built in$' out.log ||
        fail "the program has no probes, and the doctor does not know"
    echo "skipped: this build has no probes"
    exit 77
fi
grep -q '^ok          probes  *built in$' out.log || fail "the doctor does not know of the probes"

python3 - "$SOURCE/tools/man/xensock-profiling.7.scd" <<'EOS' || fail "not the probes of the manual"
import re, sys
has, name = {}, None
for line in open("notes.log"):
    word, _, rest = line.strip().partition(": ")
    if word == "Provider":
        ours = rest == "xensock"
    elif word == "Name":
        name = rest
    elif word == "Arguments" and ours:
        # "4@%eax 8@8(%rbx)": blanks separate arguments alone
        has.setdefault(name, set()).add(len(rest.split()))
says = {}
for line in open(sys.argv[1]):
    row = re.fullmatch(r"\|  ([a-z_]+)\((.*)\)\n", line)
    if row:
        says[row.group(1)] = {len(row.group(2).split(", "))}
assert len(says) >= 9, says
for probe in sorted(set(has) | set(says)):
    if has.get(probe) != says.get(probe):
        print(f"{probe}: the program has {has.get(probe)} arguments, the manual {says.get(probe)}")
sys.exit(has != says)
EOS
