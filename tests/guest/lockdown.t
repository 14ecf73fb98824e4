#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Kernel lockdown. It cannot be undone, so this test has a guest of its own.
# timeout: 120
# module: loaded
# vm: HFTMON_TEST=lockdown
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security
LOCKDOWN=/sys/kernel/security/lockdown
if [[ ! -w $LOCKDOWN ]]; then
	skip "kernel lockdown" "this kernel has none"
	finish
fi
check "before, a session opens" "$BIN/hftctl" status
"$BIN/hftctl" record -o "$WORK/a.hft" -- bash -c 'touch "$1"; until [[ -e $2 ]]; do sleep 0.05; done' - \
	"$WORK/on" "$WORK/stop" >/dev/null 2>&1 </dev/null &
session=$!
check "one records" wait_for 120 test -e "$WORK/on"
echo integrity >"$LOCKDOWN"
check "locked down for integrity, a session opens" "$BIN/hftctl" status
echo confidentiality >"$LOCKDOWN"
complains "locked down for confidentiality, none does, and it says why" 1 "locked down for confidentiality" \
	hftctl status
touch "$WORK/stop"
status=0
wait "$session" || status=$?
is "the one that was open goes on to its end" "$status" 0
sound "recorded meanwhile" --lossless "$WORK/a.hft"
finish
