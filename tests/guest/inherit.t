#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Priority inheritance: a thread that waits behind a borrowed priority.
# timeout: 120
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

ROUNDS=20
check "priorities are inherited, recorded" \
	bash -c '"$@" >"$0"' "$WORK/truth" "$BIN/hftctl" record -o "$WORK/a.hft" -- "$BIN/inherit" 1 "$ROUNDS"
sound "with inheritance" --lossless "$WORK/a.hft"
truth() {
	sed -n "s/.*\\<$1=\\([0-9]*\\).*/\\1/p" "$WORK/truth"
}
note "$(<"$WORK/truth")"
"$BIN/hftctl" dump "$WORK/a.hft" >"$WORK/dump"
at_least "each loan is recorded, with its donor" \
	"$(grep -c "sched_pi_setprio tid=$(truth low) .* old_prio=89 new_prio=49 donor_tid=$(truth high) " "$WORK/dump")" "$ROUNDS"
at_least "and each return" \
	"$(grep -c "sched_pi_setprio tid=$(truth low) .* old_prio=49 new_prio=89 donor_tid=0" "$WORK/dump")" "$ROUNDS"

# The bills of the thread in the middle: behind the low one, which stands above it.
"$BIN/hftctl" spikes "$WORK/a.hft" -p "$(truth middle)" --over 1ms --top "$ROUNDS" --json >"$WORK/json"
is "every wait in the middle is found" \
	"$(jq '[.bills[] | select(.kind == "wakeup")] | length' "$WORK/json")" "$ROUNDS"
# The largest line of a thread. Interrupts are net of it. A host that was away while the high thread ran spoils a round.
at_least "and is put down to the low thread at its borrowed priority" \
	"$(jq --argjson low "$(truth low)" --argjson high "$(truth high)" --argjson held "$(truth held_us)" '[.bills[] |
		select(.kind == "wakeup") | .lines | select(map(select(.cause == "thread"))[0] | .tid == $low and .relation == "higher") |
		select(map(select(.tid != $high) | .ns) | add >= 900 * $held)] | length' "$WORK/json")" $((ROUNDS * 3 / 4))
nothing_left "at the end"
finish
