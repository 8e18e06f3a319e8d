# shellcheck shell=bash
# What the tests of both readers share, to be sourced behind tests/run/common.sh: tshark with the
# dissector, and the comparison of what it finds with what `xensock decode` does.
: "${SOURCE:?names the source tree}" "${work:?is made by tests/run/common.sh}"
compare=$SOURCE/tests/decode/compare.py

has_tshark()
{
    command -v tshark >/dev/null && command -v mergecap >/dev/null && command -v editcap >/dev/null
}

# dissect ARGUMENT...: without the user's preferences. (tshark warns if that is root.)
dissect()
{
    HOME=$work timeout 50 tshark -X "lua_script:$SOURCE/tools/wireshark/xensock.lua" "$@" \
        2>tshark.err.log </dev/null
}

# agree FILE: both read it to its end, and find the same in it.
agree()
{
    local asked
    expect 0 "$XENSOCK" decode --json "$1"
    mv out.log all.json
    "$compare" fields all.json >asked
    mapfile -t asked < <(sed 's/^/-e/' asked)
    dissect -r "$1" -2 -T fields "${asked[@]}" >found || fail "tshark does not read $1"
    ! grep -i -e lua -e error tshark.err.log || fail "tshark complains of $1"
    "$compare" compare all.json asked found || fail "$1 is not read alike"
}
