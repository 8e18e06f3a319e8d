#!/bin/bash
# The table `attacks` tells the truth: every id stands in it once, every test it names is one that
# its program runs, every plant is a row of plants/table that one of the row's tests must notice,
# and what has no test or no plant says why. Whether it is noticed is plants/plant.sh's to see.
set -euo pipefail
table=${SOURCE:?}/tests/cores/attacks
# shellcheck disable=SC2034 # claims.sh has it
sides='front|back|both|control'

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

# shellcheck disable=SC1091 # it is looked at by itself
. "$SOURCE/tests/claims.sh"

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
