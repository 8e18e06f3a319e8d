#!/bin/bash
# `xensock ps` and `xensock xenstore` before servers that do what the real one does not, or hardly
# ever; and the exit codes of each way in which there is nothing to be seen.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

# says CODE TEXT COMMAND...: ends with CODE and this error.
says()
{
    local code=$1 text=$2
    shift 2
    expect "$code" "$XENSOCK" "$@"
    grep -qF -- "$text" err.log || fail "no '$text' from $*: $(cat err.log)"
}

# as_json FILE EXPRESSION...: true of the JSON document j in FILE.
as_json()
{
    python3 - "$@" <<'PYTHON' || fail "$1 is not as it should be: $(head -c 2000 "$1")"
import json, sys
j = json.load(open(sys.argv[1]))
for text in sys.argv[2:]:
    assert eval(text), text
PYTHON
}

# ---- nobody there ------------------------------------------------------------------------------

says 2 'xensock ps: error[E0601]: there is no runtime directory here' ps --runtime here
mkdir -m 0755 here
says 2 'error[E0601]: refusing runtime directory here: it must be' ps --runtime here
chmod 0700 here
says 6 'error[E0601]: no hypervisor serves in here (here/xenstore.sock: No such file' ps --runtime here
says 6 'error[E0601]: no hypervisor in here has a domain 3' xenstore ls --runtime here --domain 3
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("here/xenstore.sock")' # of a dead one
says 6 'here/xenstore.sock: Connection refused' grants --runtime here
ln -s here link
says 2 'refusing runtime directory link' ports --runtime link
long=$(printf '%0200d' 0)
mkdir -m 0700 "$long"
says 2 'path too long for a socket' ports --runtime "$long"
expect 6 "$XENSOCK" xenstore read --runtime here --format json /v
as_json out.log 'j["schema"] == "xensock/xenstore-read/1"' 'j["errors"][0]["code"] == "E0601"'

# ---- a wrong command line ----------------------------------------------------------------------

for line in 'ps' 'grants --runtime here word' 'ports' 'xenstore --runtime here' 'xenstore ls' \
    'xenstore peek --runtime here /' 'xenstore read --runtime here' \
    'xenstore ls --runtime here /a /b' 'xenstore ls --runtime here --count 3' 'ps --nothing'; do
    # shellcheck disable=SC2086
    says 2 '' $line
    [ ! -s out.log ] || fail "$line prints"
done
says 2 '--domain takes a number up to' ps --runtime here --domain 70000
says 2 '--count takes a number from 1' xenstore watch --runtime here --count 0
says 2 '--timeout takes a duration' ps --runtime here --timeout 0ms
says 2 '--timeout takes a duration' ps --runtime here --timeout 61min
says 2 '--timeout takes a duration' ps --runtime here --timeout 5
says 2 '--format takes text or json' grants --runtime here --format yaml
for command in ps grants ports xenstore; do
    expect 0 "$XENSOCK" "$command" --help
    grep -q "^usage: xensock $command " out.log || fail "$command --help"
done

# ---- who answers oddly, or not -----------------------------------------------------------------

start odd "$SOURCE/tests/run/odd_xenstore.py" silent closes cut too-long other-request other-type \
    a-word-more nonsense no-progress no-number nothing node-goes node-is-withheld odd-error \
    events-before-answers list-changes list-always-changes
within 10 grep -qs serving odd.log
says 7 'error[E0802]: no answer within 20 ms' ps --runtime silent --timeout 20ms
kill -STOP "$pid" # it does not even accept
says 7 'error[E0802]: no answer within 20 ms' xenstore read --runtime silent --timeout 20ms /v
kill -CONT "$pid"
says 6 'error[E0602]: the hypervisor closed the connection' grants --runtime closes
says 6 'error[E0602]: the hypervisor closed the connection' xenstore read --runtime cut /v
says 5 'error[E0803]: what answers is no xenstore: a message of 4097 bytes' ps --runtime too-long
says 5 'error[E0803]: what answers is no xenstore: a message of type 2 and request 2, where an' \
    xenstore read --runtime other-request /v
says 5 'error[E0803]: what answers is no xenstore: a message of type 3 and request 1, where an' \
    xenstore read --runtime other-type /v
