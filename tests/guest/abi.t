#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Wrong and hostile use of /dev/hftmon: abi_abuse/ holds the checks.
# timeout: 240
# module: loaded
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

# Memory is to run short, not to be refused at once.
echo 65536 >/sys/module/hftmon/parameters/max_total_mb
"$BIN/abi_abuse" </dev/null >"$WORK/abuse" 2>&1
status=$?
while IFS= read -r line; do
	case $line in
	"ok "*) ok "${line#ok }" ;;
	"not ok "*) not_ok "${line#not ok }" ;;
	*) note "$line" ;;
	esac
done <"$WORK/abuse"
at_most "abi_abuse came to its end (status)" "$status" 1
is "with its last line" "$(tail -n 1 "$WORK/abuse")" "end"
echo 0 >/sys/module/hftmon/parameters/max_total_mb
nothing_left "after the abuse"
check "and a normal capture works" hftctl record -o "$WORK/after.hft" -d 200ms
sound "after the abuse" --lossless "$WORK/after.hft"
finish
