# shellcheck shell=bash disable=SC2034,SC2154
# What came of the samples of network.sh: ratios to the native arm of the same round, as text, as
# members of JSON objects and as a table for README. To be sourced by tools/bench.

# ---- figures -----------------------------------------------------------------------------------

# results CELL: a line for each arm: width, cell, arm; value and p99; and
# as often as it is native's of the same round: the value and p99; and so often as it is draft 1's,
# where the arm is another dialect, else native's again. Each with the least and the greatest; all are
# medians of rounds.
results()
{
    awk -v width="$width" -v cell="$1" -v order="${arms[*]}" '
        function sort(from, n,    i, j, one) {
            for (i = 2; i <= n; i++) {
                one = from[i]
                for (j = i - 1; j >= 1 && from[j] > one; j--)
                    from[j + 1] = from[j]
                from[j + 1] = one
            }
        }
        function three(list, format) {
            sort(list, rounds)
            format = format " " format " " format
            return sprintf(format, list[int((rounds + 1) / 2)], list[1], list[rounds])
        }
        function values(of, arm,    i, list) {
            for (i = 1; i <= rounds; i++)
                list[i] = of[arm, i]
            return three(list, "%.0f")
        }
        function ratios(of, arm, base,    i, list) {
            for (i = 1; i <= rounds; i++)
                list[i] = of[base, i] > 0 ? of[arm, i] / of[base, i] : 0
            return three(list, "%.3f")
        }
        function base_of(arm) {
            return sub(/-.*/, "", arm) ? arm : "native"
        }
        $1 == width && $2 == cell {
            value[$3, $4] = $5
            p99[$3, $4] = $6
            rounds = $4 > rounds ? $4 : rounds
        }
        END {
            count = split(order, arms, " ")
            for (i = 1; i <= count; i++)
                print width, cell, arms[i], values(value, arms[i]), values(p99, arms[i]),
                    ratios(value, arms[i], "native"), ratios(p99, arms[i], "native"),
                    ratios(value, arms[i], base_of(arms[i])), ratios(p99, arms[i], base_of(arms[i]))
        }' "$net/samples"
}

# people KIND NUMBER: with a unit.
people()
{
    awk -v kind="$1" -v n="$2" 'BEGIN {
        if (kind == "rtt")
            printf "%.1f us", n / 1000
        else if (kind == "connect")
            printf "%d/s", n
        else
            printf((n >= 1e9 ? "%.2f GB/s" : "%.1f MB/s"), n / (n >= 1e9 ? 1e9 : 1e6))
    }'
}

# bytes SIZE: for people.
bytes()
{
    if [ "$1" -ge 1024 ]; then
        echo "$(($1 / 1024)) KiB"
    else
        echo "$1 B"
    fi
}

# title CELL
title()
{
    case $1 in
    up:*) echo "send, $(bytes "${1#*:}")" ;;
    down:*) echo "receive, $(bytes "${1#*:}")" ;;
    rtt:*) echo "round trip, $(bytes "${1#*:}")" ;;
    *) echo "connect and close" ;;
    esac
}

# three NAME MEDIAN LEAST GREATEST: members of a JSON object.
three()
{
    printf '"%s": %s, "least_%s": %s, "greatest_%s": %s' "$1" "$2" "$1" "$3" "$1" "$4"
}

# arm_row WIDTH CELL ARM VALUES P99S RATIOS P99_RATIOS OWN_RATIOS OWN_P99_RATIOS: a line of results, as
# a row; the six last are three numbers each.
arm_row()
{
    local cell=$2 arm=$3 what=${2%:*} name=stream.${2/:/.} unit=bytes_per_s members text ratio
    case $what in
    rtt) name=${cell/:/.} unit=p50_ns ;;
    connect) name=connect unit=per_s ;;
    esac
    members=$(three $unit "${@:4:3}")
    text=$(people "$what" "$4")
    ratio="${10} times [${11} to ${12}]"
    [ "$arm" != native ] || ratio="[$(people "$what" "$5") to $(people "$what" "$6")]"
    if [ "$what" = rtt ]; then
        members+=", $(three p99_ns "${@:7:3}"), $(three p99_ratio "${@:13:3}")"
        text+=", p99 $(people rtt "$7")"
    fi
    [ "$1" = 1 ] || members+=', "information": true'
    if [[ $arm = *-* ]]; then
        members+=", \"dialect\": \"${arm#*-}\", $(three of_draft1 "${@:16:3}")"
        [ "$what" != rtt ] || members+=", $(three p99_of_draft1 "${@:19:3}")"
        ratio+="; ${16} times draft 1 [${17} to ${18}]"
    fi
    row "$(printf "  %-${arm_width}s %-26s %s" "$arm" "$text" "$ratio")" \
        "\"name\": \"$name\", \"arm\": \"$arm\", \"cpus\": $1, \"pairs\": $PAIRS" "$members" \
        "\"ratio\": ${10}, \"least\": ${11}, \"greatest\": ${12}"
}

