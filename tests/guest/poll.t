#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Readers that wait: woken when a batch is there, and not more often.
# timeout: 300
# module: loaded
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

field() {
	sed -n "s/.*$1=\\(-\\?[0-9]*\\).*/\\1/p" "$WORK/output"
}

# On CPU 1 alone, so that its own events fill the ring, and others' wait.
load taskset -c 1 stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --switch 1
for how in poll epoll; do
	check "$how: no wake is lost, asked for before SETUP" "$BIN/patient" "$how" 1 1000
	note "$(<"$WORK/output")"
	wakes=$(field wakes)
	at_least "$how: woken for its batches" "$wakes" 10
	if [[ $(field irq_works) == -1 || -e /sys/kernel/realtime ]]; then
		skip "$how: one interrupt for a wake" "irq_work is not counted here, or others use it much"
	else
		# Others use irq_work as well, rarely.
		at_most "$how: one interrupt for a wake" "$(field irq_works)" $((wakes + wakes / 4 + 10))
	fi
done
# The ring holds 64 Ki records, 1024 batches.
check "edge-triggered, nothing read: each further batch is an edge" "$BIN/patient" edge 1 800
note "$(<"$WORK/output")"
unload
nothing_left "at the end"
finish
