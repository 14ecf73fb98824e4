#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Run queues: how many threads each holds, which CPUs a thread may run on, and quotas.
# timeout: 240
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

state_of() {
	hftctl status --json | jq -r --arg name "$1" '.sources[] | select(.name == $name) | .state'
}

# dumped FILE EVENT: the lines of one kind.
dumped() {
	hftctl dump "$1" | grep -E "\] $2 "
}

# ---- how many ------------------------------------------------------------------

is "the kernel tells of its queues" "$(state_of sched_update_nr_running_tp)" available
busy
QUEUE="sched,thread,sched_update_nr_running_tp"
check "recorded" hftctl record -e "$QUEUE" --ring 16M -d 2s -o "$WORK/queue.hft"
check "numbers agree with who runs" examine queue_check "$WORK/queue.hft"
note "$(cat "$WORK/output")"
number() {
	sed -n "/^switches=/s/.*\\<$1=\\([0-9]*\\).*/\\1/p" "$WORK/output"
}
is "and are never forgotten" "$(number forgotten)" 0
at_least "at many switches" "$(($(number switches) - $(number unknown)))" 500
at_least "queues are known soon" "$(($(number switches) - 2 * $(number unknown)))" 0
sound "queues" --lossless "$WORK/queue.hft"
hftctl record -e "$QUEUE" --ring 16M -d 500ms -o "$WORK/again.hft" >/dev/null 2>&1
check "and again, once they had been forgotten" examine queue_check "$WORK/again.hft"
at_least "at switches" "$(($(number switches) - $(number unknown)))" 100
is "nor forgotten in between" "$(number forgotten)" 0
check "while a CPU goes and comes" hftctl record -e "$QUEUE" --ring 16M -o "$WORK/hotplug.hft" -- bash -c '
	echo 0 >/sys/devices/system/cpu/cpu3/online && sleep 0.5 &&
	echo 1 >/sys/devices/system/cpu/cpu3/online && sleep 1'
check "numbers agree with who runs" examine queue_check "$WORK/hotplug.hft"
note "$(grep "^switches=" "$WORK/output")"
at_most "it is known again soon: switches before" "$(number unknown)" $(($(number switches) / 4))
# Of each CPU once when one goes, and once when it comes.
at_most "and not forgotten more often than that" "$(number forgotten)" $((2 * $(nproc)))
unload

# The kernel itself says how many there are: threads that never sleep, on CPU 2.
for _ in 1 2 3; do
	load taskset -c 2 sh -c 'while :; do :; done'
done
sleep 1
# Threads on CPU 2 that are ready or run, most often in 2 s: the number changes for moments.
# (Not by sched/debug: to read it changes queues that are in use, in 6.12.117 until a crash.)
kernel_says() {
	for _ in {1..20}; do
		cat /proc/[0-9]*/task/[0-9]*/stat 2>/dev/null | sed 's/.*) //' |
			awk '$1 == "R" && $37 == 2 { ready++ } END { print ready + 0 }'
		sleep 0.05
	done | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }' >"$1"
}
export -f kernel_says
check "threads that never sleep" hftctl record -e "$QUEUE" --ring 16M -o "$WORK/deep.hft" -- \
	taskset -c 0,1,3 bash -c 'kernel_says "$1"' - "$WORK/says"
at_least "CPU 2 has three" "$(cat "$WORK/says")" 3
check "by their numbers" examine queue_check "$WORK/deep.hft"
if [[ $(uname -v) == *PREEMPT_RT* ]]; then
	skip "the kernel's number" "a grace period changes busy queues: with more than one thread they stay unknown"
else
	is "the kernel's number" "$(sed -n 's/^CPU 2: //p' "$WORK/output")" "$(cat "$WORK/says")"
fi
unload

# ---- where a thread may run ------------------------------------------------------

