#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Minimum durations: what is longer is recorded, each, and nothing else.
# timeout: 240
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

busy
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --fork 1 --yield 1
check "each, of every kind, and no other" "$BIN/minimum_check" all
sed 's/^/#   /' "$WORK/output"
check "of a watched thread" "$BIN/minimum_check" watched
sed 's/^/#   /' "$WORK/output"

check "histograms of threads" "$BIN/minimum_check" threads
sed 's/^/#   /' "$WORK/output"

check "record --min" hftctl record --min hardirq:10us,softirq:30us,vector:1us -o "$WORK/min.hft" --ring 16M -d 1s
sound "recorded with minimums" --lossless "$WORK/min.hft"
hftctl dump "$WORK/min.hft" >"$WORK/min.txt"
is "no events of handlers" "$(grep -cE ' (irq_handler|softirq_entry|softirq_exit|local_timer|reschedule)' "$WORK/min.txt")" 0
at_least "softirqs" "$(grep -c ' duration kind=softirq ' "$WORK/min.txt")" 1
at_least "vectors" "$(grep -c ' duration kind=vector .* vector=' "$WORK/min.txt")" 10
at_least "and the rest of what bills are made of" "$(grep -c ' sched_switch ' "$WORK/min.txt")" 100
hftctl spikes -i "$WORK/min.hft" --over 100us --top 100000 --check --json >"$WORK/min.json" 2>"$WORK/stderr" || true
is "spikes knows" "$(jq -c .capture.minimums "$WORK/min.json")" '{"hardirq":10000,"softirq":30000,"vector":1000}'
check "and tells" grep -q '^note: softirq only captured when longer than 30 us' "$WORK/stderr"
check "no invariant is broken" bash -c '! grep -q invariant "$1"' - "$WORK/stderr"
is "a softirq's time is its own" "$(jq '[.bills[].lines[] | select(.cause == "softirq")] | length > 0' "$WORK/min.json")" true

check "only long waits" hftctl record --min run_queue:1ms -o "$WORK/waits.hft" -d 1s
hftctl dump "$WORK/waits.hft" >"$WORK/waits.txt"
at_least "waits" "$(grep -c ' duration kind=run_queue ' "$WORK/waits.txt")" 1
is "no switch and no wakeup" "$(grep -cE ' sched_(switch|wakeup|wakeup_new) ' "$WORK/waits.txt")" 0
at_least "but what else there is" "$(grep -cE ' (sched_waking|softirq_entry) ' "$WORK/waits.txt")" 100

complains "a kind that there is not" 2 "kinds: hardirq" hftctl record --min x:1us
complains "twice" 2 "each kind has one" hftctl record --min nmi:1us --min nmi:2us
complains "bills without switches" 2 "without sched_switch" hftctl spikes --min wakeup:1us -d 1s
complains "for a capture that exists" 2 "for live use" hftctl spikes -i "$WORK/min.hft" --min nmi:1us
unload
nothing_left "at the end"
finish
