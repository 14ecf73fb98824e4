#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Loading, unloading, dying: nothing is left behind and nothing breaks.
# timeout: 600
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

# ---- unloading while in use ------------------------------------------------

"$BIN/hftctl" record -o "$WORK/open.hft" -- bash -c 'touch "$1"; sleep 3' - "$WORK/on" >/dev/null 2>&1 &
recorder=$!
wait_for 120 test -e "$WORK/on"
check_not "rmmod is refused while a session records" rmmod hftmon
is "because the module is in use" "$(grep -ci 'in use' "$WORK/output")" 1
wait "$recorder"
sound "recorded across the attempt" --lossless "$WORK/open.hft"
exec {device}<>/dev/hftmon
check_not "rmmod is refused while the device is open" rmmod hftmon
exec {device}>&-
check "rmmod succeeds when nobody uses it" rmmod hftmon
check_not "the device is gone" test -e /dev/hftmon
complains "hftctl says that the module is missing" 1 "modprobe hftmon" hftctl status
check "insmod" insmod "$MODULE" budget_ppm=0
check "the device is back" wait_for 60 test -c /dev/hftmon

# ---- killed ----------------------------------------------------------------

busy
free_kb() {
	sed -n 's/^MemFree: *\([0-9]*\) kB/\1/p' /proc/meminfo
}
before=$(free_kb)
"$BIN/hftctl" record -o "$WORK/killed.hft" --ring 64M -- bash -c 'touch "$1"; exec sleep 60' - "$WORK/on2" >/dev/null 2>&1 &
recorder=$!
wait_for 120 test -e "$WORK/on2"
# Longer than a recorder goes without saving.
sleep 2.5
during=$(free_kb)
is "four rings are allocated" "$(rings_allocated)" 4
at_least "they take their memory (KiB)" $((before - during)) $((4 * 65536 * 9 / 10))
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
nothing_left "after kill -9"
after=$(free_kb)
at_most "and the memory is back (KiB missing)" $((before - after)) 60000
check "its file opens" hftctl dump -i "$WORK/killed.hft"
at_least "and has records" "$(count_of "$WORK/killed.hft" records)" 10
# Threads that were born after the last flush have no record in the file.
sound "killed recorder" --truncated "$WORK/killed.hft"
rm -f "$WORK/killed.hft"

# ---- many forks ------------------------------------------------------------

unload
check "3000 forks are recorded" hftctl record -o "$WORK/forks.hft" --ring 8M -- \
	bash -c 'for ((i = 0; i < 3000; i++)); do ( : ); done'
sound "3000 forks, every thread has a name" --lossless "$WORK/forks.hft"
at_least "forks in the capture" "$(count_of "$WORK/forks.hft" forks)" 3000
hftctl dump -i "$WORK/forks.hft" >"$WORK/dump"
is "no thread without a name in dump" "$(grep -E '\<(tid|[a-z]+_tid)=[1-9]' "$WORK/dump" |
	grep -cvE '(_|\<)comm=|\] gap |related_tid=')" 0
rm -f "$WORK/forks.hft" "$WORK/dump"

nothing_left "at the end"
finish
