# shellcheck shell=bash
# Sourced by a script that holds a table of claims to the sources: rows with an id, the side that
# promises (or the like), the tests, the planted defects they notice, and what is lacking. Form and
# meaning: cores/attacks. The script sets `table`, `sides` (alternatives) and ids(), "id ID" a line,
# the whole list of what must have a row; and `unplanted` where a row needs no plant.
: "${SOURCE:?}" "${table:?}" "${sides:?}" "${unplanted:=}"
tests=$SOURCE/tests
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "runs FILE:FUNCTION" of each cmocka test that is both defined and in its program's list, and
# "runs FILE" of each program without cmocka and each script.
what_runs()
{
    cd "$tests" || exit
    find . -name 'test_*.sh' -perm -u+x -printf 'runs %P\n'
    find . -name '[tm]*_*.c' -printf '%P\n' | while read -r file; do
        awk -v file="${file%.c}" '
            /^static void [a-z0-9_]+\(void \*\*/ { sub("\\(.*", "", $3); defined[$3] }
            /struct CMUnitTest/ { list = 1 }
            list {
                for (line = $0; match(line, /\([a-z0-9_]+[,)]/);) {
                    name = substr(line, RSTART + 1, RLENGTH - 2)
                    if (name in defined)
                        print "runs", file ":" name
                    line = substr(line, RSTART + RLENGTH)
                }
            }
            END { if (!list) print "runs", file }' "$file"
    done
}

# check TABLE: one line for each untruth, in the order of the table; nothing if there is none.
check()
{
    cat "$work/facts" "$1" | awk -v sides="$sides" -v unplanted="$unplanted" '
        function close_row() {
            if (row != "" && !reason && !tested) print row ": neither a test nor a reason"
            if (row != "" && !reason && !planted && !unplanted) print row ": neither a plant nor a reason"
            for (name in plants)
                if (!(notices[name] in mine)) print row ": no test of the row notices " name
            reason = tested = planted = 0
            delete mine; delete plants
        }
        $1 == "id" { wanted[$2]; next }
        $1 == "runs" { runs[$2]; next }
        $1 == "plants" { notices[$2] = $3; next }
        /^#/ || NF == 0 { next }
        /^[^ ]/ {
            close_row()
            row = $1
            if (!(row in wanted)) print row ": no such id"
            if (seen[row]++) print row ": two rows"
            if ($2 !~ "^(" sides "):$") print row ": side " $2
            next
        }
        $1 == "test" {
            tested = 1
            if (!($2 in runs)) print row ": no program runs " $2
            sub(":.*", "", $2); mine[$2]; next
        }
        $1 == "plant" {
            planted = 1
            if ($2 in notices) plants[$2]; else print row ": no plant " $2
            next
        }
        $1 == "lacks" && NF > 1 { reason = 1; next }
        { print row ": what is " $0 "?" }
        END { close_row(); for (id in wanted) if (!seen[id]) print id ": no row" }'
}

{ ids; what_runs; awk '!/^#/ { print "plants", $1, $3 }' "$tests/plants/table"; } >"$work/facts"
wrong=$(check "$table")
[ -z "$wrong" ] || { echo "$wrong"; exit 1; }

# lie EXPRESSION SAID: with the table changed so, exactly that is said.
lie()
{
    local said
    sed "$1" "$table" >"$work/lied"
    said=$(check "$work/lied")
    [ "$said" = "$2" ] || { echo "after $1 it says: $said"; exit 1; }
}