# network_rows CELL: what came of it.
network_rows()
{
    local line
    say "$(title "$1"), $([ "$width" = 1 ] && echo one CPU || echo two CPUs)"
    results "$1" >"$net/cell" || fail "no results of $1"
    cat "$net/cell" >>"$net/results"
    while read -r line; do
        # shellcheck disable=SC2086
        arm_row $line
    done <"$net/cell"
}

# ---- conditions --------------------------------------------------------------------------------

versions()
{
    local text=
    ! has_arm nginx || text+="nginx $(nginx -v 2>&1 | sed 's,.*/,,'), "
    ! has_arm haproxy || text+="HAProxy $(haproxy -v | sed -n '1s/.*version \([^ -]*\).*/\1/p'), "
    ! has_arm socat || text+="socat $(socat -V | sed -n 's/^socat version \([^ ]*\).*/\1/p'), "
    echo "${text}Linux $(uname -r)"
}

# rings: what data rings there are, for people.
rings()
{
    local dialect text="data rings of order $order (" in out
    for dialect in xensock1 "${dialects[@]}"; do
        read -r in out <<<"${ring[$dialect]}"
        [ "$dialect" = xensock1 ] || text+="; $dialect: "
        text+="in $(bytes "$in"), out $(bytes "$out")"
    done
    echo "$text)"
}

network_opening()
{
    arm_width=$(printf '%s\n' "${arms[@]}" | wc -L)
    say "$congestion and TCP_NODELAY on every TCP socket (nagle: but for that); $(rings); each"
    say "marked port is notified once at the end of a turn; $(versions)"
    say "samples of $sample_ms ms, $PAIRS of each arm in turns, each against native of its round; all" \
        "with nice $(nice)"
    say "busy before: $foreign_before CPUs"
    [ "$congestion" = cubic ] || echo "$0: cubic cannot be had here, $congestion is measured" >&2
}

# least, median and greatest of the cache line's round trips.
line_ns()
{
    sort -n "$net/line" | awk '{ ns[NR] = $1 } END { print ns[int((NR + 1) / 2)], ns[1], ns[NR] }'
}

network_closing()
{
    local ns least greatest dialect
    conditions="\"congestion\": \"$congestion\", \"nodelay\": true, \"order\": $order"
    conditions+=", \"in_bytes\": ${ring[xensock1]% *}, \"out_bytes\": ${ring[xensock1]#* }"
    for dialect in "${dialects[@]}"; do
        conditions+=", \"$dialect.in_bytes\": ${ring[$dialect]% *}"
        conditions+=", \"$dialect.out_bytes\": ${ring[$dialect]#* }"
    done
    conditions+=", \"notify\": \"coalesced\""
    conditions+=", \"sample_ns\": ${sample_ms}000000, \"programs\": \"$(versions)\""
    conditions+=", \"nice\": $(nice), \"busy_before_cpus\": $foreign_before, \"foreign_cpus\": $foreign"
    conditions+=", \"stolen_cpus\": $stolen"
    say "meanwhile others used $foreign CPUs, the hypervisor stole $stolen"
    if [ -f "$net/line" ]; then
        read -r ns least greatest < <(line_ns)
        conditions+=", \"line_ns\": $ns, \"line_least_ns\": $least, \"line_greatest_ns\": $greatest"
        say "two CPUs: no results but information; a cache line there and back took $ns ns" \
            "[$least to $greatest]"
    fi
    [ "$form" != markdown ] || network_markdown
}

