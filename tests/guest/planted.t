#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Planted causes: each scenario of tests/plant delays a real-time thread in a
# way that is known, and the bills must say so. HFTMON_PLANT_COUNT delays each
# (default 6), HFTMON_PLANT_ROUNDS rounds of all scenarios (default 1).
#
# timeout: 1500
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2317
. "${0%/*}/lib.sh"

PLANT=$BIN/plant
COUNT=${HFTMON_PLANT_COUNT:-6}
ROUNDS=${HFTMON_PLANT_ROUNDS:-1}
SCENARIOS=(preempt-higher stopper hardirq softirq timer equal-priority page-fault
	deep-idle remote-migrate quiet)

# What record is asked for besides.
CAPTURE=()

# Lengths of a delay in us, tried in turn until every delay could be planted: a
# host that takes CPUs from the guest spoils most of one length, not of all.
LENGTHS=(10000 3000 30000)

# plant_one SCENARIO [OPTION...]: under capture, into $WORK/truth.json.
plant_one() {
	rm -f "$WORK"/{planted.capture,truth.json,verdict}
	touch "$WORK/verdict"
	hftctl record "${CAPTURE[@]}" -o "$WORK/planted.capture" -- \
		"$PLANT" "$@" --count "$COUNT" --json "$WORK/truth.json" >"$WORK/record.log" 2>&1
	[[ -s $WORK/truth.json ]] && ! grep -q 'ended with status' "$WORK/record.log"
}

# judge: hold bills against truth; false where the machine disturbed too many.
judge() {
	examine plant_check "$WORK/truth.json" "$WORK/planted.capture" >"$WORK/verdict" 2>&1
	VERDICT=$?
	((VERDICT != 3))
}

# verdict: what judge() found.
verdict() {
	cat "$WORK/verdict"
	return "$VERDICT"
}

# one SCENARIO [OPTION...]: plant it, then judge the bills.
one() {
	local capture=$WORK/planted.capture length
	for length in "${LENGTHS[@]}"; do
		plant_one "$@" --us "$length" && judge && break
		sed 's/^/#   /' "$WORK/record.log" "$WORK/verdict"
	done
	[[ -s $WORK/verdict ]] || { not_ok "$*: planted" && return; }
	check "$*: the bills name the cause" verdict
	tail -n 1 "$WORK/verdict" | sed 's/^/# /'
	((VERDICT == 0)) || keep "$WORK/truth.json" "$capture"
	sound "$*" "$capture"
	[[ -z ${KEEP:-} ]] || cp "$capture" "$TREE/out/planted-$1.capture"
}

insmod "$BIN/hftmon_plant.ko" || note "the test module did not load"
for ((round = 1; round <= ROUNDS; round++)); do
	for scenario in "${SCENARIOS[@]}"; do
		one "$scenario"
	done
	one preempt-higher --kind preemption
	one stopper --kind preemption
done
# Handlers that are only recorded when they took long: the bills are the same.
CAPTURE=(--min "hardirq:100us,softirq:100us,vector:100us")
one hardirq
one softirq
rmmod hftmon_plant
finish
