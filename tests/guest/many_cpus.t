#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# More CPUs than a word has bits: masks, rings, histograms, freezes beyond CPU 63.
# vm: --cpus 72 --mem 4G
# timeout: 400
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

CPUS=(0 63 64 71)

is "as many CPUs as were asked for" "$(nproc)" 72

# sleepers: a thread on each CPU of CPUS sleeps 40 times; it prints its id, its CPU, and how
# often it came to run, by the kernel's count, there and in all.
cat >"$WORK/sleeper" <<'END'
exec {nothing}<> <(:)
read -r _ _ before </proc/self/schedstat
for ((i = 0; i < 40; i++)); do read -rt 0.01 -u "$nothing"; done
read -r _ _ after </proc/self/schedstat
echo "$$ $1 $((after - before)) $after"
END
cat >"$WORK/sleepers" <<'END'
for cpu in "${@:2}"; do taskset -c "$cpu" bash "$1/sleeper" "$cpu" & done
wait
END

# switches_of FILE TID CPU: how often the capture has it switched in there.
switches_of() {
	awk -v cpu="$(printf '[%03d]' "$3")" -v tid="next_tid=$2" '
		$3 == cpu && $4 == "sched_switch" { for (i = 5; i <= NF; i++) n += $i == tid } END { print n + 0 }' "$1"
}

# count_switches WHAT: of each sleeper of $WORK/told, in $WORK/dump.
count_switches() {
	local tid cpu there all found
	hftctl dump "$WORK/a.hft" >"$WORK/dump"
	while read -r tid cpu there all; do
		found=$(switches_of "$WORK/dump" "$tid" "$cpu")
		at_least "$1: CPU $cpu: $there of $all times it came to run" "$found" "$there"
		# It ends after it has told.
		at_most "$1: CPU $cpu: and not more often" "$found" $((all + 3))
	done <"$WORK/told"
	is "$1: by threads" "$(wc -l <"$WORK/told")" "${#CPUS[@]}"
}

check "all CPUs" hftctl record -e sched -o "$WORK/a.hft" -- bash -c 'bash "$1/sleepers" "$@" >"$1/told"' - "$WORK" "${CPUS[@]}"
sed 's/^/#   /' "$WORK/output"
sound "all CPUs" --lossless "$WORK/a.hft"
count_switches "all CPUs"

check "CPUs of a list" hftctl record -e sched -C 0,63-64,71 -o "$WORK/a.hft" -- \
	bash -c 'bash "$1/sleepers" "$@" >"$1/told"' - "$WORK" "${CPUS[@]}"
sound "CPUs of a list" --lossless --partial "$WORK/a.hft"
count_switches "CPUs of a list"
is "and no others" "$(awk '{ print $3 }' "$WORK/dump" | sort -u | xargs)" "[000] [063] [064] [071]"

check "all of one CPU, elsewhere what concerns a thread" \
	hftctl record -e sched --watch -C 64 -p "$$" -o "$WORK/a.hft" -- taskset -c 71 bash -c 'read -rt 0.2 < <(sleep 1)'
sound "and of a thread" --lossless --partial "$WORK/a.hft"
complains "a CPU that there is not" 1 "does not exist" hftctl record -C 72 -o "$WORK/b.hft" -d 100ms

load bash -c 'while :; do bash "$1/sleepers" "$@" >/dev/null; done' - "$WORK" "${CPUS[@]}"
for attempt in 1 2 3 4 5; do
	hftctl hist --json --per-cpu -C 64,71 -d 3s >"$WORK/hist.json"
	((attempt == 1)) || note "attempt $attempt: few wakeups there"
	! jq -e 'all(.cpus[]; .wakeup.count > 0)' "$WORK/hist.json" >"$WORK/output" || break
done
unload
is "histograms of CPUs that woke threads" \
	"$(jq -c '[.cpus[] | select(.wakeup.count > 0) | .cpu]' "$WORK/hist.json")" "[64,71]"

# The rings of all CPUs freeze for one delay.
hftctl record --flight -o "$WORK/a.hft" --trigger on_cpu:300ms -d 60s -- \
	taskset -c 70 bash -c 'end=$((SECONDS + 2)); while ((SECONDS < end)); do :; done' >"$WORK/output" 2>&1
is "a trigger is hit on CPU 70" "$?" 3
sed 's/^/#   /' "$WORK/output"
sound "frozen" --frozen "$WORK/a.hft"
check "it is told" grep -q 'spike' <(hftctl dump "$WORK/a.hft")
nothing_left "at the end"
finish
