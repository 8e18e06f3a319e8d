#!/bin/bash
# The table `attacks` tells the truth: every id stands in it once, every test it names is one that
# its program runs, every plant is a row of plants/table that one of the row's tests must notice,
# and what has no test or no plant says why. Whether it is noticed is plants/plant.sh's to see.
set -euo pipefail
tests=${SOURCE:?}/tests
table=$tests/cores/attacks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The whole list of ids, and the only place where it stands apart from the table.
ids()
{
    printf 'id A%d\n' {1..20}
    printf 'id M%d\n' {1..16}
    printf 'id 5.2%s\n' {a..u}
    printf 'id 5.1-%s\n' XSA-155 RING_COPY_RESPONSE 02d69864b5 v3-dummy d99e5b8857ed 64d6871827b1 \
        9699f7a70eb8 e6587cdbd732 81b8519de1b4 05ac8a683962 06b919a51772 d90a1ca60a1e c8d70a29d6bb \
        c8d647a326f0 Babchuk b0576cc9c6b8 f57034cedeb6 8fafac202d18 03e143b2aceb poll-race \
        accept-EAGAIN read-counter CVE-2026-72380
}

# "runs FILE:FUNCTION" of each cmocka test that is both defined and in its program's list, and
# "runs FILE" of each program without cmocka and each script.
what_runs()
{
    cd "$tests"
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
    cat "$work/facts" "$1" | awk '
        function close_row() {
            if (row != "" && !reason && !tested) print row ": neither a test nor a reason"
            if (row != "" && !reason && !planted) print row ": neither a plant nor a reason"
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
            if ($2 !~ /^(front|back|both|control):$/) print row ": side " $2
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
    sed "$1" "$table" >"$work/attacks"
    said=$(check "$work/attacks")
    [ "$said" = "$2" ] || { echo "after $1 it says: $said"; exit 1; }
}
lie 's/^M1 /M0 /' $'M0: no such id\nM1: no row'
lie 's/^M12 /M11 /' $'M11: two rows\nM12: no row'
lie 's/^A20 back/A20 all/' 'A20: side all:'
lie 's/beyond_unanswered$/beyond_answered/' \
    'A2: no program runs cores/test_lying_front:req_prod_beyond_answered'
lie 's/test_swarm.sh/test_swarms.sh/' \
    $'A8: no program runs swarm/test_swarms.sh
A8: no test of the row notices swarm_back_never_looks_again'
lie 's/plant attack_order_unchecked/plant attack_order_checked/' \
    $'A5: no plant attack_order_checked\n5.2k: no plant attack_order_checked'
lie 's/plant attack_id_0_is_none/plant attack_ids_twice/' \
    '5.2q: no test of the row notices attack_ids_twice'
lie 's/lacks a boot.*/lacks/' $'5.1-03e143b2aceb: what is     lacks?
5.1-03e143b2aceb: neither a test nor a reason
5.1-03e143b2aceb: neither a plant nor a reason'
echo "$(ids | wc -l) attacks and defects, $(grep -c '^ *test ' "$table") times a test"
