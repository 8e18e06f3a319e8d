#!/bin/bash
# The table `pvcalls1` tells the truth: each statement stands in it once, with tests that run, or why
# it has none; a plant is named where there is one of its own (claims.sh).
set -euo pipefail
table=${SOURCE:?}/tests/conformance/pvcalls1
# shellcheck disable=SC2034 # claims.sh has them
sides='front|back|both|wire' unplanted=allowed

# As many as protocol.md 3.1 to 3.4 have: the whole list, apart from the table.
ids()
{
    printf 'id 1.%d\n' {1..13}
    printf 'id 2.%d\n' {1..23}
    printf 'id 3.%d\n' {1..24}
    printf 'id 4.%d\n' {1..16}
}
# shellcheck disable=SC1091 # it is looked at by itself
. "$SOURCE/tests/claims.sh"

lie 's/^4.16 /4.15 /' $'4.15: two rows\n4.16: no row'
lie 's/^1.2 back/1.2 all/' '1.2: side all:'
lie 's/:reuse_is_ignored/:reuse_is_honoured/' \
    '3.12: no program runs cores/test_pvcalls_back:reuse_is_honoured'
lie '/lacks a command that/d' '3.24: neither a test nor a reason'
lie 's/plant pvcalls_backlog_is_ten/plant pvcalls_any_protocol/; s/:backlog_is_as_given/:backlog/' \
    '3.16: no program runs cores/test_pvcalls_back:backlog'
lie 's/plant pvcalls_order_read_twice/plant pvcalls_order_read_never/' \
    '4.5: no plant pvcalls_order_read_never'
echo "$(ids | wc -l) statements, $(grep -c '^ *test ' "$table") times a test"
