# shellcheck shell=bash
# What the end-to-end tests share, to be sourced: a directory of the test's own, in which it then
# is; processes that are bounded in time and gone at the end, whatever happens; assertions about
# exit codes, results and what is left behind. It starts nothing by itself.
#
# Every process a test starts inherits a mark in its environment, by which those that were left
# over are found, also when their parent died.
set -euo pipefail
: "${XENSOCK:?names the command under test}" "${SOURCE:?names the source tree}"

[ -x "$XENSOCK" ] || { echo "skipped: there is no $XENSOCK"; exit 77; }
for tool in socat ss python3 xxh128sum; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

work=$(mktemp -d /tmp/xensock-test.XXXXXX) # short: socket addresses lie below it
export XENSOCK_TEST=$work
export XDG_RUNTIME_DIR=$work/runtime # where a run makes its own directory
export CI=1                          # no progress line, whatever stderr is
mkdir -m 0700 "$XDG_RUNTIME_DIR"
cd "$work"

# The processes that carry the mark, by pid.
ours()
{
    # shellcheck disable=SC2016
    env -u XENSOCK_TEST sh -c 'grep -lzx "XENSOCK_TEST=$1" /proc/[0-9]*/environ 2>/dev/null |
        cut -d / -f 3' sh "$work"
}

clean_up()
{
    local pid
    for pid in $(ours); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    wait
    cd /
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# fail TEXT...: with what the last command and the background ones said.
fail()
{
    echo "FAIL: $*"
    tail -n 40 "$work"/*.log 2>/dev/null || true
    exit 1
}

# within SECONDS COMMAND...: until it succeeds. For what another process does and nobody announces.
within()
{
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "it never came to: $*"
        sleep 0.02
    done
}

# expect CODE COMMAND...: ends with CODE, in time. Its output is in out.log and err.log.
expect()
{
    local code=$1 got=0
    shift
    timeout -k 5 50 "$@" </dev/null >out.log 2>err.log || got=$?
    [ "$got" = "$code" ] || fail "exit code $got instead of $code: $*"
}

# start NAME COMMAND...: in the background, in a group of its own and interruptible (a shell's own
# background processes are not). Sets `pid`; the output is in NAME.log, the errors in NAME.err.log.
start()
{
    local name=$1
    shift
    rm -f "$name.log" "$name.err.log" # of an earlier one of that name
    setsid env --default-signal=INT "$@" </dev/null >"$name.log" 2>"$name.err.log" &
    pid=$!
}

is_over()
{
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    stat=${stat##*) }
    [ "${stat%% *}" = Z ]
}

# ended PID CODE SECONDS: it ends by itself, in time, with CODE.
ended()
{
    local code=0
    within "$3" is_over "$1"
    wait "$1" || code=$?
    [ "$code" = "$2" ] || fail "exit code $code instead of $2"
}

# part LAUNCHER WORD...: the pid of a child of LAUNCHER with these words in its command line.
part()
{
    local launcher=$1 stat pid parent word line
    shift
    for stat in /proc/[0-9]*/stat; do
        { read -r pid line <"$stat"; } 2>/dev/null || continue
        read -r _ parent _ <<<"${line##*) }"
        [ "$parent" = "$launcher" ] || continue
        line=" $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")" || continue
        for word in "$@"; do
            [[ $line == *" $word "* ]] || continue 2
        done
        echo "$pid"
        return 0
    done
    return 1
}

# nothing_left: no process of the test, and no runtime directory.
nothing_left()
{
    local pid
    for pid in $(ours); do
        is_over "$pid" || fail "process $pid is left: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
    done
    [ -z "$(ls -A "$XDG_RUNTIME_DIR")" ] || fail "left in the runtime directory:" \
        "$(ls -A "$XDG_RUNTIME_DIR")"
}

# holds FILE EXPRESSION...: Python expressions that must be true of the result in FILE. r is all of
# it, m its metrics, c its counters, p its processes by name, e the codes of its errors, t its
# errors as one text, f its faults. (Only peaks, what is left, and what peers count are of the whole run; the
# backend's other counters begin when it hears of the measured phase.)
holds()
{
    python3 - "$@" <<'EOF' || fail "the result is not as it should be"
import json, sys
with open(sys.argv[1]) as file:
    r = json.load(file)
repeat = r["points"][0]["repeats"][0] if r.get("points") else {}
names = {"r": r, "m": repeat.get("metrics", {}), "c": repeat.get("counters", {}),
         "p": {one["name"]: one for one in repeat.get("processes", [])},
         "f": repeat.get("faults", []),
         "e": [one["code"] for one in r["errors"]], "t": json.dumps(r["errors"])}
bad = False
for text in ["r['schema'] == 'xensock/result/1'"] + sys.argv[2:]:
    try:
        good = eval("(" + text + ")", names)
    except Exception as error:
        good = None
        print(type(error).__name__, error)
    if not good:
        bad = True
        print("does not hold:", text)
if bad:
    print(json.dumps(r["errors"], indent=1), json.dumps(names["m"], indent=1)[:4000],
          json.dumps(names["c"], indent=1))
sys.exit(bad)
EOF
}

# free_port [HOST]: a port of loopback that nobody has at the moment. Only for listeners which
# cannot take port 0 themselves.
free_port()
{
    python3 - "${1-127.0.0.1}" <<'EOF'
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM) as one:
    one.bind((sys.argv[1], 0))
    print(one.getsockname()[1])
EOF
}

# listens PORT: somebody does.
listens()
{
    [ -n "$(ss -Htln "sport = :$1")" ]
}

# socat_port NAME: the port a background socat NAME, with -d -d, said it listens on.
socat_port()
{
    within 10 grep -qs 'listening on' "$1.err.log"
    sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$1.err.log"
}

# A sanitizer makes everything many times slower and larger.
sanitized()
{
    grep -q -e __asan_init -e __tsan_init "$XENSOCK"
}