# ---- the table ---------------------------------------------------------------------------------

# table WIDTH ARM...: the first arm's figures, and of each other how many times that.
table()
{
    awk -v width="$1" -v order="${*:2}" '
        function figure(what, n) {
            if (what == "rtt")
                return sprintf("%.1f µs", n / 1000)
            if (what == "connect")
                return sprintf("%d/s", n)
            return n >= 1e9 ? sprintf("%.2f GB/s", n / 1e9) : sprintf("%.1f MB/s", n / 1e6)
        }
        function size(n) {
            return n >= 1024 ? n / 1024 " KiB" : n " B"
        }
        function short(n) {
            return sprintf(n < 10 ? "%.2f" : "%.1f", n)
        }
        function cell(ratio, least, greatest) {
            return short(ratio) " [" short(least) "–" short(greatest) "]"
        }
        function line(title, at,    i, text) {
            text = "| " title " | " figures[at]
            for (i = 2; i <= count; i++)
                text = text " | " cells[arms[i], at]
            print text " |"
        }
        BEGIN {
            count = split(order, arms, " ")
            titles["up"] = "send, "
            titles["down"] = "receive, "
            titles["rtt"] = "round trip, "
            names["native"] = "plain TCP"
            names["nagle"] = "with Nagle"
            names["unix"] = "AF_UNIX"
            names["haproxy"] = "HAProxy"
            names["calls"] = "own calls"
            names["forward"] = "`forward -L`"
            text = "| |"
            rule = "|---|"
            for (i = 1; i <= count; i++) {
                name = arms[i] in names ? names[arms[i]] : arms[i]
                if (sub(/^(calls|forward)-/, "", name) == 0 && arms[1] != "native")
                    name = name ", draft 1"
                text = text " " name " |"
                rule = rule "---|"
            }
            print text "\n" rule
        }
        $1 == width {
            split($2, part, ":")
            if ($3 == arms[1]) {
                wanted[++lines] = $2
                figures[$2] = figure(part[1], $4) " [" figure(part[1], $5) "–" figure(part[1], $6) "]"
                figures[$2 ":p99"] = figure("rtt", $7)
            }
            cells[$3, $2] = cell($16, $17, $18)
            cells[$3, $2 ":p99"] = cell($19, $20, $21)
        }
        END {
            for (i = 1; i <= lines; i++) {
                split(wanted[i], part, ":")
                title = part[1] == "connect" ? "connect and close" : titles[part[1]] size(part[2])
                line(title (part[1] == "rtt" ? ", p50" : ""), wanted[i])
                if (part[1] == "rtt")
                    line(title ", p99", wanted[i] ":p99")
            }
        }' "$net/results"
}

# tables WIDTH: everything in draft 1 against native, then other dialects against draft 1.
tables()
{
    local arm main=()
    for arm in "${arms[@]}"; do
        [[ $arm = *-* ]] || main+=("$arm")
    done
    table "$1" "${main[@]}"
    [ ${#dialects[@]} -gt 0 ] || return 0
    for arm in calls forward; do
        has_arm $arm || continue
        echo
        table "$1" $arm "${dialects[@]/#/$arm-}"
    done
}

network_markdown()
{
    local ns least greatest
    cat <<END
<!-- bench -->
\`tools/bench --markdown ${dialects:+--dialect $(IFS=,; echo "${dialects[*]}") }${network[*]}\` on ${date%T*}, $model, everything on CPU $cpu of
$(nproc --all): the same client and server through each, in turns. Plain TCP in figures, the others
as how many times that (of round trips less is better): the median of $PAIRS rounds of $sample_ms ms, and the
least and the greatest. $congestion and TCP_NODELAY on every socket; $(rings),
each marked port notified once at the end of a turn; $(versions).
All with nice $(nice), while others used $foreign CPUs and the hypervisor stole $stolen.

$(tables 1)
END
    if [ -f "$net/line" ]; then
        read -r ns least greatest < <(line_ns)
        cat <<END

For information, the same wherever the scheduler puts it on two CPUs, between which a cache line went
there and back in $ns ns [$least–$greatest]:

$(tables 2)
END
    fi
    echo '<!-- /bench -->'
}
