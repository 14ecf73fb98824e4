#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hftctl -e: which events are captured, and what a bill says without some.
# timeout: 120
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

# kinds OPTION...: the events that a short capture of a busy machine holds.
kinds() {
	hftctl record --ring 16M "$@" -o "$WORK/a.hft" -- stress-ng --quiet --temp-path "$WORK" --timeout 1 --switch 1 --vm 1 \
		--vm-bytes 8M >/dev/null 2>&1
	hftctl dump "$WORK/a.hft" | sed -n 's/^[^[]*\[[0-9]*\] \([a-z_]*\).*/\1/p' | sort | uniq -c >"$WORK/kinds"
}
has() {
	grep -qw "$1" "$WORK/kinds"
}

kinds
check "by default: switches" has sched_switch
check "interrupts" has local_timer_entry
check "page faults" has page_fault_user
check_not "no flushes of translations" has tlb_flush
sound "by default" --lossless "$WORK/a.hft"
kinds -e all
check "all: flushes of translations" has tlb_flush
check "and who asked for a softirq" has softirq_raise
kinds -e all,-tlb_flush,-irq
check "all but some: switches" has sched_switch
check_not "no flushes" has tlb_flush
check_not "no interrupts" has local_timer_entry
kinds -e sched_switch -e fault
is "two alone" "$(awk '{ print $2 }' "$WORK/kinds" | grep -vxE 'cpu_state|thread_dead' | paste -sd' ')" \
	"page_fault_kernel page_fault_user sched_switch"

hftctl spikes "$WORK/a.hft" --json >"$WORK/json" 2>"$WORK/notes"
at_least "a report of them names what bills lack" "$(jq '.capture.not_captured | length' "$WORK/json")" 10
check "on a terminal, too" grep -q 'note: not captured: .*local_timer' "$WORK/notes"
complains "an event that there is not" 2 "no event or group 'tlb'" hftctl record -e tlb -o "$WORK/x.hft"
complains "nothing left" 2 "nothing is left" hftctl record -e irq,-irq -o "$WORK/x.hft"
complains "an empty list" 2 "must not be empty" hftctl record -e '' -o "$WORK/x.hft"
complains "for a capture that exists" 2 "events is for live" hftctl spikes "$WORK/a.hft" -e all
nothing_left "at the end"
finish
