#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Flight recorders, triggers that fire and rings that freeze, on CPUs that have no time left.
# HFTMON_STRESS_SECONDS: for how long (default 20).
# timeout: 1500
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

# No thread may end: its last switch is told by more than one record.
stress-ng --quiet --timeout 0 --temp-path "$WORK" --switch 4 --futex 2 --yield 2 --tlb-shootdown 2 --timer 2 \
	--timer-freq 1000 --sock 1 >/dev/null 2>&1 &
load=$!
sleep 3
check "counts stay exact" "$BIN/stress_check" "${HFTMON_STRESS_SECONDS:-20}"
sed 's/^/#   /' "$WORK/output"
kill "$load"
wait "$load" 2>/dev/null
nothing_left "at the end"
finish