if [[ $(state_of affine_move_task) == available ]]; then
	# Each change, and the kernel's own word for it; the last is none.
	sleep 1000 &
	moved=$!
	change() {
		for cpus in 1 2-3 0-3 0,3 0,3; do
			taskset -pc "$cpus" "$1" || return
			sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$1/status" >>"$WORK/allowed"
		done
	}
	export -f change
	export WORK
	check "a thread's CPUs are changed" hftctl record -e affine_move_task -o "$WORK/affinity.hft" -- bash -c 'change "$1"' - "$moved"
	is "as the kernel says" "$(paste -sd' ' "$WORK/allowed")" "1 2-3 0-3 0,3 0,3"
	is "each change is told" \
		"$(dumped "$WORK/affinity.hft" affinity | sed -n "s/.* tid=$moved .*\\(cpus=.*\\)/\\1/p" | paste -sd';')" \
		"cpus=1 first=1 last=1;cpus=2 first=2 last=3;cpus=4 first=0 last=3;cpus=2 first=0 last=3"
	kill "$moved"
	check "who keeps itself on a CPU for a moment changes nothing" bash -c \
		'"$1" record -e affine_move_task -o "$2" -- stress-ng --quiet --temp-path "$3" --timeout 2 --switch 1 --futex 1 >/dev/null 2>&1' - \
		"$BIN/hftctl" "$WORK/none.hft" "$WORK"
	note "changes meanwhile: $(dumped "$WORK/none.hft" affinity | sed 's/.*] affinity//' | sort | uniq -c | sort -rn | head -n 3)"
	at_most "or hardly anything" "$(dumped "$WORK/none.hft" affinity | wc -l)" 40
	sound "affinity" --lossless "$WORK/affinity.hft"
else
	skip "where a thread may run" "$(state_of affine_move_task) in this kernel"
fi

# ---- quotas ----------------------------------------------------------------------

group=/sys/fs/cgroup/hftmon-queue
if [[ $(state_of throttle_cfs_rq) == available ]] && grep -qw cpu /sys/fs/cgroup/cgroup.controllers; then
	echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
	mkdir "$group"
	echo "20000 100000" >"$group/cpu.max"
	stat_of() {
		sed -n "s/^$1 //p" "$group/cpu.stat"
	}
	throttled() {
		taskset -c 1 bash -c 'echo $$ >"$1/cgroup.procs"; end=$((SECONDS + 4)); while ((SECONDS < end)); do :; done' - "$group"
	}
	export -f throttled
	export group
	check "a group runs into its quota" hftctl record -e throttle_cfs_rq -o "$WORK/quota.hft" -- bash -c throttled
	began=$(dumped "$WORK/quota.hft" cfs_throttle | wc -l)
	ended=$(dumped "$WORK/quota.hft" cfs_unthrottle | wc -l)
	# It counts periods in which the group waits, of which one wait may take several.
at_most "no more times than periods in which it had to wait" "$began" "$(stat_of nr_throttled)"
	is "and each end" "$ended" "$began"
	is "of one queue" "$(dumped "$WORK/quota.hft" 'cfs_(un)?throttle' | grep -o 'queue=.*' | sort -u | wc -l)" 1
	waited=$(dumped "$WORK/quota.hft" 'cfs_(un)?throttle' | awk '
		/cfs_throttle/ { began = $2 } /cfs_unthrottle/ { sum += $2 - began } END { printf "%d", sum * 1000000 }')
	note "$began times, $waited us; the kernel: $(stat_of nr_throttled), $(stat_of throttled_usec) us"
	at_least "several" "$began" 5
	at_least "it waited as long as the kernel says" "$waited" "$(($(stat_of throttled_usec) * 95 / 100))"
	at_most "and no longer" "$waited" "$(($(stat_of throttled_usec) * 105 / 100))"
	sound "quotas" --lossless "$WORK/quota.hft"
	rmdir "$group"
	check "without a quota" hftctl record -e throttle_cfs_rq -o "$WORK/none.hft" -- stress-ng --quiet --temp-path "$WORK" --timeout 1 --cpu 1
	is "nothing is told" "$(dumped "$WORK/none.hft" 'cfs_(un)?throttle' | wc -l)" 0
else
	skip "quotas" "$(state_of throttle_cfs_rq) in this kernel"
fi

nothing_left "at the end"
is "no probe of a function is left" "$(wc -l </sys/kernel/debug/kprobes/list)" 0
finish
