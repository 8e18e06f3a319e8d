# shellcheck shell=bash disable=SC2034,SC2154
# The rows `stream`, `rtt` and `connect` of tools/bench, to be sourced by it: the same load through
# several arms, in turns on one CPU, each compared with plain TCP of the same round.
#
#   native   TCP over loopback, the client and the server of load.c: what all are divided by
#   nagle    the same without TCP_NODELAY, for information
#   unix     a stream socket of AF_UNIX
#   nginx, haproxy, socat   that client through a TCP proxy with its default settings
#   calls    the client is a guest and makes the protocol's own calls (load_guest.c); its socket is at
#            the backend, which goes on by TCP to the same server
#   forward  that client, unmodified, through `xensock forward -L`: what nginx, haproxy and socat are
#            to be compared with
#   calls-DIALECT, forward-DIALECT   the same two in another dialect, which are also compared with
#            draft 1's of the same round
#
# TCP_NODELAY and one congestion control on every TCP socket of every arm (by load_preload.c in
# programs that are not ours to change, and in ours), which is looked at, and the run fails if it is
# not so. A connection counts when its server has been heard, since proxies accept early.
# All of it runs before whoever else is on the CPU, if the user may have a niceness below 0. The same
# once more on two CPUs, wherever the scheduler puts whom, is information: how far apart the two are at
# the time, a cache line's round trip between them, stands beside it.

ARMS=(native nagle unix nginx haproxy socat calls forward)
CELLS_STREAM=(up:64 up:1024 up:16384 up:65536 down:64 down:1024 down:16384 down:65536)
CELLS_RTT=(rtt:64 rtt:1024 rtt:16384)
CELLS_CONNECT=(connect:1)
LIFE=3600 # seconds that a server lives at most
arms=("${ARMS[@]}")
dialects=()         # that are measured beside draft 1
order=6             # of the data rings of all that are ours
declare -A ring     # "in out", in bytes, by dialect
sample_ms=200
net=                # a directory of the run's own
daemons=()          # pids
declare -A count    # of writes, round trips or connections of a sample, by cell and arm
declare -A port     # by arm, with ".greet" behind it for connect
client=()

# ---- what is needed ----------------------------------------------------------------------------

# needs PROGRAM PACKAGE
needs()
{
    command -v "$1" >/dev/null ||
        fail "$1 is missing (Debian: $2; tools/packages.sh bench installs it)" 77
}

has_arm()
{
    [[ " ${arms[*]} " == *" $1 "* ]]
}

# dialect_of ARM
dialect_of()
{
    case $1 in
    *-*) echo "${1#*-}" ;;
    *) echo xensock1 ;;
    esac
}

