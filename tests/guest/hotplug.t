#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# CPUs that go and come back while sessions are open.
# timeout: 240
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

LAST=$(sed 's/.*[,-]//' /sys/devices/system/cpu/online)
CONTROL=/sys/devices/system/cpu/cpu$LAST/online
if [[ $LAST == 0 || ! -w $CONTROL ]]; then
	skip "a CPU that goes" "there is only one, or it cannot go"
	finish
fi

# plug 0|1: the last CPU's state, as far as the kernel is willing.
plug() {
	wait_for 120 eval "echo $1 >$CONTROL"
	is "CPU $LAST is now $1" "$(<"$CONTROL")" "$1"
}

load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --switch 1 --timer 1 --timer-freq 200
"$BIN/hftctl" record -o "$WORK/stream.hft" --ring 16M -- bash -c 'touch "$1"; exec sleep 200' - "$WORK/on" \
	>/dev/null 2>&1 </dev/null &
stream=$!
"$BIN/hftctl" record -o "$WORK/flight.hft" --flight --ring 64K -- bash -c 'touch "$1"; exec sleep 200' - "$WORK/on2" \
	>/dev/null 2>&1 </dev/null &
flight=$!
check "two sessions record" wait_for 120 test -e "$WORK/on" -a -e "$WORK/on2"
for round in 1 2 3; do
	plug 0
	sleep 0.3
	if ((round == 2)); then
		complains "a session for a CPU that is away" 1 "offline" hftctl record -o "$WORK/x.hft" -d 10ms -C "$LAST"
		check "a session for those that are there" hftctl record -o "$WORK/rest.hft" --ring 8M -d 100ms
		sound "recorded on the rest" --lossless "$WORK/rest.hft"
	fi
	plug 1
	sleep 0.3
done

# A reader of that CPU alone, who waits for its wakes.
load bash -c 'while :; do taskset -c "$1" stress-ng --quiet --timeout 1 --temp-path "$2" --switch 1 || sleep 0.1; done' \
	- "$LAST" "$WORK"
"$BIN/patient" poll "$LAST" 1000000 >"$WORK/patient" 2>&1 </dev/null &
patient=$!
wait_for 120 grep -q begun "$WORK/patient"
for round in 1 2 3 4 5 6; do
	sleep 0.5
	plug 0
	sleep 0.3
	plug 1
done
sleep 12 # beyond the patience of the patient
check "a reader that waits for that CPU alone still is woken" kill -0 "$patient"
note "$(<"$WORK/patient")"
kill "$patient" 2>/dev/null
wait "$patient" 2>/dev/null

# One that is stopped while the CPU is away, with its ring.
"$BIN/hftctl" record -o "$WORK/away.hft" --ring 8M -- bash -c 'touch "$1"; exec sleep 200' - "$WORK/on3" >/dev/null 2>&1 </dev/null &
away=$!
wait_for 120 test -e "$WORK/on3"
plug 0
ends_well "a session ends while a CPU is away" "$away"
plug 1

for pid in "$stream" "$flight"; do
	ends_well "a session that saw it all ends" "$pid"
done
sound "stream across CPUs that went" --hotplug --lossless "$WORK/stream.hft"
sound "flight recorder across CPUs that went" --hotplug --partial "$WORK/flight.hft"
sound "stopped without a CPU" --hotplug --lossless "$WORK/away.hft"
at_least "the CPU's ring has records" "$(hftctl dump -i "$WORK/stream.hft" --cpu "$LAST" | wc -l)" 10
unload
nothing_left "at the end"
finish
