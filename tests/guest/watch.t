#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Watched threads: all that concerns them is recorded, and nothing else.
# timeout: 600
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

# whole: begins a recording of everything, to compare with.
whole() {
	rm -f "$WORK/stop" "$WORK/on"
	"$BIN/hftctl" record -e all --ring 8M -o "$WORK/whole.hft" -- \
		bash -c 'touch "$1"; until [[ -e $2 ]]; do sleep 0.05; done' - "$WORK/on" "$WORK/stop" \
		>"$WORK/whole.log" 2>&1 </dev/null &
	WHOLE=$!
	check "$1: beside it everything is recorded" wait_for 120 test -e "$WORK/on"
}

end_whole() {
	touch "$WORK/stop"
	check "$1: it ends well" wait "$WHOLE"
}

count() {
	sed -n "s/.*\\<$1=\\([0-9]*\\).*/\\1/p" "$WORK/output"
}

# exact WHAT: what was watched is what was to be recorded.
exact() {
	local before
	sound "$1" --lossless "$WORK/watched.hft"
	before=$FAILURES
	check "$1: all that concerns them, and nothing else" examine watch_check "$WORK/watched.hft" "$WORK/whole.hft"
	sed 's/^/#   /' "$WORK/output"
	((FAILURES == before)) || keep "$WORK/watched.hft" "$WORK/whole.hft"
}

# Threads and processes come and go, wake each other, move and get signals.
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --switch 1 --pthread 1 --pthread-max 3 --fork 1
# Children that are there for longer: some are born while one after another is being watched.
load bash -c 'while :; do ping -q -i 0.2 -w 8 127.0.0.1 & sleep 0.2; done'
all_begun() {
	(($(pgrep -s "${LOAD_PIDS[0]}" | wc -l) >= 6))
}
wait_for 120 all_begun
WATCHED=${LOAD_PIDS[1]},$(pgrep -s "${LOAD_PIDS[0]}" | paste -sd,)
note "watched: $WATCHED"
# Others, not watched, on the same CPUs.
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --switch 1 --timer 1 --timer-freq 500
load ping -q -i 0.01 -s 100 127.0.0.1

# ---- everything about some threads -----------------------------------------

whole "processes"
check "processes are watched, with their children" \
	hftctl record --watch -e all -p "$WATCHED" --ring 8M -d 500ms -o "$WORK/watched.hft"
end_whole "processes"
exact "processes"
at_least "their children are watched, too" "$(count watched)" 12
at_least "records of them" "$(count matched)" 1000
at_most "that is not all there is" "$(count matched)" $(($(count all) * 3 / 4))

# ---- and everything on some CPUs -------------------------------------------

whole "CPUs 0-1"
check "the same are watched, and two CPUs are recorded whole" \
	hftctl record --watch -e all -C 0-1 -p "$WATCHED" --ring 8M -d 300ms -o "$WORK/watched.hft"
end_whole "CPUs 0-1"
exact "CPUs 0-1"
# A flight recorder alike: its windows differ, so only what a capture itself tells is looked at.
check "a flight recorder that watches" \
	hftctl record --watch --flight --ring 64K -p "$WATCHED" -d 500ms -o "$WORK/flight.hft"
sound "a flight recorder that watches" --partial "$WORK/flight.hft"

# ---- changed while it records ----------------------------------------------

# One of the threads that wake each other.
BUSY=$(ps -eLo tid,pcpu,comm --sort=-pcpu | awk '$3 == "stress-ng-switc" { print $1; exit }')
check "a thread is watched, not watched, and watched again" "$BIN/rewatch" "$BUSY" "$WORK/again.hft"
sed 's/^/#   /' "$WORK/output"
sound "watched again" --lossless "$WORK/again.hft"

# ---- a command that is watched from its beginning ----------------------------

unload
load ping -q -i 0.01 -s 100 127.0.0.1

whole "a command"
check "a command is watched from its first instruction" \
	bash -c '"$@" >"$0"' "$WORK/truth" "$BIN/hftctl" record --watch -e all --ring 8M -o "$WORK/watched.hft" -- "$BIN/inherit" 1 5
end_whole "a command"
exact "a command"
# delays FILE: how often each thread of the command was late, by kind. The first
# of them had begun before it was watched.
delays() {
	examine hftctl spikes "$1" -p "$COMMAND" --over 1s --json |
		jq -c --argjson leader "$COMMAND" \
			'[.threads[] | select(.tid != $leader) | [.tid, .wakeup.count, .preemption.count]] | sort'
}
COMMAND=$(hftctl spikes "$WORK/watched.hft" --json | jq '.capture.subjects[0]')
at_least "its threads had delays" "$(delays "$WORK/watched.hft" | jq '[.[][1]] | add')" 15
is "and each as many as in the whole recording" "$(delays "$WORK/watched.hft")" "$(delays "$WORK/whole.hft")"
hftctl spikes "$WORK/watched.hft" --over 0 --top 1000 --json >"$WORK/json"
is "every bill is complete" "$(jq '.totals.incomplete' "$WORK/json")" 0
at_least "others that had the CPU are said to be not recorded" \
	"$(jq '[.bills[].lines[] | select(.cause == "not_watched")] | length' "$WORK/json")" 1
# Lines of less than 1/2000 of their bill may be folded there.
hftctl spikes "$WORK/watched.hft" --over 0 --top 1000 >"$WORK/text"
at_least "the text says so, too" "$(grep -c 'not recorded (none of the watched' "$WORK/text")" \
	"$(jq '[.bills[] | .length.ticks as $all | .lines[] | select(.cause == "not_watched" and .ticks * 2000 >= $all)] | length' "$WORK/json")"
check "live as well" bash -c '"$1" spikes --watch --over 0 --top 1 -- "$2" 1 2 >"$3"; (($? == 3))' - \
	"$BIN/hftctl" "$BIN/inherit" "$WORK/live"
check "with bills" grep -q 'late' "$WORK/live"

# ---- what is refused -------------------------------------------------------

complains "--watch of nobody" 2 "--watch: nobody" hftctl record --watch -d 100ms -o "$WORK/x.hft"
complains "--watch of everybody" 2 "--watch: nobody" hftctl record --watch -p all -d 100ms -o "$WORK/x.hft"
complains "--watch of a capture" 2 "--watch is for live" hftctl spikes "$WORK/watched.hft" --watch
complains "delays of a thread that was not watched" 2 "watched only" hftctl spikes "$WORK/watched.hft" -p 1
complains "delays of everybody" 2 "watched only" hftctl spikes "$WORK/watched.hft" -p all
check_not "a whole CPU that does not exist" hftctl record --watch -C 63 -p "$WATCHED" -d 100ms -o "$WORK/x.hft"
unload
nothing_left "at the end"
check "nobody is watched any more" bash -c '! grep -q hftmon_watch /proc/vmallocinfo'
finish
