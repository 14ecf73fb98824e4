#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Random use of /dev/hftmon (device_fuzz/), beside sessions whose counts must stay exact.
# HFTMON_FUZZ_SECONDS: for how long (default 20); HFTMON_FUZZ_SEED: what is chosen.
# On a kernel that can refuse memory (scripts/debug-kernel kasan), every allocation of a
# session fails once, and after it random ones do.
# timeout: 4800
# module: loaded
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

SECONDS_OF_FUZZ=${HFTMON_FUZZ_SECONDS:-20}
SEED=${HFTMON_FUZZ_SEED:-$((RANDOM << 15 | RANDOM))}
FAULTS=()

PARAMETERS=/sys/module/hftmon/parameters

# The limit is soon reached: the bystander has 4 MiB, a session at random up to one.
echo 8 >"$PARAMETERS/max_total_mb"
if [[ -w /sys/kernel/debug/failslab/ignore-gfp-wait ]]; then
	FAULTS=(--faults)
	# A kernel that lacks memory to disarm a kprobe warns, and keeps it.
	trap 'echo 1 >/sys/kernel/debug/kprobes/enabled' EXIT
	echo 0 >/sys/kernel/debug/kprobes/enabled
	for setting in failslab/{ignore-gfp-wait,verbose}=0 fail_page_alloc/{ignore-gfp-wait,ignore-gfp-highmem,min-order,verbose}=0; do
		echo "${setting#*=}" >"/sys/kernel/debug/${setting%=*}" || note "not set: $setting"
	done
	check "each allocation of a session fails once" "$BIN/device_fuzz" --every-allocation
	sed 's/^/#   /' "$WORK/output"
	nothing_left "after failed allocations"
fi

# The bystander's sessions are there first, and longest.
"$BIN/stress_check" $((SECONDS_OF_FUZZ + 20)) >"$WORK/bystander" 2>&1 &
bystander=$!
wait_for 300 grep -q recording "$WORK/bystander" || note "the bystander does not record yet"
check "random use: nothing gives way (seed $SEED)" "$BIN/device_fuzz" "${FAULTS[@]}" "$SEED" "$SECONDS_OF_FUZZ"
sed 's/^/#   /' "$WORK/output"
wait "$bystander"
is "other sessions' counts stay exact" "$?" 0
sed 's/^/#   /' "$WORK/bystander"

# Without a bystander nothing keeps hooks, tables, a CPU or its sources where they are.
churn() {
	local entries slots
	entries=$(cat "$PARAMETERS/stack_entries") slots=$(cat "$PARAMETERS/thread_slots")
	while [[ ! -e $WORK/enough ]]; do
		for value in 0 1; do
			echo "$value" >/sys/devices/system/cpu/cpu3/online
			echo $((value ? 0 : 100)) >"$PARAMETERS/budget_ppm"
			echo $((value ? entries : 256)) >"$PARAMETERS/stack_entries"
			echo $((value ? slots : 16)) >"$PARAMETERS/thread_slots"
			sleep 0.5
		done
	done 2>/dev/null
	echo "$entries" >"$PARAMETERS/stack_entries"
	echo "$slots" >"$PARAMETERS/thread_slots"
	set_budget 0
}
churn &
check "the same while CPU 3, the budget and tables come and go" "$BIN/device_fuzz" "${FAULTS[@]}" $((SEED + 1)) $((SECONDS_OF_FUZZ / 2))
touch "$WORK/enough"
wait $!
sed 's/^/#   /' "$WORK/output"
is "CPU 3 is back" "$(cat /sys/devices/system/cpu/cpu3/online)" 1

if ((${#FAULTS[@]})); then
	echo 1 >/sys/kernel/debug/kprobes/enabled
	check "with all memory there is, and kprobes" "$BIN/device_fuzz" $((SEED + 2)) $((SECONDS_OF_FUZZ / 2))
	sed 's/^/#   /' "$WORK/output"
fi

nothing_left "at the end"
if [[ -w /sys/kernel/debug/kmemleak ]]; then
	# What was allocated within the last seconds is not looked at; twice, as pointers move.
	for scan in 1 2; do
		sleep 6
		check "kmemleak scans ($scan)" bash -c 'echo scan >/sys/kernel/debug/kmemleak'
	done
	is "no memory is lost" "$(grep -c hftmon /sys/kernel/debug/kmemleak)" 0
	head -n 60 /sys/kernel/debug/kmemleak | sed 's/^/#   /'
fi
# Rings of 2 MiB for each CPU: not with what a session has left charged.
echo 9 >"$PARAMETERS/max_total_mb"
check "and a normal capture works" hftctl record -o "$WORK/after.hft" -d 200ms
sed 's/^/#   /' "$WORK/output"
echo 0 >"$PARAMETERS/max_total_mb"
sound "after it all" --lossless "$WORK/after.hft"
finish
