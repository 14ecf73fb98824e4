#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Triggers: durations over a threshold are hits, told at once, and freeze flight recorders.
# timeout: 240
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

# told WHAT COMMAND...: the program's own figures as notes.
told() {
	check "$@"
	sed 's/^/#   /' "$WORK/output" | head -n 20
}

busy
told "a hit freezes the rings" "$BIN/trigger_check" frozen
told "hits have their distance" "$BIN/trigger_check" holdoff
if [[ -e /sys/kernel/tracing/events/ipi/ipi_send_cpu ]]; then
	told "who interrupts is frozen with whom he interrupts" "$BIN/sender_check"
else
	note "this kernel does not tell who sends interrupts"
fi
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --fork 1 --yield 1
told "every duration over its threshold is a hit" "$BIN/trigger_check" counts
unload

# As a user has it: the recorder runs until a thread is late.
"$BIN/trigger_check" victim >"$WORK/victim" &
victim=$!
wait_for 60 grep -q hog= "$WORK/victim"
read -r late hog < <(sed 's/[a-z]*=//g' "$WORK/victim")

# caught OPTION...: records until the trigger is hit, with its status. The machine may
# stand still, and the victim be late without the hog: then again.
caught() {
	local status attempt
	for attempt in 1 2 3 4 5; do
		status=0
		hftctl record -p "$late" --trigger wakeup:100ms --tail 5ms "$@" 2>"$WORK/stderr" || status=$?
		! grep -q '^spike: ' "$WORK/stderr" || ! grep -q 'where idle ran' "$WORK/stderr" || continue
		break
	done
	((attempt == 1)) || note "attempt $attempt"
	sed 's/^/#   /' "$WORK/stderr"
	return "$status"
}

status=0
caught --flight -o "$WORK/a.hft" || status=$?
is "record --flight --trigger: hit" "$status" 3
check "it names both" grep -q "^spike: wakeup of $late \"victim\" took [0-9.]* us on CPU 1, where [1-9][0-9]* \".*\" ran before" "$WORK/stderr"
sound "a frozen capture" --frozen "$WORK/a.hft"
hftctl spikes -i "$WORK/a.hft" --over 100ms --json --check >"$WORK/bills.json"
is "its bill" "$(jq -r '.bills[0].thread.tid' "$WORK/bills.json")" "$late"
is "the hog is first on it" "$(jq -r '.bills[0].lines | max_by(.ns).tid' "$WORK/bills.json")" "$hog"

status=0
caught -o "$WORK/b.hft" || status=$?
is "record --trigger, all written: hit" "$status" 3
sound "a capture that a trigger ended" --lossless "$WORK/b.hft"
is "the spike is in it" "$(hftctl dump -i "$WORK/b.hft" | grep -c " spike kind=wakeup .*tid=$late .*before_tid=[1-9]")" 1

check "nobody is so late" hftctl record --flight -p "$late" --trigger wakeup:60s -d 1s -o "$WORK/c.hft"
kill "$victim"

complains "a kind that there is not" 2 "not a kind of duration" hftctl record --trigger x:50us
complains "no time" 2 "not a kind of duration" hftctl record --trigger wakeup
complains "no unit" 2 "not a duration" hftctl record --trigger wakeup:50
complains "a kind twice" 2 "not a threshold" hftctl record --trigger wakeup:5us,wakeup:9us
nothing_left "at the end"
finish
