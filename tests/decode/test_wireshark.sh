#!/bin/bash
# tools/wireshark/xensock.lua and `xensock decode` say the same of a capture, packet by packet and
# field by field: two readers that share nothing but the tables. Skipped where there is no tshark.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../run/common.sh"
. "$SOURCE/tests/decode/common.sh"
has_tshark || { echo "skipped: tshark, mergecap or editcap is missing"; exit 77; }
captures=$SOURCE/tests/decode/captures.py

python3 "$captures" all all.pcapng expected.json
python3 "$captures" variants
agree all.pcapng
[ "$(wc -l <found)" -gt 190 ] || fail "not all packets"

# A file by Wireshark's own tools: two captures merged, one of them with the packets of another link.
editcap -r all.pcapng some.pcapng 1-100 2>/dev/null
mergecap -w merged.pcapng some.pcapng beside.pcapng sections.pcapng 2>/dev/null
expect 0 "$XENSOCK" decode merged.pcapng
[ "$(wc -l <out.log)" = 104 ] || fail "not 100 packets and 2 and 2 of the merged file"
sed -i '/left out: 1$/d' err.log
[ ! -s err.log ] || fail "something else is said of the merged file: $(cat err.log)"

# Both refuse the same packets, and both go on behind them.
dissect -r malformed.pcapng -T fields -e frame.number -e xensock.malformed -e xensock.port >flags
expect 2 "$XENSOCK" decode --json malformed.pcapng
[ "$(grep -c E0706 err.log)" = 19 ] || fail "not 19 packets are refused"
[ "$(cut -f 2 flags | grep -c .)" = 19 ] || fail "tshark does not refuse the same: $(cat flags)"
[ "$(sed -n 20p flags)" = $'20\t\t17' ] || fail "tshark does not go on behind them: $(cat flags)"

# A file that ends within a packet: what is before it.
head -c "$(($(stat -c %s all.pcapng) - 10))" all.pcapng >cut.pcapng
expect 2 "$XENSOCK" decode cut.pcapng
printed=$(wc -l <out.log)
dissect -r cut.pcapng -T fields -e frame.number >flags || true
grep -q 'cut short' tshark.err.log || fail "tshark does not say that the file was cut"
[ "$(wc -l <flags)" = "$printed" ] || fail "of a cut file $printed packets, and $(wc -l <flags)"

# A filter by a row of a dialect, and by what all share.
dissect -r all.pcapng -Y 'xensock.pvcalls1.connect.ref == 9 && xensock.side == 1' -T fields \
    -e frame.number >flags
[ "$(wc -l <flags)" = 3 ] || fail "not the three CONNECTs: $(cat flags)"
