#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Load, record, unload, HFTMON_RELOADS times (default 200), while events flow.
#
# Each round hooks and unhooks 38 tracepoints, and the kernel patches its own
# code for each.
#
# timeout: 600
# module: loaded
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

RELOADS=${HFTMON_RELOADS:-200}
# On a slow machine: for so long, or so many rounds, whichever takes longer.
RELOAD_SECONDS=200
AT_LEAST=50

load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --switch 1 --timer 1 --timer-freq 50
failed='' done_reloads=0 records=0 start=$SECONDS
for ((i = 1; i <= RELOADS; i++)); do
	if ! { rmmod hftmon && insmod "$MODULE" budget_ppm=0 && hftctl record -o "$WORK/reload.hft" --ring 256K -d 50ms; } \
		>"$WORK/reload" 2>&1; then
		failed="round $i: $(<"$WORK/reload")"
		break
	fi
	got=$(sed -n 's/.*: \([0-9]*\) records.*/\1/p' "$WORK/reload" | head -n 1)
	records=$((records + ${got:-0}))
	if ((i % 20 == 0)); then
		"$BIN/invariants" --lossless "$WORK/reload.hft" >"$WORK/reload" 2>&1 || {
			failed="round $i: $(<"$WORK/reload")"
			break
		}
	fi
	done_reloads=$i
	((SECONDS - start < RELOAD_SECONDS || i < AT_LEAST)) || break
done
note "$done_reloads loads and unloads with a capture each in $((SECONDS - start)) s; $records records"
is "unload, load, capture, under load" "$failed" ''
if ((SECONDS - start >= RELOAD_SECONDS)); then
	note "this machine is too busy for $RELOADS rounds in $RELOAD_SECONDS s"
	at_least "rounds" "$done_reloads" "$AT_LEAST"
else
	is "rounds" "$done_reloads" "$RELOADS"
fi
unload
nothing_left "after $done_reloads rounds"
finish
