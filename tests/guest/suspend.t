#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The machine is suspended while sessions record, once as a rehearsal (all but the sleep
# itself) and once for real; then the kernel gives up the TSC.
# vm: --in-memory tests/guest --in-memory scripts/lib/splat.sh --in-memory build/user/release/hftctl --in-memory build/user/release/guest --in-memory stress-ng --in-memory @plant
# timeout: 300
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

ALARM=/sys/class/rtc/rtc0/wakealarm

if ! grep -q hftmon_vm_run /proc/cmdline || ! grep -q ' / tmpfs ' /proc/mounts; then
	skip "suspend" "only in a guest whose files are in memory"
	finish
fi
if ! grep -qw mem /sys/power/state || [[ ! -w /sys/power/pm_test || ! -w $ALARM ]]; then
	skip "suspend" "this kernel has none, no rehearsal of it, or no clock to wake it"
	finish
fi

# suspend REHEARSAL: "none" is for real; the clock wakes the machine then, late enough: QEMU
# forgets an alarm that comes before it sleeps. It refuses when something wakes it on its way.
suspend() {
	local try
	echo "$1" >/sys/power/pm_test
	for try in 1 2 3 4 5; do
		echo 0 >"$ALARM"
		[[ $1 != none ]] || echo "+$((try * 10 * ${HFTMON_PATIENCE:-1}))" >"$ALARM" || return
		! echo mem >/sys/power/state || return 0
		sleep 1
	done
	return 1
}

# A thread that sleeps for a moment until it is enough. It prints its id, and how often the
# kernel has let it run, just before and just after it has called itself "awake".
cat >"$WORK/sleeper" <<'END'
exec {nothing}<> <(:)
until [[ -e $1/enough ]]; do read -rt 0.02 -u "$nothing"; done
read -r _ _ before </proc/self/schedstat
printf awake >/proc/self/comm
read -r _ _ after </proc/self/schedstat
echo "$$ $before $after" >"$1/told.$2"
END

# runs_until_awake FILE TID: how often a dump has it switched in, until it is renamed. The
# kernel does not count who comes back from being preempted on its way to sleep.
runs_until_awake() {
	awk -v tid="$2" '
		$4 == "task_rename" && index($0, " tid=" tid " ") && /awake/ { found = 1; exit }
		$4 == "sched_switch" && index($0, " prev_tid=" tid " ") { uncounted = / preempt=1/ && !/ prev_state=0x0 / }
		$4 == "sched_switch" && index($0, " next_tid=" tid " ") { n += !uncounted }
		END { print found ? n + 0 : "not renamed" }' "$1"
}

# across REHEARSAL: sessions record, threads run on each CPU, and the machine is suspended.
across() {
	local pid cpu tid before after found success
	rm -f "$WORK"/{on,on2,enough} "$WORK"/told.*
	"$BIN/hftctl" record -o "$WORK/stream.hft" --ring 16M -- bash -c 'touch "$1/on"; exec sleep 600' - "$WORK" >/dev/null 2>&1 </dev/null &
	local stream=$!
	"$BIN/hftctl" record -o "$WORK/flight.hft" --flight --ring 64K --trigger off_cpu:1000s -- \
		bash -c 'touch "$1/on2"; exec sleep 600' - "$WORK" >/dev/null 2>&1 </dev/null &
	local flight=$!
	check "$1: sessions record" wait_for 120 test -e "$WORK/on" -a -e "$WORK/on2"
	"$BIN/hftctl" hist --json >"$WORK/hist" &
	local hist=$!
	for cpu in 0 1 2 3; do
		taskset -c "$cpu" bash "$WORK/sleeper" "$WORK" "$cpu" &
	done
	sleep 0.5
	success=$(</sys/power/suspend_stats/success)
	check "$1: suspended, and awake again" suspend "$1"
	is "$1: by the kernel's count" "$(</sys/power/suspend_stats/success)" $((success + 1))
	is "$1: all CPUs are back" "$(</sys/devices/system/cpu/online)" 0-3
	sleep 1
	touch "$WORK/enough"
	check "$1: threads go on on each CPU" wait_for 60 test -s "$WORK/told.0" -a -s "$WORK/told.1" -a -s "$WORK/told.2" -a -s "$WORK/told.3"
	ends_well "$1: a session with histograms ends well" "$hist"
	at_least "$1: and has counted" "$(sed -n 's/.*"count": *\([0-9]*\).*/\1/p' "$WORK/hist" | sort -n | tail -n 1)" 100
	for pid in "$stream" "$flight"; do
		ends_well "$1: a session that saw it ends well" "$pid"
	done
	sound "$1: stream" --hotplug --lossless "$WORK/stream.hft"
	sound "$1: flight recorder" --hotplug --partial "$WORK/flight.hft"
	hftctl dump "$WORK/stream.hft" >"$WORK/dump"
	while read -r tid before after; do
		found=$(runs_until_awake "$WORK/dump" "$tid")
		at_least "$1: a thread that came to run $before times" "$found" "$before"
		at_most "$1: and not more often" "$found" "$after"
	done < <(cat "$WORK"/told.*)
}

load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --switch 1 --timer 1 --timer-freq 200
for rehearsal in core none; do
	across "$rehearsal"
done
unload
nothing_left "after suspend"

# ---- the clock is not to be trusted any more -------------------------------

is "the records' clock is the TSC" "$(hftctl status | awk '$1 == "clock" { print $2 }')" tsc,
check "insmod" insmod "$BIN/hftmon_plant.ko"
"$BIN/hftctl" record --flight -o "$WORK/flight.hft" -- bash -c 'touch "$1/on3"; exec sleep 600' - "$WORK" >/dev/null 2>"$WORK/why" </dev/null &
flight=$!
check "a flight recorder" wait_for 120 test -e "$WORK/on3"
complains "the kernel gives up the TSC: the recorder says so, and ends" 1 "given up the TSC.*reload" hftctl record -o "$WORK/cut.hft" -- \
	bash -c 'sleep 2; echo 1 >/sys/module/hftmon_plant/parameters/tsc_unstable; exec sleep 50'
sound "what it has is good" --truncated "$WORK/cut.hft"
status=0
wait "$flight" || status=$?
is "the flight recorder ends, too" "$status" 1
is "and says why" "$(grep -c 'given up the TSC.*reload' "$WORK/why")" 1
at_least "with what its rings had" "$(count_of "$WORK/flight.hft" records)" 100
is "status says so" "$(hftctl status | grep -c '^clock .*no longer good: reload')" 1
complains "no other session begins" 1 "given up the TSC.*reload" hftctl record -o "$WORK/no.hft" -d 100ms
check "rmmod" rmmod hftmon
check "insmod" insmod "$MODULE" budget_ppm=0
is "the clock is another now" "$(hftctl status | awk '$1 == "clock" { print $2 }')" monotonic,
check "a session records by it" hftctl record -o "$WORK/mono.hft" -d 500ms
sound "by the monotonic clock" --lossless "$WORK/mono.hft"
nothing_left "at the end"
finish
