#!/bin/bash
# Files from nginx: a big one, a thousand small ones over kept and over fresh connections, and many
# requests at the same time; nginx is on either side. ab on fresh connections waits for the server's
# end of each, which must come at once.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
needs nginx curl ab openssl nc

files=1000
requests=2000
bytes=1GiB
if brief; then
    files=100
    requests=400
    bytes=64MiB
fi

hash()
{
    openssl dgst -sha256 -r | cut -d ' ' -f 1
}

ports server near far
serve_files "$server"
"$XENSOCK" payload --seed 6 --bytes $bytes | tee www/big | hash >big.hash
mkdir www/small
"$XENSOCK" payload --seed 7 --bytes $((files * 1499)) |
    (cd www/small && split -d -a 3 -b 1499 -)
(cd www/small && xxh128sum -- *) >small.hashes
[ "$(wc -l <small.hashes)" = $files ] || fail "there are not $files small files"
forward -L "$near:127.0.0.1:$server" -R "$far:127.0.0.1:$server"

# all_there FOLDER: the small files are in it, byte by byte.
all_there()
{
    (cd "$1" && xxh128sum -c --quiet "$work/small.hashes") || fail "not all small files are right"
    rm -r "$1"
}

# fetch_small PORT OPTION...: with one curl; tells how many connections it made.
fetch_small()
{
    local port=$1
    shift
    expect 0 curl -sS --fail-early -f --create-dirs --output-dir got -o 'x#1' -w '%{num_connects}\n' \
        "$@" "http://127.0.0.1:$port/small/x[000-$((files - 1))]"
    all_there got
    awk '{ sum += $1 } END { print sum }' out.log
}

# bombard PORT REQUESTS [OPTION]...
bombard()
{
    local port=$1 requests=$2
    shift 2
    expect 0 ab -q "$@" -n "$requests" -c 50 "http://127.0.0.1:$port/small/x042"
    python3 - "$requests" <<'END' || fail "ab: $(grep -E 'requests|responses' out.log)"
import re, sys
with open("out.log") as file:
    said = dict(re.findall(r"^([^:\n]+): +(\d+)", file.read(), re.M))
wanted = int(sys.argv[1])
assert int(said["Complete requests"]) == wanted and int(said["Failed requests"]) == 0, said
assert int(said["HTML transferred"]) == wanted * 1499 and "Non-2xx responses" not in said, said
END
}

for port in "$near" "$far"; do
    expect 0 bash -c "set -o pipefail; curl -sSf http://127.0.0.1:$port/big | openssl dgst -sha256 -r"
    [ "$(cut -d ' ' -f 1 out.log)" = "$(cat big.hash)" ] || fail "the big file came otherwise"
    connects=$(fetch_small "$port")
    [ "$connects" = 1 ] || fail "one kept connection was $connects"
    connects=$(fetch_small "$port" --parallel --parallel-max 16)
    [ "$connects" -le $((files / 2)) ] || fail "kept connections were $connects"
    connects=$(fetch_small "$port" --parallel --parallel-max 16 -H 'Connection: close')
    [ "$connects" = $files ] || fail "fresh connections were $connects"
    bombard "$port" $requests
    bombard "$port" $((5 * requests / 2)) -k
    printf 'GET /small/x042 HTTP/1.0\r\n\r\n' | timeout 10 nc -N 127.0.0.1 "$port" |
        tail -c 1499 | cmp - www/small/x042 || fail "nc has another file"
done
forwarded
interrupted "$nginx"
nothing_left
