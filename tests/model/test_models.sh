#!/bin/bash
# The models' verdicts are what `variants` says (check); the runner notices a wrong one; and models,
# C and the table in README.md name the same pairs of function and model. It does not show that the
# two do the same: that is for who reads them side by side.
set -euo pipefail
SOURCE=${SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
models=$SOURCE/tests/model
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each list has lines "file function model", sorted.
# In a model: `inline NAME(...) /* = FILE */`.
(cd "$models" && for file in *.pml; do
    sed -nE "s|^inline (\w+)\(.*\) /\* = (\S+) \*/\$|\2 \1 $file|p" "$file"
done) | sort -u >"$work/models"
# In C: `Model: A.pml, B.pml. */` ends the comment right above the definition.
(cd "$SOURCE" && awk '
    FNR == 1 { tag = "" }
    tag != "" {
        match($0, /[a-z_0-9]+\(/)
        count = split(tag, names, ", ")
        for (i = 1; i <= count; i++)
            print FILENAME, substr($0, RSTART, RLENGTH - 1), names[i]
        tag = ""
    }
    /Model: .*\. \*\/$/ { tag = $0; sub(/.*Model: /, "", tag); sub(/\. \*\/$/, "", tag) }
    ' ringlib/*.[ch] frontend/*.[ch] backend/*.[ch]) | sort -u >"$work/code"
# In README.md: `| FILE | FUNCTION, FUNCTION | MODEL, MODEL |`.
awk -F ' *[|] *' '
    $2 ~ /\.[ch]$/ {
        functions = split($3, function_names, ", ")
        count = split($4, names, ", ")
        for (f = 1; f <= functions; f++)
            for (i = 1; i <= count; i++)
                print $2, function_names[f], names[i]
    }' "$models/README.md" | sort -u >"$work/readme"
[ -s "$work/models" ]
diff -u --label models --label C "$work/models" "$work/code"
diff -u --label models --label README.md "$work/models" "$work/readme"

status=0
"$models/check" || status=$?
[ "$status" = 0 ] || exit "$status"

# What must not pass does not: each verdict turned round, a search left vacuous, another trail.
cp -r "$models/." "$work/wrong"
cd "$work/wrong"
sed -n 's/^in  *bytering *holds/in bytering refuted/p
        s/^in-error-early  *bytering *refuted/in-error-early bytering holds/p
        s/^in-spec-order /in-spec-order /p' variants >table
echo 'in-vacuous bytering holds default 0 -DIN_VACUOUS | nothing is ever sent' >>table
mv table variants
sed -i 's/^    pump_in();$/&\n#ifdef IN_VACUOUS\n    silent = true;\n#endif/' bytering.pml
sed -i '$d' trails/in-spec-order
if MODELS=$work/wrong ./check >out; then status=1; fi
for wanted in "^in .*WRONG: no counter-example" "^in-error-early .*WRONG: an error" \
    "^in-spec-order .*WRONG: another" "^in-vacuous .*WRONG: unreached" "^4 variants, 4 wrong"; do
    grep -q "$wanted" out || { echo "check did not say $wanted:"; cat out; exit 1; }
done
exit "$status"
