#!/bin/bash
# curl and git through the SOCKS5 door: by address and by name, many at once, and what a program is
# told that cannot get where it wants.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
needs curl git nginx

ports server door
mkdir -p www/many
bytes=64MiB
! brief || bytes=8MiB
"$XENSOCK" payload --seed 7 --bytes $bytes >www/large
"$XENSOCK" payload --seed 8 --bytes 512KiB | (cd www/many && split -d -a 3 -b 2048 -)
serve_files "$server"
carry socks "$door"

# through PROXY ARGUMENT...: curl, the door being what PROXY (socks5: or socks5h:) makes of it.
through()
{
    curl -sS -m 40 -x "$1//127.0.0.1:$door" "${@:2}"
}

sum=$(xxh128sum <www/large)
[ "$(through socks5h: "http://localhost:$server/large" | xxh128sum)" = "$sum" ] || fail "by name"
[ "$(through socks5: "http://127.0.0.1:$server/large" | xxh128sum)" = "$sum" ] || fail "by address"

# Fresh connections, ten at once: each talks first.
(cd www/many && ls) >names
mkdir got
export -f through
export door server
# shellcheck disable=SC2016
xargs -P 10 -I '{}' bash -c \
    'through socks5h: "http://localhost:$server/many/{}" -o "got/{}"' <names
diff -r www/many got || fail "small files differ"

# The answers of SOCKS: 5 refused, 4 no such host, 2 not allowed; curl ends with 97 for each.
ports nobody
refuses()
{
    local code=0
    through socks5h: "$2" >out.log 2>err.log || code=$?
    [ "$code" = 97 ] || fail "curl ends with $code, not 97"
    grep -q "($1)$" err.log || fail "it is not told $1: $(cat err.log)"
}
refuses 5 "http://127.0.0.1:$nobody/"
refuses 4 "http://no-such-host.invalid/"
refuses 2 "http://192.0.2.1/"

# A name that is not even UTF-8 is no host's, and that is said at once, not when a time is over.
exec {talk}<>"/dev/tcp/127.0.0.1/$door"
printf '\5\1\0\5\1\0\3\2\377\376\0\120' >&"$talk"
told=$(timeout 30 head -c 4 <&"$talk" | od -An -tx1 | tr -d ' \n')
[ "$told" = 05000504 ] || fail "a name of other bytes is answered $told"
exec {talk}>&-

# Who does not speak it is reset; who says nothing more after the greeting just ends.
code=0
curl -sS -m 10 "http://127.0.0.1:$door/" >out.log 2>&1 || code=$?
[ "$code" = 56 ] || fail "a client of HTTP ends with $code"

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 HOME=$work
git -c user.name=test -c user.email=test@localhost init -q -b main origin
cp www/many/x00* origin
git -C origin add .
git -C origin -c user.name=test -c user.email=test@localhost commit -q -m files
cp -R origin/.git www/origin.git
git -C www/origin.git update-server-info
expect 0 git -c "http.proxy=socks5h://127.0.0.1:$door" clone -q \
    "http://localhost:$server/origin.git" clone
diff -r -x .git origin clone || fail "the clone has other files"

forwarded
[ "$(counter refused)" = 5 ] || fail "refused: $(counter refused), not 5"
interrupted "$nginx"
nothing_left
