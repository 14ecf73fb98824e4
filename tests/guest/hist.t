#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Durations counted in the kernel agree with records and with /proc.
# timeout: 600
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

busy
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --fork 1 --yield 1
# A busy host may keep the collector from its rings too long: then nothing was measured.
counted() {
	local status=3
	for _ in {1..5}; do
		((status == 3)) || break
		status=0
		"$BIN/hist_check" 1 "$WORK/a.hft" || status=$?
	done
	return "$status"
}
check "counts agree with the records and with /proc" counted
sed 's/^/#   /' "$WORK/output"
sound "recorded meanwhile" --lossless "$WORK/a.hft"

check "hist, live" hftctl hist -d 500ms --per-cpu
sed 's/^/#   /' "$WORK/output"
check "as JSON" hftctl hist -d 2s --json
is "every kind was counted" "$(jq '[.all | .hardirq, .softirq, .vector, .wakeup, .run_queue, .on_cpu, .off_cpu |
	select(.count > 0)] | length' "$WORK/output")" 7
check "of a capture" hftctl hist -i "$WORK/a.hft" --json
at_least "wakeups of a capture" "$(jq '.all.wakeup.count' "$WORK/output")" 1
check "some kinds, some CPUs" hftctl hist -d 200ms -C 1 -k softirq,vector --per-cpu --json
is "these and no others" "$(jq -c '[.all | keys[]] + [.cpus[].cpu]' "$WORK/output")" '["missed","no_slot","softirq","vector",1]'

check "a capture of one CPU" hftctl record -C 1 -d 200ms -o "$WORK/one.hft"
check "of that" hftctl hist -i "$WORK/one.hft" --json
is "it cannot tell of threads that may have run elsewhere" "$(jq -c .unavailable "$WORK/output")" \
	'["wakeup","run_queue","off_cpu","preempted"]'
check "and says so" bash -c '"$1" hist -i "$2" | grep -q "^wakeup: not available"' - "$BIN/hftctl" "$WORK/one.hft"

# Two sessions at once: each counts from its own start, in the same histograms.
hftctl hist -d 3s --json >"$WORK/long.json" &
long=$!
sleep 1
hftctl hist -d 500ms --json >"$WORK/short.json"
wait "$long"
at_least "the longer saw more" "$(jq '.all.vector.count' "$WORK/long.json")" "$(jq '.all.vector.count' "$WORK/short.json")"
at_least "the shorter saw something" "$(jq '.all.vector.count' "$WORK/short.json")" 10

# By thread: of a process that is there, and of threads that it starts meanwhile.
unload
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --pthread 1 --pthread-max 3
wait_for 60 pgrep -f stress-ng-pthread
process=$(pgrep -o -f stress-ng-pthread)
is_it=".threads[] | select(.tid == \$tid)"
# ENDED: threads that it started, and that have ended.
ENDED='[.threads[] | select(.ended and .on_cpu.count > 0)] | length'
# As long as it takes: on a loaded host a thread may take seconds to begin.
told_of_process() {
	hftctl hist -p "$process" -d 5s --json >"$WORK/process" && (($(jq "$ENDED" "$WORK/process") >= 1))
}
check "hist, of a process, and of those that it started, which ended" wait_for 120 told_of_process
is "it is told, by name" "$(jq -c --argjson tid "$process" "[$is_it] | [.[0].comm, .[0].ended, length]" "$WORK/process")" \
	'["stress-ng-pthre",false,1]'
at_least "how often it was away" "$(jq --argjson tid "$process" "$is_it | .off_cpu.count" "$WORK/process")" 3
echo 2 >/sys/module/hftmon/parameters/thread_slots
told_of_no_room() {
	hftctl hist -p "$process" -d 5s >"$WORK/little" && grep -q 'thread_slots of the module' "$WORK/little"
}
check "with little room others are not told, and that is" wait_for 120 told_of_no_room
# Those with room may have ended before the first look.
at_most "no more than there is room for are" "$(grep -c '^thread ' "$WORK/little")" 2
echo 64 >/sys/module/hftmon/parameters/thread_slots
told_of_capture() {
	hftctl record -d 3s -o "$WORK/threads.hft" >/dev/null 2>&1 &&
		hftctl hist -i "$WORK/threads.hft" -p "$process" --json >"$WORK/process" && (($(jq "$ENDED" "$WORK/process") >= 1))
}
check "by thread, of a capture, and those that it started" wait_for 120 told_of_capture
at_least "that thread" "$(jq --argjson tid "$process" "$is_it | .off_cpu.count" "$WORK/process")" 1
is "each by name" "$(jq -c '[.threads[].comm | select(. != "stress-ng-pthre")]' "$WORK/process")" '[]'
complains "nobody" 1 "no such process" hftctl hist -p 4194303 -d 1s
complains "nobody, in a capture" 1 "knows no such" hftctl hist -i "$WORK/threads.hft" -p 4194303
complains "everybody" 2 "name processes" hftctl hist -p all -d 1s
complains "threads, and some CPUs" 2 "not for some CPUs" hftctl hist -p "$process" -C 1 -d 1s
complains "a kind that is not of threads" 2 "by thread" hftctl hist -p "$process" -k nmi -d 1s

complains "a kind that there is not" 2 "no kind 'x'" hftctl hist -k x
complains "a capture, and CPUs" 2 "not for a capture" hftctl hist -i "$WORK/a.hft" -C 1
unload
nothing_left "at the end"
check "no histogram is left" bash -c '! grep -qF "[hftmon]" /proc/vmallocinfo'
finish
