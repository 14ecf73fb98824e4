#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same waits and handlers as `perf sched` and `perf kwork` find in what they record
# themselves at the same time.
# timeout: 400
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

if ! perf version >"$WORK/output" 2>&1; then
	skip "perf" "it is not installed: apt install linux-perf"
	finish
fi
sed 's/^/# /' "$WORK/output"

# Threads that sleep, and two that do not, which wait for each other and for them.
cat >"$WORK/sleeper" <<'END'
exec {nothing}<> <(:)
for ((i = 0; i < 60; i++)); do read -rt 0.005 -u "$nothing"; done
END
cat >"$WORK/threads" <<'END'
pids=()
for cpu in 0 1 2 3; do taskset -c "$cpu" bash "$1/sleeper" & pids+=($!); done
for hog in 1 2; do taskset -c 1 bash -c 'for ((i = 0; i < 30000; i++)); do :; done' & pids+=($!); done
wait
echo "${pids[@]}" >"$1/pids"
END

check "perf sched records beside hftctl" hftctl record -e sched,thread --ring 8M -o "$WORK/a.hft" -- \
	perf sched record -k mono -m 4096 -e sched:sched_wakeup -o "$WORK/perf.data" -- bash "$WORK/threads" "$WORK"
sed 's/^/#   /' "$WORK/output"
perf sched latency -p -i "$WORK/perf.data" >"$WORK/latency" 2>"$WORK/output"
perf script -i "$WORK/perf.data" -F event,trace >"$WORK/script" 2>>"$WORK/output"
is "perf has lost nothing" "$(grep -ci 'lost' "$WORK/output")" 0
sound "with perf" --lossless "$WORK/a.hft"
hftctl spikes -i "$WORK/a.hft" -p all --json >"$WORK/bills.json" 2>/dev/null

threads=0 agree=0
for tid in $(<"$WORK/pids"); do
	read -r count max < <(sed -nE "s/^ *[^ ]*:$tid +\|[^|]*\| +([0-9]+) \|[^|]*\| max: +([0-9.]+) ms.*/\1 \2/p" "$WORK/latency")
	# perf takes a thread that was preempted in the kernel ("R+") for one that sleeps: it does not count that wait.
	preempted=$(grep -c "sched_switch: .*prev_pid=$tid .*prev_state=R+ " "$WORK/script")
	read -r ours longest < <(jq -r --argjson tid "$tid" '.threads[] | select(.tid == $tid) |
		"\(.wakeup.count + .preemption.count) \([.wakeup.max.ns, .preemption.max.ns] | max / 1000 | floor)"' "$WORK/bills.json")
	is "thread $tid: perf counts $count waits, and $preempted that it takes for sleeps" "$ours" "$((count + preempted))"
	# In us. Ours begins at sched_waking, perf's at sched_wakeup, and a wait that perf does not count may be the longest.
	perf_longest=$(awk -v ms="$max" 'BEGIN { printf "%d", 1000 * ms }')
	note "the longest: $longest us, by perf $perf_longest us"
	((longest < perf_longest - 100 || (preempted == 0 && longest > perf_longest + 2000))) || ((++agree))
	((++threads))
done
is "threads" "$threads" 6
# A host may take the CPU between perf's look at its clock and ours.
at_least "of most the longest wait is no shorter" "$agree" 4

insmod "$BIN/hftmon_plant.ko" || note "the test module did not load"
# handlers: of the planted interrupt, by both, into $WORK/kwork and, in us, $WORK/handlers.
handlers() {
	hftctl record -e irq --ring 8M -o "$WORK/b.hft" -- \
		perf kwork -k irq record -m 4096 -o "$WORK/perf.data" -- "$BIN/plant" hardirq --count 4 --us 5000 --json "$WORK/truth" \
		>"$WORK/output" 2>&1 || return
	perf kwork -k irq report -i "$WORK/perf.data" 2>/dev/null | grep hftmon-plant >"$WORK/kwork"
	sed 's/^/#   /' "$WORK/output" "$WORK/kwork"
	hftctl dump "$WORK/b.hft" >"$WORK/dump"
	irq=$(sed -nE '1s/^ *hftmon-plant:([0-9]+) .*/\1/p' "$WORK/kwork")
	awk -v irq="irq=$irq" '{ for (i = 5; i <= NF; i++) planted = planted || $i == irq
			if (planted && $4 == "irq_handler_entry") start[$3] = $2
			if (planted && $4 == "irq_handler_exit") printf "%d\n", ($2 - start[$3]) * 1e6
			planted = 0 }' "$WORK/dump" | sort -n >"$WORK/handlers"
	longest=$(tail -n 1 "$WORK/handlers")
	perf_longest=$(awk -F'|' '{ sub(/ms/, "", $5); if ($5 > n) n = $5 } END { printf "%d", 1000 * n }' "$WORK/kwork")
}

irq='' longest=0 perf_longest=0
# Each of the two is inside the other's handler for some of them; and as above.
for attempt in 1 2 3; do
	handlers || break
	((longest < perf_longest - 200 || longest > perf_longest + 200)) || break
	note "attempt $attempt: the longest $longest us, by perf $perf_longest us"
done
rmmod hftmon_plant
is "handlers of irq $irq, by perf kwork" "$(wc -l <"$WORK/handlers")" "$(awk -F'|' '{ n += $4 } END { print n + 0 }' "$WORK/kwork")"
at_least "of which the planted" "$(wc -l <"$WORK/handlers")" 4
at_least "the longest, by perf $perf_longest us" "$longest" $((perf_longest - 200))
at_most "and no longer" "$longest" $((perf_longest + 200))
nothing_left "at the end"
finish
