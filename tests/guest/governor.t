#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The overhead governor: what is shed, told, taken back; and that the budget is kept.
# timeout: 600
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

# recording NAME OPTION...: into NAME.hft until $WORK/NAME.stop exists.
recording() {
	local name=$1
	shift
	hftctl record -e all --ring 16M -o "$WORK/$name.hft" "$@" -- \
		bash -c 'touch "$1.on"; until [[ -e $1.stop ]]; do sleep 0.05; done' - "$WORK/$name" \
		>"$WORK/$name.log" 2>&1 </dev/null &
	RECORDER[$name]=$!
	wait_for 120 test -e "$WORK/$name.on"
}

stop_recording() {
	local status=0
	touch "$WORK/$1.stop"
	wait "${RECORDER[$1]}" || status=$?
	is "$1: the recorder ends well" "$status" 0
}

# governed NAME: what SHED records say is so; their numbers in NUMBER.
governed() {
	local word
	check "$1: SHED records are true" examine governor_check "$WORK/$1.hft"
	sed 's/^/#   /' "$WORK/output"
	for word in $(tail -n 1 "$WORK/output"); do
		NUMBER[${word%%=*}]=${word#*=}
	done
}

# shed_cpus: on how many CPUs something is shed now.
shed_cpus() {
	hftctl status --json | jq '[.cpus[] | select(.shed != [])] | length'
}

some_shed() { (($(shed_cpus) >= ${1:-1})); }
none_shed() { (($(shed_cpus) == 0)); }

declare -A RECORDER NUMBER
busy

# ---- no budget ---------------------------------------------------------------

recording free
sleep 1
stop_recording free
governed free
is "without a budget nothing is shed" "${NUMBER[sheds]}" 0
check_not "and nothing is said of it" grep -q "NOT recorded" "$WORK/free.log"

# ---- a budget that nothing fits in, and none any more ------------------------

recording tight
set_budget 1
check "with a budget of 1 ppm sources are shed on every CPU" wait_for 120 some_shed 4
status_tells() { hftctl status | grep -q "not recorded on CPU 0: .*softirq_raise"; }
check "status says so" wait_for 120 status_tells
all_spend() {
	(($(hftctl status --json | jq '[.cpus[] | select(.spent_ppm > 1)] | length') == 4))
}
check "and what is spent on each" wait_for 120 all_spend
hftctl status --json >"$WORK/json"
is "what tells who runs, and who is who, is never shed" \
	"$(jq -r '[.cpus[].shed[]] | unique | .[] | select(test("^(sched_switch|sched_process_.*|task_rename|sched_wakeup_new|sched_migrate_task|nmi_handler)$"))' "$WORK/json")" ''
# A session that begins now is told at once, in the first records.
recording late -C 0
stop_recording late
is "a session that begins meanwhile is told at its beginning" \
	"$(examine hftctl dump -i "$WORK/late.hft" | head -n 3 | grep -c '\] shed sources=[a-z]')" 1
governed late
is "a flight recorder tells of it at its end" \
	"$(hftctl record -e all --flight --ring 32K -d 300ms -o "$WORK/f.hft" 2>&1 | grep -c 'NOT recorded all the time on 4 of 4')" 1
set_budget 0
check "without one everything comes back" wait_for 120 none_shed
sleep 1
stop_recording tight
check "the recorder says what was left out" grep -q "NOT recorded all the time on 4 of 4 CPUs.*softirq_raise" "$WORK/tight.log"
governed tight
is "on every CPU" "${NUMBER[cpus]}" 4
at_least "shed on every CPU" "${NUMBER[sheds]}" 4
at_least "brought back on every CPU" "${NUMBER[cleared]}" 4
at_least "and recorded again" "${NUMBER[seen_again]}" 100
sound "shed and brought back" --shed "$WORK/tight.hft"
examine hftctl spikes -i "$WORK/tight.hft" --over 0us --top 1000 --check --json >"$WORK/json"
at_least "bills say that not all was recorded" \
	"$(jq '[.bills[] | select(.incomplete | index("shed"))] | length' "$WORK/json")" 1

# ---- a budget that part of it fits in -----------------------------------------

# spent SECONDS: the largest share of a CPU's time, in ppm, by the meters themselves; of
# those where there still is something to shed.
spent() {
	hftctl status --json >"$WORK/before"
	sleep "$1"
	hftctl status --json >"$WORK/after"
	jq -n --slurpfile a "$WORK/before" --slurpfile b "$WORK/after" '
		($b[0].monotonic_ns - $a[0].monotonic_ns) as $ns |
		[range(0; $a[0].cpus | length) as $i | $a[0].cpus[$i] as $x | $b[0].cpus[$i] as $y |
		 ($y.timed_events - $x.timed_events) as $timed |
		 if $timed == 0 then 0 else
			 ($y.timed_ns - $x.timed_ns) * ($y.events - $x.events) / $timed / $ns * 1000000
		 end | if $y.shed | index("sched_waking") then 0 else . end] | max | floor'
}

# On a host that takes CPUs from the guest probes take longer from one second to the next,
# and half of what they took may be too little for anything: then three quarters.
recording half
sleep 0.5
for parts in 2 3 3; do
	free=$(spent 1)
	budget=$((free * parts / 4))
	set_budget "$budget"
	sleep 2
	held=$(spent 3)
	set_budget 0
	note "spent without a budget $free ppm, with one of $budget: $held"
	((held == 0)) || break
	wait_for 120 none_shed
done
stop_recording half
at_least "probes cost something" "$held" 1
at_most "a budget of part of that is kept to" "$held" $((budget + (free - budget) * 2 / 5))
governed half
at_least "by shedding some, not everything" "${NUMBER[partial]}" 1

# ---- taken back by and by ------------------------------------------------------

recording back
set_budget 1
all_shed() {
	(($(hftctl status --json | jq '[.cpus[] | select(.shed | index("sched_waking"))] | length') == 4))
}
check "where nothing fits everything goes" wait_for 60 all_shed
unload
set_budget 900000
check "where there is room again, step by step everything comes back" wait_for 60 none_shed
stop_recording back
governed back
at_least "one step after another" "${NUMBER[restores]}" 8
nothing_left "at the end"
is "and nothing is shed when nobody records" "$(shed_cpus)" 0
finish
