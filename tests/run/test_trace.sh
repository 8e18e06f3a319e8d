#!/bin/bash
# What `xensock trace` shows of a file and says of two. The files are made here, from the format as
# trace_file.h describes it, so that a mistake of the writer is no mistake of the reader as well.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"

# make FILE SEED [LINE...]: a trace with the records that stand on stdin, one a line:
#   now_ns who point detail token extra value    (numbers, as Python writes them)
make()
{
    python3 -c 'import struct, sys
names = f"scenario small\nseed {sys.argv[2]}\n0 dom0\n1 web\n32768 sink\n".encode()
with open(sys.argv[1], "wb") as out:
    out.write(b"XSTRACE1" + struct.pack("<HHI", 1, 32, len(names)) + names)
    for line in sys.stdin:
        now, who, point, detail, token, extra, value = (int(part, 0) for part in line.split())
        out.write(struct.pack("<QQQIHBB", now, token, value % 2**64, extra % 2**32, who, point,
                              detail))' "$1" "$2"
}

# is FILE: it holds exactly what stands on stdin.
is()
{
    cat >wanted
    diff -u wanted "$1" || fail "$1 is not as it should be"
}

cat >records <<'END'
0 0 10 1 0 0 0
1000 1 2 0 0x0000000001000003 0 0
1000 1 1 18 0x0000000001000003 0 4096
2500 0 4 0 0 5 1500
4000 0 5 0 0 5 0
1002003004 0 0 16 0x0002000000ffffff 17 0
1002003004 0 0 17 0x0001000007000003 -111 0
1002003004 32768 11 0 0 1448 8192
5000000000000 9 3 0 0 3 700
END
make a.trace 42 <records

expect 0 "$XENSOCK" trace show a.trace
is out.log <<'END'
scenario small, seed 42
     0.000000000  dom0  phase    warmup
     0.000001000  web   call     CONNECT 0/3/1 bytes=0 result=0
     0.000001000  web   action   NET_WRITE 0/3/1 bytes=4096
     0.000002500  dom0  notify   sent port=5 arrives_in_ns=1500
     0.000004000  dom0  wake     port=5
     1.002003004  dom0  event    NET_POLL 2/-/0 result=17
     1.002003004  dom0  event    NET_READ 1/3/7 result=-ECONNREFUSED
     1.002003004  sink  peer     took bytes=1448 offset=8192
  5000.000000000  #9    turn     steps=3 cost_ns=700
END
[ ! -s err.log ] || fail "something on stderr"

expect 0 "$XENSOCK" trace show --format json --from 1s --who dom0 a.trace
is out.log <<'END'
{"schema":"xensock/trace/1","scenario":"small","seed":42}
{"now_ns":1002003004,"who":0,"name":"dom0","point":"event","detail":16,"token":"0002000000ffffff","extra":17,"value":0,"text":"NET_POLL 2/-/0 result=17"}
{"now_ns":1002003004,"who":0,"name":"dom0","point":"event","detail":17,"token":"0001000007000003","extra":4294967185,"value":0,"text":"NET_READ 1/3/7 result=-ECONNREFUSED"}
END
python3 -c 'import json, sys; [json.loads(line) for line in open("out.log")]'

# shows LINES OPTION...: the lines of `records`, counted from 1, that are shown.
shows()
{
    local wanted=$1
    shift
    "$XENSOCK" trace show a.trace >all.log
    expect 0 "$XENSOCK" trace show "$@" a.trace
    # shellcheck disable=SC2086
    for line in 0 $wanted; do sed -n "$((line + 1))p" all.log; done | is out.log
}
shows "2 3" --who web
shows "9" --point turn
shows "4 5" --from 2500ns --to 4us
shows "1 2" --limit 2
shows "1 4" --who dom0 --limit 2
shows "" --limit 0
shows "6 7" --point event --from 1s
shows "" --who web --point wake

# refuses CODE TEXT ARGUMENT...: ends with CODE and says TEXT.
refuses()
{
    local code=$1 text=$2
    shift 2
    expect "$code" "$XENSOCK" trace "$@"
    [[ $(cat err.log) == *"$text"* ]] || fail "not said: $text"
}
refuses 2 "a.trace has no 'wob'; it has: dom0 web sink" show --who wob a.trace
refuses 2 "there is no trace point 'trun'; there are: event action call turn" show --point trun a.trace
refuses 2 "--from takes a duration (ns, us, ms, s, min), not '5'" show --from 5 a.trace
refuses 2 "--to takes a duration" show --to soon a.trace
refuses 2 "--limit takes a number" show --limit x a.trace
refuses 2 "--limit takes a number" show --limit 18446744073709551616 a.trace
refuses 2 "--format takes text or json, not 'xml'" show --format xml a.trace
refuses 2 "xensock trace show: unrecognized option '--bad'" show --bad a.trace
refuses 2 "usage: xensock trace" show
refuses 2 "usage: xensock trace" show a.trace a.trace
refuses 2 "usage: xensock trace" diff a.trace
refuses 2 "usage: xensock trace"
refuses 2 "usage: xensock trace" shaw a.trace
expect 0 "$XENSOCK" trace --help
expect 0 "$XENSOCK" trace show --help
expect 0 "$XENSOCK" trace diff --help

