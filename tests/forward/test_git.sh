#!/bin/bash
# git clone over http, from files that nginx serves on either side.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
needs git nginx

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 HOME=$work
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost
export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost

# Packed objects and loose ones: each loose one is a request.
git init -q -b main origin
for round in packed loose; do
    mkdir "origin/$round"
    "$XENSOCK" payload --seed 8 --bytes 2MiB | (cd "origin/$round" && split -d -a 3 -b 32768 -)
    for file in "origin/$round"/*; do
        echo "$round" >>"$file"
    done
    git -C origin add .
    git -C origin commit -q -m "$round"
    [ $round = loose ] || git -C origin repack -q -a -d
done
mkdir www
git clone -q --bare --no-hardlinks --no-local origin www/packed.git
cp -R origin/.git www/origin.git
git -C www/origin.git update-server-info
git -C www/packed.git update-server-info

ports server near far
serve_files "$server"
forward -L "$near:127.0.0.1:$server" -R "$far:127.0.0.1:$server"
for port in "$near" "$far"; do
    for name in origin packed; do
        expect 0 git clone -q "http://127.0.0.1:$port/$name.git" clone
        [ "$(git -C clone rev-parse HEAD)" = "$(git -C origin rev-parse HEAD)" ] ||
            fail "another commit was cloned"
        expect 0 git -C clone fsck --full --strict
        diff -r -x .git origin clone || fail "the clone has other files"
        rm -r clone
    done
done
forwarded
interrupted "$nginx"
nothing_left
