#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Durations counted in the kernel agree with records and with /proc.
# timeout: 240
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

busy
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --fork 1 --yield 1
check "counts agree with the records and with /proc" "$BIN/hist_check" 1 "$WORK/a.hft"
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
is "these and no others" "$(jq -c '[.all | keys[]] + [.cpus[].cpu]' "$WORK/output")" '["missed","softirq","vector",1]'

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

complains "a kind that there is not" 2 "no kind 'x'" hftctl hist -k x
complains "a capture, and CPUs" 2 "not for a capture" hftctl hist -i "$WORK/a.hft" -C 1
unload
nothing_left "at the end"
check "no histogram is left" bash -c '! grep -qF "[hftmon]" /proc/vmallocinfo'
finish
