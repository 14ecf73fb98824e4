#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sessions side by side, stalled readers, flight recorders: exact accounting.
# timeout: 900
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

# session N OPTION...: record into N.hft until $WORK/stop exists; $WORK/N.on
# appears when it records.
session() {
	local n=$1
	shift
	"$BIN/hftctl" record -e all -o "$WORK/$n.hft" "$@" -- \
		bash -c 'touch "$1.on"; until [[ -e $2 ]]; do sleep 0.05; done' - "$WORK/$n" "$WORK/stop" \
		>"$WORK/$n.log" 2>&1 </dev/null &
	SESSIONS+=($!)
}

all_recording() {
	local n
	for n in "$@"; do
		[[ -e $WORK/$n.on ]] || return 1
	done
}

stop_sessions() {
	local pid status
	touch "$WORK/stop"
	ENDED=''
	for pid in "${SESSIONS[@]}"; do
		status=0
		wait "$pid" || status=$?
		ENDED+=" $status"
	done
	SESSIONS=()
	rm -f "$WORK"/*.on "$WORK/stop"
}

SESSIONS=()
busy

# ---- two at once, different CPUs and modes ---------------------------------

session a -C 0-1 --ring 16M
session b -C 1,3 --flight --ring 64K
check "two sessions record at once" wait_for 120 all_recording a b
is "both count as users of the module" "$(module_users)" 2
sleep 1
stop_sessions
is "both end well" "$ENDED" " 0 0"
sound "two at once, stream" --partial --lossless "$WORK/a.hft"
sound "two at once, flight" --partial "$WORK/b.hft"
cpus_in() {
	examine hftctl dump -i "$1" | sed -n 's/^[^[]*\[\([0-9]*\)\].*/\1/p' | sort -nu | paste -sd,
}
is "the first recorded its CPUs" "$(cpus_in "$WORK/a.hft")" 000,001
is "the second recorded its CPUs" "$(cpus_in "$WORK/b.hft")" 001,003
at_least "the flight recorder overwrote" "$(count_of "$WORK/b.hft" overwritten)" 1
at_most "and kept no more than its rings hold" "$(count_of "$WORK/b.hft" read)" $((2 * 2048))
nothing_left "after two sessions"

# ---- eight at once, a ninth ------------------------------------------------

masks=(0 1 2 3 0-3 '0,2' 1-3 0-3)
for n in {0..7}; do
	mode=()
	((n % 3 != 2)) || mode=(--flight)
	session "$n" -C "${masks[n]}" --ring 512K "${mode[@]}"
done
check "eight sessions record at once" wait_for 60 all_recording {0..7}
complains "a ninth is refused" 1 "busy" hftctl record -o "$WORK/9.hft" -d 100ms
check "and status still works" hftctl status
sleep 1
stop_sessions
is "all eight end well" "$ENDED" " 0 0 0 0 0 0 0 0"
for n in {0..7}; do
	partial=()
	[[ ${masks[n]} == 0-3 ]] && ((n % 3 != 2)) || partial=(--partial)
	sound "session $n of eight, CPUs ${masks[n]}" "${partial[@]}" "$WORK/$n.hft"
done
check "after that there is room again" hftctl record -o "$WORK/9.hft" -d 100ms
nothing_left "after eight sessions"
rm -f "$WORK"/*.hft

# ---- a reader that stalls --------------------------------------------------

session whole --ring 16M
wait_for 120 all_recording whole
session lossy --ring 32K
check "the session with the small ring records" wait_for 120 all_recording lossy
for _ in 1 2 3; do
	sleep 0.3
	kill -STOP "${SESSIONS[1]}"
	sleep 0.7
	kill -CONT "${SESSIONS[1]}"
done
sleep 0.3
# The lossy one must end first.
ends_well "the stalled recorder ends well" "${SESSIONS[1]}"
unset 'SESSIONS[1]'
stop_sessions
sound "stalled reader" --partial "$WORK/lossy.hft"
sound "beside it" --lossless "$WORK/whole.hft"
at_least "records were lost" "$(count_of "$WORK/lossy.hft" lost)" 100
at_least "GAP records stand for them" "$(count_of "$WORK/lossy.hft" gaps)" 1
is "dump shows the gaps" "$(examine hftctl dump -i "$WORK/lossy.hft" | grep -c '\] gap lost_total=')" \
	"$(count_of "$WORK/lossy.hft" gaps)"
check "hftctl says so at the end" grep -qE '[1-9][0-9]* lost' "$WORK/lossy.log"
check "losses are counted exactly, against a session without" examine loss_check "$WORK/lossy.hft" "$WORK/whole.hft"
sed 's/^/#   /' "$WORK/output"
rm -f "$WORK"/*.hft

# ---- flight recorder -------------------------------------------------------

session flight --flight --ring 32K
wait_for 120 all_recording flight
sleep 2
stop_sessions
sound "flight recorder" --partial "$WORK/flight.hft"
at_least "old records were overwritten" "$(count_of "$WORK/flight.hft" overwritten)" 1000
is "none was lost" "$(count_of "$WORK/flight.hft" lost)" 0
examine hftctl dump -i "$WORK/flight.hft" >"$WORK/dump"
# The last thing that happens is that the recorder goes on to end the session.
check "the newest records are kept: the recorder's own last switch-in is among them" \
	grep -qE 'sched_switch .*next_comm="hftctl"' "$WORK/dump"
unload
nothing_left "at the end"
finish
