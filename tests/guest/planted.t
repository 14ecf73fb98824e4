#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Planted causes: each scenario of tests/plant delays a real-time thread in a
# way that is known, and the bills must say so. HFTMON_PLANT_COUNT delays each
# (default 6), HFTMON_PLANT_ROUNDS rounds of all scenarios (default 1).
#
# timeout: 1500
# module: loaded
# shellcheck source=tests/guest/lib.sh
. "${0%/*}/lib.sh"

PLANT=$BIN/plant
COUNT=${HFTMON_PLANT_COUNT:-6}
ROUNDS=${HFTMON_PLANT_ROUNDS:-1}
SCENARIOS=(preempt-higher stopper hardirq softirq timer equal-priority page-fault
	deep-idle remote-migrate quiet)

# What record is asked for besides.
CAPTURE=()

# one SCENARIO [OPTION...]: plant under capture, then hold bills against truth.
one() {
	local name=$1 capture=$WORK/planted.capture truth=$WORK/truth.json
	shift
	rm -f "$capture" "$truth"
	hftctl record "${CAPTURE[@]}" -o "$capture" -- "$PLANT" "$name" --count "$COUNT" --json "$truth" "$@" \
		>"$WORK/record.log" 2>&1
	if [[ ! -s $truth ]] || grep -q 'ended with status' "$WORK/record.log"; then
		not_ok "$name $*: planted"
		sed 's/^/#   /' "$WORK/record.log"
		return
	fi
	check "$name $*: the bills name the cause" examine plant_check "$truth" "$capture"
	sed 's/^/# /' "$WORK/output" | tail -n 1
	sound "$name $*" "$capture"
	[[ -z ${KEEP:-} ]] || cp "$capture" "$TREE/out/planted-$name.capture"
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
