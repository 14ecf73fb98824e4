#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# NUMA balancing: what it looks at, what it moves; against the kernel's own counts.
# timeout: 180
# module: loaded
# vm: --nodes 2
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

vmstat() {
	sed -n "s/^$1 //p" /proc/vmstat
}

# node_cpus NODE: "0|1"
node_cpus() {
	find "/sys/devices/system/node/node$1" -maxdepth 1 -name 'cpu[0-9]*' -printf '%f\n' | sed 's/cpu//' | paste -sd'|'
}

state=$(hftctl status --json | jq -r '.sources[] | select(.name == "task_numa_fault") | .state')
if [[ ! -e /proc/sys/kernel/numa_balancing ]]; then
	is "a kernel that does not balance NUMA has no such source" "$state" missing
	finish
fi
is "a source" "$state" available
is "the machine has two nodes" "$(cat /sys/devices/system/node/online)" 0-1

# A fast look at all memory of a process.
for setting in scan_delay_ms:10 scan_period_min_ms:20 scan_period_max_ms:100; do
	for file in "/sys/kernel/debug/sched/numa_balancing/${setting%:*}" "/proc/sys/kernel/numa_balancing_${setting%:*}"; do
		[[ ! -e $file ]] || echo "${setting#*:}" >"$file"
	done
done

# Its memory comes from CPU 0's node; then it runs on another's and goes on to use it.
CPU=$(sed 's/[-,].*//' /sys/devices/system/node/node1/cpulist)
echo 0 >/proc/sys/kernel/numa_balancing
faults=$(vmstat numa_hint_faults) moved=$(vmstat numa_pages_migrated)
check "memory is on the wrong node" hftctl record -e numa --ring 4M -o "$WORK/numa.hft" -- "$BIN/wanderer" 0 "$CPU" 2000
faults=$(($(vmstat numa_hint_faults) - faults)) moved=$(($(vmstat numa_pages_migrated) - moved))
hftctl dump "$WORK/numa.hft" >"$WORK/dump"
told=$(grep -c '] numa_fault ' "$WORK/dump")
told_moved=$(sed -n 's/.*\] numa_fault .*pages=\([0-9]*\) outcome=moved.*/\1/p' "$WORK/dump" | awk '{ sum += $1 } END { print +sum }')
note "faults: $told, the kernel: $faults; pages moved: $told_moved, the kernel: $moved"
at_least "there were many" "$told" 2000
at_least "as many as the kernel counts" "$told" $((faults * 95 / 100))
at_most "and no more" "$told" "$faults"
at_least "and as many pages were moved" "$told_moved" $((moved * 95 / 100))
at_most "and no more" "$told_moved" "$moved"
at_least "to the node of who uses it" "$(grep -c '] numa_fault node=1 .*outcome=moved' "$WORK/dump")" 100
sound "NUMA" --lossless "$WORK/numa.hft"

# A thread is moved back to its memory; each move told once, as perf counts them.
# The load balancer may have been faster.
for attempt in 1 2 3; do
	hftctl record -e numa,sched -o "$WORK/moves.hft" -- perf stat -x, -o "$WORK/counts" -a \
		-e sched:sched_move_numa -e sched:sched_swap_numa "$BIN/homesick" 0 "$CPU" >"$WORK/output" 2>&1
	hftctl dump "$WORK/moves.hft" >"$WORK/dump"
	! grep -qE '] sched_(move|swap)_numa .*comm="homesick"' "$WORK/dump" || break
	note "attempt $attempt"
done
check_not "a thread comes home" grep 'ended with status' "$WORK/output"
sed 's/^/#   /' <(grep -E '] sched_(move|swap)_numa' "$WORK/dump")
for event in sched_move_numa sched_swap_numa; do
	is "$event, and perf's count" "$(grep -c "] $event " "$WORK/dump")" "$(sed -n "s/^\([0-9]*\),.*sched:$event,.*/\1/p" "$WORK/counts")"
done
# From a CPU of node 1 to one of node 0.
at_least "it is told from where to where" "$(grep -cE "] sched_(move|swap)_numa .*comm=\"homesick\" src_cpu=($(node_cpus 1)) .*dst_cpu=($(node_cpus 0))( |$)" "$WORK/dump")" 1
sound "moves" --lossless --partial "$WORK/moves.hft"
nothing_left "at the end"
finish
