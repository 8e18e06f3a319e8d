#!/bin/bash
# Connections that end otherwise than by both sides in good order, on either side, and others beside
# them that do not notice: see ends.py.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
needs nc

ports target beside near near_beside far far_beside
rules=(-L "$near:127.0.0.1:$target" -L "$near_beside:127.0.0.1:$beside"
    -R "$far:127.0.0.1:$target" -R "$far_beside:127.0.0.1:$beside")
forward --hold 200ms "${rules[@]}"

near()
{
    expect 0 python3 "$SOURCE/tests/forward/ends.py" "$1" "$near" "$target" "$near_beside" "$beside"
}

far()
{
    expect 0 env FAR=1 python3 "$SOURCE/tests/forward/ends.py" "$1" "$far" "$target" "$far_beside" "$beside"
}

for end in refuses resets_in_the_middle never_reads ends_its_direction is_silent; do
    near $end
    far $end
done
near server_ends_its_direction
near never_answers
far never_answers
forwarded

export CONNECT_TIMEOUT=0.3
forward --connect-timeout 300ms "${rules[@]}"
near is_given_up
far is_given_up
forwarded
nothing_left
