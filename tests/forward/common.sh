# shellcheck shell=bash
# What the end-to-end tests of forwarding share, to be sourced: ports, a forwarding, servers.
# shellcheck disable=SC1091,SC2034,SC2154
. "$(dirname "$0")/../run/common.sh"
PATH=$PATH:/usr/sbin # of servers, which an ordinary user may start too
# sshd and redis write a title over their environment, and the mark is lost with it.
# shellcheck disable=SC2046
trap 'kill -KILL $(jobs -p) 2>/dev/null || true; clean_up' EXIT

# needs PROGRAM...: or the test is skipped.
needs()
{
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || { echo "skipped: $program is missing"; exit 77; }
    done
}

# ports NAME...: sets each to a port of loopback that nobody has, below those that the system gives
# to connections, of which these tests make thousands.
ports()
{
    local all name
    all=$(python3 - $# <<'END'
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    one = socket.socket()
    try:
        one.bind(("127.0.0.1", random.randrange(10240, 32000)))
    except OSError:
        continue
    held.append(one)
print(*(one.getsockname()[1] for one in held))
END
    )
    for name in "$@"; do
        printf -v "$name" %s "${all%% *}"
        all=${all#* }
    done
}

# What the guest speaks, where a test does not say it: test_dialects.sh has all of this in other
# dialects. With FORWARD_BRIEF less is carried.
speaks=()
[ -z "${FORWARD_DIALECT-}" ] || speaks+=(--dialect "$FORWARD_DIALECT")
[ -z "${FORWARD_ORDER-}" ] || speaks+=(--order "$FORWARD_ORDER")

brief()
{
    [ -n "${FORWARD_BRIEF-}" ] || sanitized
}

# forward ARGUMENT...: starts one and waits until all of its rules listen. Sets `forward`, its pid.
forward()
{
    carry forward "$@"
}

# carry forward|socks ARGUMENT...
carry()
{
    start forward "$XENSOCK" "$1" "${speaks[@]}" "${@:2}"
    forward=$pid
    within 10 is_ready "$forward"
    is_spoken "$XDG_RUNTIME_DIR"/xensock-*
}

# is_spoken RUNTIME: the guest has a device of the dialect that is asked for.
is_spoken()
{
    local dialect=${FORWARD_DIALECT-xensock1}
    [ -d "$1" ] || return 0 # it joined a testbed elsewhere
    "$XENSOCK" ps --runtime "$1" >ps.log 2>&1 || fail "ps cannot look in"
    # its name is the dialect's but for the version
    grep -q "^${dialect/1/}  *0  *domain 1 " ps.log || fail "no device of $dialect"
}

# room: how many connections the guest's tables have room for.
room()
{
    local code=0
    "$XENSOCK" forward "${speaks[@]}" --connections 16384 -L 1:127.0.0.1:1 2>room.log || code=$?
    [ "$code" = 2 ] || fail "16384 connections fit"
    sed -n 's/.*have room for \([0-9]*\);.*/\1/p' room.log
}

is_ready()
{
    ! is_over "$1" || fail "the forwarding is over: $(cat forward.err.log)"
    grep -qsx ready forward.log
}

# forwarded [CODE]: it ends when interrupted, with CODE, without a word of error, and leaves nothing.
forwarded()
{
    kill -INT "$forward"
    ended "$forward" "${1-0}" 10
    [ ! -s forward.err.log ] || fail "the forwarding complains: $(cat forward.err.log)"
    [ "$(counter now)" = 0 ] || fail "connections are left: $(tail -n 2 forward.log)"
    [ -z "$(ls -A "$XDG_RUNTIME_DIR")" ] || fail "left: $(ls -A "$XDG_RUNTIME_DIR")"
}

# counter WORDS: what stands behind (of bytes: before) these words in the last counters it printed.
counter()
{
    tail -n 2 forward.log | sed -n -E "s/.*\\b$1 ([0-9]+).*/\\1/p"
}

# interrupted PID [CODE [SIGNAL]]: a server ends when it is told to.
interrupted()
{
    kill "-${3-INT}" "$1"
    ended "$1" "${2-0}" 10
}

# serve_files PORT: nginx with the files below `www`, as whoever runs the test, with nothing of the
# machine's configuration. Sets `nginx`, its pid.
serve_files()
{
    mkdir -p www
    cat >nginx.conf <<END
daemon off;
master_process off;
pid $work/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 100000;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server { listen 127.0.0.1:$1 backlog=2048; root $work/www; }
}
END
    start nginx nginx -e stderr -p "$work" -c "$work/nginx.conf"
    nginx=$pid
    within 10 listens "$1"
}
