#!/bin/sh
# race.sh PROGRAM: passes if ThreadSanitizer reports a data race in PROGRAM, and none when the same
# program is told to go through the door. Its own exit code is not asked: only the report counts.
set -eu
program=$1

if "$program" door 2>&1 | grep 'WARNING: ThreadSanitizer'; then
    echo "a race was reported although every access went through ringlib/shared.h"
    exit 1
fi
report=$("$program" 2>&1) || true
if ! printf '%s\n' "$report" | grep 'WARNING: ThreadSanitizer: data race'; then
    printf '%s\n' "$report"
    echo "the planted plain access to shared memory was not reported"
    exit 1
fi
