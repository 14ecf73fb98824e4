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

# Threads are moved to their memory, or swapped with others: what ftrace says, too, is in
# ftrace.t; here, that it comes at all.
note "threads: $(grep -oE '] sched_(move|swap)_numa' "$WORK/dump" | sort | uniq -c | paste -sd, || true)"
nothing_left "at the end"
finish
