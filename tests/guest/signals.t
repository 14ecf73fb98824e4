#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sleeps that a signal takes back: the thread stays runnable, and its wait counts.
# timeout: 120
# module: loaded
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

check "a thread under signals, recorded" \
	hftctl record -o "$WORK/signals.hft" --ring 16M -- "$BIN/signalled" 1 8
sound "under signals" --lossless "$WORK/signals.hft"
# The kernel tells the state that it has taken back, or (since it was mended) the new one.
note "$(hftctl dump "$WORK/signals.hft" | grep -c 'sched_switch .*prev_state=0x[1-9a-f][0-9a-f]* prev_queued=1 preempt=0') sleeps taken back that are told as sleeps"
is "nobody runs who was not seen to wake" \
	"$("$BIN/invariants" --lenient "$WORK/signals.hft" | sed -n 's/.*unseen_wakings=\([0-9]*\).*/\1/p')" 0
nothing_left "at the end"
finish
