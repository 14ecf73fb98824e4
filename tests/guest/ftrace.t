#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hftmon records what ftrace records: the same events, fields and order.
# timeout: 800
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

# compare WHAT OPTION...: one interval under the load that runs now, which ends
# with it: the comparison wants the machine.
compare() {
	local what=$1 status=0
	shift
	"$BIN/ftrace_compare" "$@" --recorded "$WORK/recorded" "$WORK/compare.hft" >"$WORK/report" 2>&1 </dev/null &
	wait_for 300 test -e "$WORK/recorded"
	unload
	wait $! || status=$?
	rm -f "$WORK/recorded"
	sed 's/^/#   /' "$WORK/report"
	is "$what" "$status" 0
	sound "$what" --lossless "$WORK/compare.hft"
	rm -f "$WORK/compare.hft"
}

# A thread with a timer on each CPU: a CPU of which ftrace sees nothing proves nothing.
timers() {
	load cyclictest --quiet --threads 4 --affinity=all --priority 80 --interval 4000 --duration "$LOAD_SECONDS"
}
timers
sleep 1
# Idle CPUs are asked to do things by others; busy ones hardly.
needed=()
[[ ! -e /sys/kernel/tracing/events/csd/csd_function_entry ]] || needed+=(--need csd_queue_cpu --need csd_function_entry)
compare "ftrace and hftmon agree on a quiet machine" --events 100 --seconds 2 "${needed[@]}"
timers
busy
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --fork 1 --futex 1 --yield 1
# Borrowed priorities, signals, translations flushed on other CPUs, sleeps for a lock.
load bash -c 'while :; do "$1" 2 10; sleep 1; done' - "$BIN/inherit"
load bash -c 'while :; do "$1" 3 1; sleep 1; done' - "$BIN/signalled"
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --tlb-shootdown 2
echo 1 >/proc/sys/kernel/sched_schedstats
needed=(--need sched_pi_setprio --need signal_generate --need signal_deliver --need tlb_flush --need sched_stat_blocked)
needed+=(--need hrtimer_start --need timer_expire_entry --need workqueue_queue_work --need workqueue_execute_start)
needed+=(--need napi_poll --need netif_receive_skb --need net_dev_queue --need net_dev_start_xmit --need sys_enter)
[[ ! -e /sys/kernel/tracing/events/ipi/ipi_send_cpu ]] || needed+=(--need ipi_send)
# A disk without a medium.
block=''
if modprobe null_blk gb=1 2>/dev/null && wait_for 30 test -b /dev/nullb0; then
	block='dd if=/dev/nullb0 of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null;'
	needed+=(--need block_rq_issue --need block_rq_complete)
else
	note "no null_blk: no block requests"
fi
sleep 1
# At least once in the interval, however slow the machine: the load stands still meanwhile.
groups=${LOAD_PIDS[*]/#/-}
compare "ftrace and hftmon agree under load" --events 100000 --seconds 3 "${needed[@]}" \
	--during "kill -s STOP -- $groups; $block $BIN/inherit 2 5 >/dev/null; $BIN/signalled 3 1 >/dev/null; kill -s CONT -- $groups"
finish
