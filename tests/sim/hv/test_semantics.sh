#!/bin/bash
# The table `semantics` tells the truth: every row of what was measured on Xen stands in it once,
# with a test that runs and a planted defect that it must notice, or why not (claims.sh).
set -euo pipefail
table=${SOURCE:?}/tests/sim/hv/semantics
# shellcheck disable=SC2034 # claims.sh has it
sides='grants|ports|store'

# As many as there are rows in the three tables of what was measured.
ids()
{
    printf 'id G%d\n' {1..12}
    printf 'id E%d\n' {1..9}
    printf 'id X%d\n' {1..10}
}
# shellcheck disable=SC1091 # it is looked at by itself
. "$SOURCE/tests/claims.sh"

lie 's/^E9 /E8 /' $'E8: two rows\nE9: no row'
lie 's/plant semantics_born_silent/plant semantics_bound_twice_over/' \
    'E2: no plant semantics_bound_twice_over'
lie 's/:a_ref_can_be_mapped_twice/:a_ref_can_be_mapped_thrice/' \
    'G2: no program runs sim/hv/test_hv_semantics:a_ref_can_be_mapped_thrice'
lie '/lacks grant_copy/d' $'G10: neither a test nor a reason\nG10: neither a plant nor a reason'
echo "$(ids | wc -l) rows, $(grep -c '^ *test ' "$table") times a test"
