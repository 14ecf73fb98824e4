#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hftctl spikes while it happens: planted delays are billed as they come.
# timeout: 180
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

COUNT=5

# first_lines FILE: the largest line of each bill of the victim.
first_lines() {
	awk '/^plant-victim\/.* woke / { getline; getline; print }' "$1"
}

status=0
hftctl spikes --over 5ms --check --ring 16M -- "$BIN/plant" preempt-higher --count "$COUNT" --json "$WORK/truth" \
	>"$WORK/live" 2>"$WORK/notes" </dev/null || status=$?
is "planted delays: exit status" "$status" 3
at_least "each has a bill" "$(first_lines "$WORK/live" | wc -l)" "$COUNT"
at_least "that names the planted cause first" "$(first_lines "$WORK/live" | grep -c 'behind higher-priority plant-hog/')" "$COUNT"
is "no record was lost" "$(grep -c 'none missing or damaged' "$WORK/live")" 1
is "no record came too late" "$(grep -c 'too late' "$WORK/notes")" 0
sed 's/^/#   /' "$WORK/notes"

status=0
hftctl spikes --over 5ms --json -- \
	bash -c 'exec "$@" >/dev/null' - "$BIN/plant" preempt-higher --count 2 --json "$WORK/truth" \
	>"$WORK/live" 2>"$WORK/notes" </dev/null || status=$?
is "as JSON: exit status" "$status" 3
is "one document" "$(wc -l <"$WORK/live")" 1
at_least "that names the planted cause" "$(grep -o '"comm":"plant-hog"' "$WORK/live" | wc -l)" 2

status=0
hftctl spikes --over 1h -d 1s >"$WORK/live" 2>&1 </dev/null || status=$?
is "nobody was an hour late: exit status" "$status" 0
is "and no bill is shown" "$(grep -c 'unattributed' "$WORK/live")" 0

"$BIN/hftctl" spikes --over 1h >"$WORK/live" 2>&1 </dev/null &
live=$!
wait_for 120 grep -qx '[1-9]*' /sys/module/hftmon/refcnt
sleep 1
ends_well "Ctrl-C ends it well" "$live"
is "with a summary" "$(grep -c '0 delays of' "$WORK/live")" 1

sleep 0.1 &
ended=$!
wait "$ended"
complains "a process that has ended" 1 "$ended" hftctl spikes -p "$ended"
complains "a CPU that does not exist" 1 "does not exist" hftctl spikes -C 77 -d 1s
complains "a command that does not exist" 1 "nosuchcommand" hftctl spikes -- nosuchcommand
nothing_left "at the end"
finish