network_needs()
{
    local arm
    PATH=$PATH:/usr/sbin # of servers, which an ordinary user may start too
    needs ss iproute2
    for arm in haproxy socat; do
        ! has_arm $arm || needs $arm $arm
    done
    if has_arm nginx; then
        needs nginx nginx-light
        nginx_module=$(nginx -V 2>&1 |
            sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')/ngx_stream_module.so
        [ -f "$nginx_module" ] || fail "nginx's stream module is missing (Debian:\
 libnginx-mod-stream; tools/packages.sh bench installs it)" 77
    fi
}

# ---- processes ---------------------------------------------------------------------------------

# begin NAME COMMAND...: until network_stop; its output goes to NAME.log.
begin()
{
    local log=$net/$1.log
    shift
    XDG_RUNTIME_DIR=$net timeout -k 5 $LIFE "$@" </dev/null >"$log" 2>&1 &
    daemons+=($!)
}

# preloaded ARM NAME COMMAND...: the same, with the options set on its sockets.
preloaded()
{
    local arm=$1 name=$2
    shift 2
    begin "$name" env LD_PRELOAD="$bench/load_preload.so" BENCH_CONGESTION="$congestion" \
        BENCH_NOTES="$net/$arm.notes" "$@"
}

network_stop()
{
    local pid
    for pid in "${daemons[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${daemons[@]}"; do
        wait "$pid" || true
    done 2>/dev/null
    daemons=()
}

network_clean_up()
{
    network_stop
    [ -z "$net" ] || rm -rf "$net"
}

# within COMMAND...: until it succeeds, for ten seconds. For what nobody announces.
within()
{
    local end=$((SECONDS + 10))
    until "$@"; do
        [ $SECONDS -lt $end ] || { tail -n 5 "$net"/*.log >&2; fail "it never came to: $*"; }
        sleep 0.02
    done
}

listens()
{
    [ -n "$(ss -Htln "sport = :$1")" ]
}

start_native()
{
    local kind
    for kind in serve greet; do
        begin native.$kind "$bench/load" --congestion "$congestion" $kind 0
        begin nagle.$kind "$bench/load" --nagle --congestion "$congestion" $kind 0
        begin unix.$kind "$bench/load" $kind "$net/unix.$kind"
    done
    for kind in {native,nagle,unix}.{serve,greet}; do
        within test -s "$net/$kind.log"
        read -r "port[$kind]" <"$net/$kind.log" || fail "$kind: $(cat "$net/$kind.log")"
    done
    target=127.0.0.1:${port[native.serve]}
    greeter=127.0.0.1:${port[native.greet]}
}

start_nginx()
{
    cat >"$net/nginx.conf" <<END
load_module $nginx_module;
daemon off;
master_process off;
pid $net/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
stream {
    server { listen 127.0.0.1:${port[nginx.serve]}; proxy_pass $target; }
    server { listen 127.0.0.1:${port[nginx.greet]}; proxy_pass $greeter; }
}
END
    preloaded nginx nginx nginx -e stderr -p "$net" -c "$net/nginx.conf"
}

start_haproxy()
{
    cat >"$net/haproxy.cfg" <<END
global
    nbthread 1
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen serve
    bind 127.0.0.1:${port[haproxy.serve]}
    server native $target
listen greet
    bind 127.0.0.1:${port[haproxy.greet]}
    server native $greeter
END
    preloaded haproxy haproxy haproxy -db -f "$net/haproxy.cfg"
}

start_socat()
{
    local listen=bind=127.0.0.1,reuseaddr,fork,backlog=1024
    preloaded socat socat.serve socat "TCP4-LISTEN:${port[socat.serve]},$listen" "TCP4:$target"
    preloaded socat socat.greet socat "TCP4-LISTEN:${port[socat.greet]},$listen" "TCP4:$greeter"
}

# start_calls ARM
start_calls()
{
    begin "$1.hypervisor" "$build/xensock" hypervisor --runtime "$net/$1" \
        --dialect "$(dialect_of "$1")"
    within test -S "$net/$1/domain-0.sock"
    preloaded "$1" "$1.backend" "$build/xensock" backend --runtime "$net/$1" --notify coalesced
}

# start_forward ARM
start_forward()
{
    preloaded "$1" "$1" "$build/xensock" forward --dialect "$(dialect_of "$1")" --order "$order" \
        --notify coalesced -L "${port[$1.serve]}:$target" -L "${port[$1.greet]}:$greeter"
}

# All arms, on the CPUs that the script is on by now.
network_start()
{
    local arm free
    rm -f "$net"/*.log "$net"/*.notes "$net"/unix.*
    start_native
    read -r -a free < <("$bench/load" ports $((2 * ${#arms[@]})))
    for arm in "${arms[@]}"; do
        case $arm in
        native | nagle | unix) continue ;;
        calls*) start_calls "$arm" && continue ;;
        esac
        port[$arm.serve]=${free[0]} port[$arm.greet]=${free[1]}
        free=("${free[@]:2}")
        "start_${arm%%-*}" "$arm"
        within listens "${port[$arm.serve]}"
        within listens "${port[$arm.greet]}"
    done
}

# ---- samples -----------------------------------------------------------------------------------

# client_of ARM serve|greet: sets `client`, a command to which what is to be done is added.
client_of()
{
    case $1 in
    calls*)
        client=("$bench/load_guest" "$net/$1" "$(dialect_of "$1")" "$order" "${port[native.$2]}")
        ;;
    unix) client=("$bench/load" "$net/unix.$2") ;;
    nagle) client=("$bench/load" --nagle --congestion "$congestion" "${port[nagle.$2]}") ;;
    *) client=("$bench/load" --congestion "$congestion" "${port[$1.$2]}") ;;
    esac
}

# load ARM CELL COUNT [LOOK]: sets ns, p50, p99.
load()
{
    local arm=$1 what=${2%:*} size=${2#*:} said server=serve
    [ "$what" != connect ] || server=greet
    client_of "$arm" $server
    shift 2
    said=$("${client[@]}" "$what" "$size" "$@" 2>"$net/client.log") ||
        { tail -n 5 "$net"/*.log >&2; fail "$arm, $what, $size bytes, $1 times: failed"; }
    read -r ns p50 p99 <<<"$said"
}

# look ARM SOCKETS NOTE...: the arm's connection has so many TCP sockets, all as they are to be, and
# its programs have noted how they came by theirs.
look()
{
    local arm=$1 sockets=$2 ports="sport = :${port[native.serve]} or dport = :${port[native.serve]}"
    local own=${port[$1.serve]-}
    shift 2
    [ "$arm" != nagle ] || ports="sport = :$own or dport = :$own"
    [ -z "$own" ] || ports+=" or sport = :$own or dport = :$own"
    load "$arm" rtt:64 2 "ss -tinHO state established '( $ports )' | awk '
        index(\$0, \" $congestion \") { good++ }
        END { if (NR == $sockets && good == $sockets) exit 0
              print \"of $sockets sockets with $congestion there are \" NR \", \" good \" good\"
              exit 1 }' >&2"
    while [ $# -gt 0 ]; do
        grep -qx "$1" "$net/$arm.notes" || fail "$arm has $1 no socket with load_preload.so"
        shift
    done
}

network_look()
{
    local arm
    for arm in "${arms[@]}"; do
        case $arm in
        native | nagle) look "$arm" 2 ;;
        unix) ;;
        calls*) look "$arm" 2 made ;;
        *) look "$arm" 4 made accepted ;;
        esac
    done
}

# calibrate ARM CELL: sets its count, for samples that last as long as they should.
calibrate()
{
    local wanted=$((sample_ms * 1000000)) n=100 times
    while load "$1" "$2" $n; [ $((4 * ns)) -lt $wanted ]; do
        times=$((wanted / 2 / ns))
        n=$((n * (times < 2 ? 2 : times > 20 ? 20 : times)))
    done
    n=$((n * (wanted / 1000) / (ns / 1000)))
    count[$2,$1]=$((n > 0 ? n : 1))
}

# sample ARM CELL ROUND: adds a line to the samples: width, cell, arm, round, value, p99.
sample()
{
    local n=${count[$2,$1]} value=0 us
    load "$1" "$2" "$n"
    us=$((ns / 1000))
    case $2 in
    rtt:*) value=$p50 ;;
    connect:*) value=$((n * 1000000 / us)) ;;
    *) value=$((n * ${2#*:} * 1000000 / us)) ;;
    esac
    echo "$width $2 $1 $3 $value $p99" >>"$net/samples"
}

# cell CELL: all arms in turns, in another order each round.
cell()
{
    local arm round
    for arm in "${arms[@]}"; do
        calibrate "$arm" "$1"
    done
    for round in $(seq "$PAIRS"); do
        for arm in $(shuf -e "${arms[@]}"); do
            sample "$arm" "$1" "$round"
        done
        [ "$width" = 1 ] || line
    done
}

# The two CPUs' distance at the moment.
line()
{
    local one
    # shellcheck disable=SC2086
    read -r _ one _ < <("$bench/load" line ${pair/,/ }) || fail "no cache line went round"
    echo "$one" >>"$net/line"
}

# ---- what else is going on ---------------------------------------------------------------------

# busy: hundredths of seconds of all CPUs so far that were not idle, and those that a hypervisor stole.
busy()
{
    awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 + $9, $9; exit }' /proc/stat
}

# Sets own: hundredths of seconds that this script and all it waited for have used. (In a subshell
# `times` is the subshell's.)
own_time()
{
    times >"$net/times"
    own=$(awk -F '[ ms]+' '{ sum += 60 * ($1 + $3) + $2 + $4 } END { printf "%d", 100 * sum }' \
        "$net/times")
}

# per_cpu HUNDREDTHS SECONDS: how many CPUs that is.
per_cpu()
{
    awk "BEGIN { printf \"%.2f\", ($1 > 0 && $2 > 0 ? $1 / 100 / $2 : 0) }"
}

# cpu_list: the CPUs that the script may use, one a line.
cpu_list()
{
    taskset -cp $$ | sed 's/.*: //' | tr , '\n' |
        awk -F - '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }'
}

# ---- all of it ---------------------------------------------------------------------------------

# placed WIDTH LIST: every cell with everything on these CPUs, so many.
placed()
{
    local one kind
    width=$1
    taskset -cp "$2" $$ >/dev/null
    network_start
    network_look
    for kind in "${network[@]}"; do
        local -n cells=CELLS_${kind^^}
        for one in "${cells[@]}"; do
            cell "$one"
            network_rows "$one"
        done
    done
    network_stop
}

# measured LIST...: the same for each list of CPUs; sets foreign and stolen, in CPUs.
measured()
{
    local from stolen_from own_from list began=$SECONDS to seconds
    read -r from stolen_from < <(busy)
    own_time
    own_from=$own
    for list in "$@"; do
        placed "$(tr , '\n' <<<"$list" | wc -l)" "$list"
    done
    read -r to stolen < <(busy)
    own_time
    seconds=$((SECONDS - began))
    foreign=$(per_cpu $((to - from - (stolen - stolen_from) - (own - own_from))) $seconds)
    stolen=$(per_cpu $((stolen - stolen_from)) $seconds)
}

network_build()
{
    [ -z "${BENCH_BUILD-}" ] || return 0
    quiet cmake --preset release
    quiet cmake --build --preset release --target xensock load load_guest load_preload
}

# The dialects and the order exist: sets ring.
network_rings()
{
    local dialect
    for dialect in xensock1 "${dialects[@]}"; do
        ring[$dialect]=$("$bench/load_guest" layout "$dialect" "$order" 2>&1) ||
            usage "${ring[$dialect]}"
    done
}

# What was asked for in `network`.
network_run()
{
    local from to
    network_needs
    network_build
    bench=$build/tests/bench
    network_rings
    congestion=$("$bench/load" congestion)
    net=$(mktemp -d "${TMPDIR:-/tmp}/xensock-bench.XXXXXX") # short: sockets lie below it
    trap network_clean_up EXIT
    trap 'exit 130' INT TERM
    renice -n -15 $$ >/dev/null 2>&1 || true # before whoever else is on that CPU, where we may
    pair=$(cpu_list | tail -n 2 | paste -sd,)
    read -r from _ < <(busy)
    sleep 1
    read -r to _ < <(busy)
    foreign_before=$(per_cpu $((to - from)) 1)
    network_opening
    if [[ $pair == *,* ]]; then
        measured "$cpu" "$pair"
    else
        measured "$cpu"
    fi
    network_closing
}
