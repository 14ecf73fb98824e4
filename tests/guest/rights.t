#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who may record: CAP_PERFMON (or CAP_SYS_ADMIN) and access to the device.
# timeout: 120
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"

chmod a+rx "$WORK/.." "$WORK" "$BIN"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
no_perfmon=(setpriv "--bounding-set=-perfmon,-sys_admin" "--inh-caps=-perfmon,-sys_admin")

complains "nobody may not open the device" 1 "Permission denied.*CAP_PERFMON" "${nobody[@]}" "$BIN/hftctl" status
complains "nor record" 1 "CAP_PERFMON" "${nobody[@]}" "$BIN/hftctl" record -o /dev/null -d 10ms
complains "root without CAP_PERFMON and CAP_SYS_ADMIN may not" 1 "not permitted.*CAP_PERFMON" \
	"${no_perfmon[@]}" "$BIN/hftctl" status
complains "nor record" 1 "CAP_PERFMON" "${no_perfmon[@]}" "$BIN/hftctl" record -o "$WORK/x.hft" -d 10ms
check_not "and no file is left" test -e "$WORK/x.hft"
check "root with CAP_PERFMON alone may" setpriv --bounding-set=-all,+perfmon --inh-caps=-all "$BIN/hftctl" status
check "root with CAP_SYS_ADMIN alone may" setpriv --bounding-set=-all,+sys_admin --inh-caps=-all "$BIN/hftctl" status

chmod 666 /dev/hftmon
complains "access to the device is not enough" 1 "not permitted.*CAP_PERFMON" "${nobody[@]}" "$BIN/hftctl" status
mkdir -m 777 "$WORK/theirs"
perfmon=("${nobody[@]}" "--inh-caps=-all,+perfmon" "--ambient-caps=-all,+perfmon")
check "a user with CAP_PERFMON and access may record" "${perfmon[@]}" "$BIN/hftctl" record \
	-o "$WORK/theirs/a.hft" --ring 256K -d 200ms
sound "recorded by a user" --lossless "$WORK/theirs/a.hft"
# Where functions of the kernel lie is for those who may read its log.
functions() {
	hftctl dump "$1" | grep -cE "$2"
}
check "a user with CAP_PERFMON may record timers" "${perfmon[@]}" "$BIN/hftctl" record -e timer,work \
	-o "$WORK/theirs/c.hft" --ring 256K -d 300ms
at_least "there were some" "$(functions "$WORK/theirs/c.hft" ' (hrtimer_start|hrtimer_expire_entry) ')" 2
is "but does not learn where their functions lie" "$(functions "$WORK/theirs/c.hft" ' (function|object)=')" 0
check "root records them" hftctl record -e timer,work -o "$WORK/c.hft" -d 300ms
at_least "and learns their names" "$(functions "$WORK/c.hft" ' hrtimer_expire_entry .* function=[a-z_]+')" 1
check "a user with CAP_PERFMON may record stacks" "${perfmon[@]}" "$BIN/hftctl" record -e bills,stack \
	-o "$WORK/theirs/d.hft" -d 300ms
at_least "those of programs" "$(functions "$WORK/theirs/d.hft" ' stack .* user=')" 1
is "but not those of the kernel" "$(functions "$WORK/theirs/d.hft" ' kernel=')" 0
# Whom the device file lets in, when the machine's owner says that this is enough.
PARAMETER=/sys/module/hftmon/parameters/require_capability
echo 0 >"$PARAMETER"
check "a user with access alone may record, if the owner says so" "${nobody[@]}" "$BIN/hftctl" record \
	-o "$WORK/theirs/b.hft" --ring 256K -d 200ms
complains "but not root of a user namespace" 1 "not permitted.*CAP_PERFMON" \
	"${nobody[@]}" unshare --user --map-root-user "$BIN/hftctl" status
echo 1 >"$PARAMETER"
complains "nor then" 1 "not permitted.*CAP_PERFMON" \
	"${nobody[@]}" unshare --user --map-root-user "$BIN/hftctl" status
complains "and the user no more" 1 "not permitted.*CAP_PERFMON" "${nobody[@]}" "$BIN/hftctl" status
chmod 600 /dev/hftmon
complains "a user with CAP_PERFMON and no access may not" 1 "Permission denied.*group hftmon" "${perfmon[@]}" "$BIN/hftctl" status

# The udev rule, by udev itself.
if command -v udevadm >/dev/null; then
	mkdir -p /run/udev/rules.d
	cp "$TREE/scripts/system/60-hftmon.rules" /run/udev/rules.d/
	is "udev gives the device to the group" \
		"$(udevadm test /sys/class/misc/hftmon 2>&1 | grep -Eo 'MODE.*0660|mode=0?660|hftmon.*0660' | head -c 1 | wc -c)" 1
else
	skip "udev gives the device to the group" "there is no udevadm"
fi
is "the device is root's alone" "$(stat -c %a:%u:%g /dev/hftmon)" 600:0:0
nothing_left "at the end"
finish
