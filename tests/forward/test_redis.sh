#!/bin/bash
# redis-benchmark with pipelining, and values set and got back, with the server on either side.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
needs redis-server redis-cli redis-benchmark

requests=50000
! brief || requests=5000

ports server near far
start redis redis-server --bind 127.0.0.1 --port "$server" --dir "$work" --save '' \
    --appendonly no --daemonize no
redis=$pid
within 10 listens "$server"
forward -L "$near:127.0.0.1:$server" -R "$far:127.0.0.1:$server"

# 2,000 values of up to 4 KiB, some of them binary.
"$XENSOCK" payload --seed 9 --bytes 1MiB >value
{ cat value && echo; } >value_line
python3 - <<'END'
import random
random.seed(9)
with open("sets", "wb") as sets, open("gets", "w") as gets, open("expected", "w") as values:
    for number in range(2000):
        value = random.randbytes(random.randrange(1, 2048)).hex()
        sets.write(f"SET key{number} {value}\r\n".encode())
        gets.write(f"GET key{number}\n")
        values.write(value + "\n")
END
for port in "$near" "$far"; do
    cli=(redis-cli -h 127.0.0.1 -p "$port")
    expect 0 redis-benchmark -h 127.0.0.1 -p "$port" -q -P 16 -n $requests -c 50 -d 100 \
        -t ping,set,get,lpush,lrange_100
    ! grep -qi error out.log err.log || fail "redis-benchmark: $(grep -i error out.log err.log)"
    [ "$(grep -c 'requests per second' out.log)" -ge 6 ] || fail "not every benchmark ended"
    expect 0 "${cli[@]}" FLUSHALL
    timeout 20 "${cli[@]}" --pipe <sets >out.log || fail "values cannot be set"
    grep -qx 'errors: 0, replies: 2000' out.log || fail "set: $(tail -n 1 out.log)"
    timeout 20 "${cli[@]}" <gets | cmp - expected || fail "other values come back"
    timeout 20 "${cli[@]}" -x SET big <value >out.log || fail "a big value cannot be set"
    # The client ends what it prints with a line's end, which is read too: a pipe closed before it
    # would kill the client in the middle of saying so.
    timeout 20 "${cli[@]}" GET big >got || fail "a big value cannot be got"
    cmp got value_line || fail "it comes back otherwise"
done
forwarded
interrupted "$redis"
nothing_left
