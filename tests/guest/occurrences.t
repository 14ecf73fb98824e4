#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Events that do not come by themselves, planted: tasklets, sleeps for a disk, changes of a
# CPU's frequency.
# timeout: 200
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

check "the module that plants" insmod "$BIN/hftmon_plant.ko"

# available SOURCE: whether this kernel tells of it.
available() {
	[[ $(hftctl status --json | jq -r --arg name "$1" '.sources[] | select(.name == $name) | .state') == available ]]
}

# Each planted tasklet says itself from when to when it ran, in ticks of the same clock.
# A host that takes CPUs away spoils most of one length, not of all.
for length in 5000 1000 20000; do
	check "tasklets" hftctl record -e tasklet -o "$WORK/a.hft" -- \
		"$BIN/plant" softirq --count 3 --us "$length" --json "$WORK/truth"
	(($(jq -s 'map(select(.causes)) | length' "$WORK/truth") < 3)) || break
done
sound "tasklets" --lossless "$WORK/a.hft"
hftctl dump "$WORK/a.hft" | awk '$5 !~ /^function=plant_tasklet_fn/ { next }
	$4 == "tasklet_entry" { start[$3] = $1 }
	$4 == "tasklet_exit" { print start[$3], $1, $3 }' >"$WORK/tasklets"
planted=0 found=0
while read -r start end cpu; do
	((++planted))
	awk -v start="$start" -v end="$end" -v cpu="$(printf '[%03d]' "$cpu")" '
		$1 <= start && $2 >= end && $3 == cpu { n++ } END { exit n != 1 }' "$WORK/tasklets" && ((++found))
done < <(jq -r 'select(.causes) | "\(.causes[0].start_tsc) \(.causes[0].end_tsc) \(.cpu)"' "$WORK/truth")
is "planted" "$planted" 3
is "each inside one that was recorded" "$found" "$planted"

# A disk that answers after 20 ms.
if available sched_stat_iowait && modprobe null_blk gb=1 irqmode=2 completion_nsec=20000000 2>/dev/null &&
	wait_for 30 test -b /dev/nullb0; then
	echo 1 >/proc/sys/kernel/sched_schedstats
	check "sleeps for a disk" hftctl record -e sched,blocked,block,thread -o "$WORK/a.hft" -- \
		dd if=/dev/nullb0 of=/dev/null bs=4k count=7 iflag=direct
	hftctl dump "$WORK/a.hft" >"$WORK/dump"
	# As long as said, or longer, by what the kernel measures.
	is "each, and how long" "$(sed -n 's/.*\] sched_stat_iowait .*comm="dd" .*delay_ns=//p' "$WORK/dump" |
		awk '$1 >= 19000000 { n++ } END { print n + 0 }')" 7
	is "requests of it" "$(grep -c '] block_rq_issue .*bytes=4096' "$WORK/dump")" 7
	is "and their ends" "$(grep -c '] block_rq_complete .*bytes=4096' "$WORK/dump")" 7
	sound "sleeps for a disk" --lossless "$WORK/a.hft"
	rmmod null_blk
else
	skip "sleeps for a disk" "this kernel has no null_blk, or does not tell"
fi

# No driver changes frequencies here: the module says for one that it has.
if available cpu_frequency; then
	check "changes of frequency" hftctl record -e cpu_frequency -o "$WORK/a.hft" -- bash -c '
		for change in 0:1200000 3:3400000 3:800000; do
			taskset -c "${change%:*}" bash -c "echo ${change#*:} >/sys/module/hftmon_plant/parameters/frequency"
		done'
	is "each, of its CPU" "$(hftctl dump "$WORK/a.hft" | sed -n 's/.*\] cpu_frequency //p' | paste -sd,)" \
		"cpu=0 khz=1200000,cpu=3 khz=3400000,cpu=3 khz=800000"
	sound "changes of frequency" --lossless "$WORK/a.hft"
else
	skip "changes of frequency" "this kernel does not tell"
fi
rmmod hftmon_plant
nothing_left "at the end"
finish