# A file that is none, and one that was cut: what is whole is shown before the fault is said.
echo "schema: xensock/scenario/1" >scenario.yaml
head -c 149 a.trace >cut.trace
refuses 2 "xensock trace: error[E0703]: scenario.yaml: offset 0: no trace: it does not begin with \
XSTRACE1" show scenario.yaml
refuses 2 "error[E0703]: none.trace: offset 0: cannot be read: No such file or directory" show none.trace
refuses 2 "error[E0703]: cut.trace: offset 149: the file ends in record 2, 22 of 32 bytes" show cut.trace
[ "$(wc -l <out.log)" = 3 ] || fail "not two records of the cut file"
refuses 2 "error[E0703]: cut.trace: offset 149: " diff a.trace cut.trace
refuses 2 "error[E0703]: cut.trace: offset 149: " diff cut.trace cut.trace
refuses 2 "error[E0703]: scenario.yaml: offset 0: " diff a.trace scenario.yaml
refuses 2 "error[E0703]: none.trace: offset 0: " diff none.trace a.trace
if [ -w /dev/full ]; then
    status=0
    "$XENSOCK" trace show a.trace >/dev/full 2>full.log || status=$?
    [ "$status" = 1 ] || fail "exit code $status for a full standard output"
fi

# The same records; names and seed are told and do not count.
make b.trace 43 <records
expect 0 "$XENSOCK" trace diff a.trace b.trace
is out.log <<'END'
A  a.trace: scenario small, seed 42
B  b.trace: scenario small, seed 43
the same 9 records
END

# The sixth differs. Its entity is the first to do so, though the peer's record has moved as well.
sed '6s/17 0$/18 0/; 8s/1448/1449/; 9s/^5000000000000/6000000000000/' records | make b.trace 42
expect 1 "$XENSOCK" trace diff a.trace b.trace
is out.log <<'END'
A  a.trace: scenario small, seed 42
B  b.trace: scenario small, seed 42
the first difference is at record 5

          1       0.000001000  web   call     CONNECT 0/3/1 bytes=0 result=0
          2       0.000001000  web   action   NET_WRITE 0/3/1 bytes=4096
          3       0.000002500  dom0  notify   sent port=5 arrives_in_ns=1500
          4       0.000004000  dom0  wake     port=5
A         5       1.002003004  dom0  event    NET_POLL 2/-/0 result=17
A         6       1.002003004  dom0  event    NET_READ 1/3/7 result=-ECONNREFUSED
A         7       1.002003004  sink  peer     took bytes=1448 offset=8192
A         8    5000.000000000  #9    turn     steps=3 cost_ns=700
B         5       1.002003004  dom0  event    NET_POLL 2/-/0 result=18
B         6       1.002003004  dom0  event    NET_READ 1/3/7 result=-ECONNREFUSED
B         7       1.002003004  sink  peer     took bytes=1449 offset=8192
B         8    6000.000000000  #9    turn     steps=3 cost_ns=700

whose records differ, and since when:
     1.002003004  dom0
     1.002003004  sink
  5000.000000000  #9

A has 9 records, B 9
END

# One record more of one entity moves those of all others, which stay the same.
sed '2i 900 32768 11 1 0 10 0' records | make b.trace 42
expect 1 "$XENSOCK" trace diff b.trace a.trace
is out.log <<'END'
A  b.trace: scenario small, seed 42
B  a.trace: scenario small, seed 42
the first difference is at record 1

          0       0.000000000  dom0  phase    warmup
A         1       0.000000900  sink  peer     sent bytes=10 offset=0
A         2       0.000001000  web   call     CONNECT 0/3/1 bytes=0 result=0
A         3       0.000001000  web   action   NET_WRITE 0/3/1 bytes=4096
A         4       0.000002500  dom0  notify   sent port=5 arrives_in_ns=1500
B         1       0.000001000  web   call     CONNECT 0/3/1 bytes=0 result=0
B         2       0.000001000  web   action   NET_WRITE 0/3/1 bytes=4096
B         3       0.000002500  dom0  notify   sent port=5 arrives_in_ns=1500
B         4       0.000004000  dom0  wake     port=5

whose records differ, and since when:
     0.000000900  sink

A has 10 records, B 9
END

# One ends earlier; one is empty; two records of different entities change places.
head -n 8 records | make b.trace 42
expect 1 "$XENSOCK" trace diff a.trace b.trace
sed -n '8,$p' out.log >tail.log
is tail.log <<'END'
          7       1.002003004  sink  peer     took bytes=1448 offset=8192
A         8    5000.000000000  #9    turn     steps=3 cost_ns=700
A         9  the end
B         8  the end

whose records differ, and since when:
  5000.000000000  #9

A has 9 records, B 8
END
make b.trace 42 </dev/null
expect 1 "$XENSOCK" trace diff b.trace a.trace
grep -qx 'A         0  the end' out.log || fail "an empty trace does not end"
grep -qx 'A has 0 records, B 9' out.log || fail "an empty trace is not counted"
expect 0 "$XENSOCK" trace diff b.trace b.trace
{ sed -n 1,6p records; sed -n 8p records; sed -n 7p records; sed -n 9p records; } | make b.trace 42
expect 1 "$XENSOCK" trace diff a.trace b.trace
grep -q "nobody's, only their order" out.log || fail "another order alone is not told as that"

# The manual page names every trace point.
refuses 2 "there are:" show --point none a.trace
read -ra points < <(sed 's/.*there are://' err.log)
[ "${#points[@]}" -ge 13 ] || fail "not all trace points: ${points[*]}"
for point in "${points[@]}"; do
    grep -qx "|  $point" "$SOURCE/tools/man/xensock.1.scd" || fail "$point is not in the manual page"
done