for oddity in a-word-more nonsense no-progress no-number; do
    says 5 "error[E0803]: the hypervisor's answer to \"domains\" cannot be understood" ps --runtime "$oddity"
done

# ---- lists, values, events ---------------------------------------------------------------------

says 1 'xensock xenstore read: error[E0801]: /none: there is no such (ENOENT)' \
    xenstore read --runtime nothing /none
says 1 'error[E0801]: /none: there is no such' xenstore ls --runtime nothing --format json /none
as_json out.log 'j["errors"] == [{"code": "E0801", "message": "/none: there is no such (ENOENT)"}]'
says 1 '(E2BIG)' xenstore read --runtime nothing "/$(printf '%04096d' 0)"
for command in ps grants ports 'xenstore ls'; do # whatever looks, and whether it looks as it or at it
    # shellcheck disable=SC2086
    says 6 'error[E0601]: no hypervisor in nothing has a domain 9' $command --runtime nothing --domain 9
done
expect 0 "$XENSOCK" ps --runtime nothing
grep -qx 'xensock  *0  domain 1  *Connected  *domain ?  *missing' out.log || fail "a device: $(cat out.log)"
grep -qx 'xensock  *1  domain 1  *Initialised  *domain ?  *missing' out.log || fail "half a device"
expect 0 "$XENSOCK" ps --runtime nothing --format json
as_json out.log 'j["devices"][0]["backend_path"] == "?[2J?"' 'j["domains"][0]["ports_max"] == 300'
expect 0 "$XENSOCK" xenstore ls --runtime nothing
cp out.log ours.log
[ "$(wc -l <ours.log)" = $((1500 + 8 + 512 + 1 + 11)) ] || fail "$(wc -l <ours.log) nodes"
grep -qxF '/v/9then7 = "\t7"   (n0)' ours.log || fail "a tab"
grep -qxF '/v/3 = "\003"   (n0)' ours.log || fail "a control character"
grep -qxF '/v/200then7 = "\xc87"   (n0)' ours.log || fail "no ASCII"
grep -qxF '/v = ""   (n0,r1,b2)' ours.log || fail "permissions"
if command -v xenstore-ls >/dev/null; then
    XENSTORED_PATH=nothing/xenstore.sock timeout 20 xenstore-ls -fp >theirs.log
    cmp ours.log theirs.log || fail "xenstore-ls -fp prints something else"
fi
expect 0 "$XENSOCK" xenstore ls --runtime nothing --format json /v
as_json out.log 'j["schema"] == "xensock/xenstore-ls/1"' 'len(j["nodes"]) == 512 + 6' \
    '{"path": "/v/utf8", "permissions": ["n0"], "value": "\u00e4"} in j["nodes"]' \
    '{"path": "/v/0then7", "permissions": ["n0"], "value_hex": "0037"} in j["nodes"]' \
    '{"path": "/v/200", "permissions": ["n0"], "value_hex": "c8"} in j["nodes"]'
expect 0 "$XENSOCK" xenstore read --runtime nothing /v/quote
[ "$(cat out.log)" = 'a "b"' ] || fail "a value with quotes"

expect 0 "$XENSOCK" xenstore ls --runtime list-changes /long
[ "$(wc -l <out.log) $(sort -u out.log | wc -l)" = '1499 1499' ] || fail "a changed list"
says 7 '/long changes too fast to be listed' xenstore ls --runtime list-always-changes /long
for oddity in node-goes node-is-withheld; do
    expect 0 "$XENSOCK" xenstore ls --runtime "$oddity" /v/depth
    [ "$(cat out.log)" = '/v/depth/1/2 = "2"   (n0)' ] || fail "$oddity: $(cat out.log)"
done
says 1 'error[E0801]: /v/depth/1: refused (EHOSTDOWN)' xenstore ls --runtime odd-error /v/depth

expect 0 "$XENSOCK" xenstore watch --runtime events-before-answers --count 3 /v
printf '%s\n' '/v/depth = "0"' '/w = "last"' '/v/depth = "0"' | cmp - out.log || fail "events"

kill "$pid"
wait "$pid" || true
nothing_left
