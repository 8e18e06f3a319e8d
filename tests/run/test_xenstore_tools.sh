#!/bin/bash
# xenstore's own tools and test, as Debian ships them, on the sockets of a running hypervisor: as
# domain 0, and as a guest with a guest's rights.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

test=/usr/lib/xen-4.17/bin/test-xenstore
for tool in xenstore-ls xenstore-read xenstore-watch "$test"; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

start hypervisor "$XENSOCK" hypervisor --runtime here
hypervisor=$pid
within 10 test -S here/xenstore-1.sock

# by SOCKET COMMAND...: with this socket of the hypervisor, and in time.
by()
{
    timeout 20 env XENSTORED_PATH="$work/here/$1.sock" "${@:2}"
}

# says TEXT SOCKET COMMAND...: succeeds and prints just that.
says()
{
    local text=$1 got
    shift
    got=$(by "$@") || fail "failed: $*"
    [ "$got" = "$text" ] || fail "'$got' instead of '$text': $*"
}

# refused TEXT SOCKET COMMAND...: fails, with this among its errors.
refused()
{
    local text=$1
    shift
    if by "$@" >out.log 2>err.log; then
        fail "not refused: $*"
    fi
    [ -z "$text" ] || grep -q "$text" err.log || fail "fails otherwise, with '$(cat err.log)': $*"
}

device=/local/domain/1/device/xensock/0
back=/local/domain/0/backend/xensock/1/0

# ---- domain 0: all of it, with the permissions a toolstack gives ----

by xenstore xenstore-ls -fp >tree.log || fail "no tree"
for line in "$device/state = \"1\"   (n1,r0)" "$back/state = \"1\"   (n0,r1)" \
    '/local/domain/1 = ""   (n0,r1)' '/tool/xenstored = ""   (n0)'; do
    grep -qxF "$line" tree.log || fail "the tree lacks $line"
done
says "$back" xenstore xenstore-read "$device/backend"
says '' xenstore xenstore-write /t/a 1 /t/b 2
says $'1\n2' xenstore xenstore-read /t/a /t/b
says $'a\nb' xenstore xenstore-list /t
by xenstore xenstore-exists /t/a || fail "/t/a does not exist"
refused '' xenstore xenstore-exists /t/none
refused "couldn't read path" xenstore xenstore-read /t/none
says '' xenstore xenstore-rm /t/b
says a xenstore xenstore-list /t
refused 'Invalid argument\|could not write' xenstore xenstore-write '/t//a' 1

# ---- a guest: what it may ----

refused 'Permission denied' xenstore-1 xenstore-ls /
refused "couldn't read path" xenstore-1 xenstore-read /t/a
says '' xenstore xenstore-chmod /t/a n0 r1
says '/t/a = "1"   (n0,r1)' xenstore xenstore-ls -fp /t
says 1 xenstore-1 xenstore-read /t/a
refused 'could not write' xenstore-1 xenstore-write /t/a 2
says '' xenstore xenstore-chmod /t/a n0 b1
says '' xenstore-1 xenstore-write /t/a 2
says 2 xenstore xenstore-read /t/a
says 1 xenstore-1 xenstore-read "$back/online"
refused 'could not write' xenstore-1 xenstore-write "$back/online" 0
says '' xenstore-1 xenstore-write data/own mine # below its own directory
says mine xenstore xenstore-read /local/domain/1/data/own
refused 'could not write' xenstore-1 xenstore-write data/large "$(printf '%02049d' 0)"
by xenstore xenstore-write /t/large "$(printf '%02049d' 0)" || fail "domain 0 has a quota"

# ---- watches ----

told_twice()
{
    [ "$(grep -cx /t/w watch.log)" = 2 ]
}

start watch env XENSTORED_PATH="$work/here/xenstore.sock" xenstore-watch -n 3 /t/w
within 10 grep -qx /t/w watch.log # as it was asked for
says '' xenstore xenstore-write /t/w 1
within 10 told_twice
says '' xenstore xenstore-write /t/w/x 1
ended "$pid" 0 10
[ "$(tail -n 1 watch.log)" = /t/w/x ] || fail "the watch saw $(cat watch.log)"

# ---- xenstore's own test, with and without somebody who writes in between ----

by xenstore "$test" -i 100 >test.log || fail "test-xenstore -i 100: $(cat test.log)"
by xenstore "$test" -r 5 >test.log || fail "test-xenstore -r 5: $(cat test.log)"

# ---- xensock ps shows what is there, as who may see it ----

# ps_has LINE [OPTION]...
ps_has()
{
    expect 0 "$XENSOCK" ps --runtime here "${@:2}"
    grep -qx "$1" out.log || fail "ps lacks '$1': $(cat out.log)"
}

one='xensock  *0  domain 1  *Initialising '
says '' xenstore xenstore-chmod "$back/state" n0
ps_has "$one *domain 0  *Initialising"
ps_has "$one *domain 0  *not readable" --domain 1
ps_has "$one *domain 0  *Initialising" --domain 0
says '' xenstore xenstore-rm "$device/backend"
ps_has "$one *domain 0  *Initialising"
ps_has "$one *domain 0  *missing" --domain 1
says '' xenstore xenstore-rm "$device"
ps_has 'xensock  *0  domain 1  *missing  *domain ?  *Initialising'
says '' xenstore xenstore-rm "$back"
expect 0 "$XENSOCK" ps --runtime here
! grep -q ^xensock out.log || fail "a device of nothing: $(cat out.log)"

# ---- what is left ----

refused '' xenstore-1 "$test" -i 1
kill -INT "$hypervisor"
ended "$hypervisor" 0 10
[ ! -e here ] || fail "the runtime directory is left: $(ls -A here)"
nothing_left
