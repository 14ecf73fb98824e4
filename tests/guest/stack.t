#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Stacks: where threads block and who wakes them, against /proc/TID/stack, ftrace and
# what the program says of itself.
# timeout: 480
# module: loaded
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

# functions_of PART: of lines of hftctl dump, the names of that part, a line each.
functions_of() {
	sed -n "s/.* $1=\([^ ]*\).*/\1/p" | tr ';' '\n'
}

# one_of WANTED: of the lines, the first whose stack in the kernel ends so; without one, the
# first. On its way a thread may be preempted, and interrupts may wake others.
one_of() {
	local line first=''
	while read -r line; do
		: "${first:=$line}"
		[[ $(functions_of kernel <<<"$line") != *"$1" ]] || break
	done
	printf '%s\n' "${line:-$first}"
}

# blocked NAME: a thread that blocks in that call.
blocked() {
	local name=$1 tid frames line wanted
	check "$name, recorded" hftctl record -e bills,stack -o "$WORK/$name.hft" --ring 16M -- bash -c '
		"$1/stacked" "$2" >"$3.said" &
		sleep 1.5
		cat "/proc/$!/stack" >"$3.proc"
		kill $!' - "$BIN" "$name" "$WORK/$name"
	hftctl dump --no-symbols "$WORK/$name.hft" >"$WORK/$name.txt"
	read -r tid frames <"$WORK/$name.said"
	wanted=$(sed 's/^\[<0>\] //; s/+.*//' "$WORK/$name.proc")
	line=$(grep " stack of=sched_switch tid=$tid .* user=${frames// /;}" "$WORK/$name.txt" | one_of "$wanted")
	if [[ -n $line ]]; then
		ok "$name: in the program, it is where it says"
	else
		not_ok "$name: in the program, it is where it says"
		note "wanted user=${frames// /;}"
		grep " stack of=sched_switch tid=$tid " "$WORK/$name.txt" | head -n 5 | sed 's/^/#   /'
	fi
	ends_with "$name: in the kernel, it is where /proc says" "$(functions_of kernel <<<"$line")" "$wanted"
}

# ends_with WHAT GOT WANTED: of lists of functions; at most four inner ones more, those
# of the scheduler itself, which others leave out.
ends_with() {
	local what=$1 got=$2 wanted=$3 more
	more=$(($(wc -l <<<"$got") - $(wc -l <<<"$wanted")))
	if [[ -n $wanted && $got == *"$wanted" ]] && ((more >= 0 && more <= 4)); then
		ok "$what"
	else
		not_ok "$what"
		note "got    ${got//$'\n'/;}" "wanted ${wanted//$'\n'/;}"
	fi
}

for name in nanosleep futex pipe poll; do
	blocked "$name"
done

# Who wakes: ftrace sees the same.
cd /sys/kernel/tracing || exit
echo 'stacktrace if comm == "stacked"' >events/sched/sched_waking/trigger
echo >trace
cd - >/dev/null || exit
check "a waker, recorded" hftctl record -e bills,stack -o "$WORK/wake.hft" --ring 16M -- \
	bash -c '"$1/stacked" wake >"$2"' - "$BIN" "$WORK/wake.said"
cat /sys/kernel/tracing/trace >"$WORK/wake.ftrace"
echo '!stacktrace' >/sys/kernel/tracing/events/sched/sched_waking/trigger
hftctl dump --no-symbols "$WORK/wake.hft" >"$WORK/wake.txt"
read -r tid frames <"$WORK/wake.said"
wanted=$(awk -v tid="$tid" '/stack trace/ { ours = $1 ~ "-" tid "$"; stack = "" }
	ours && $1 == "=>" { stack = stack $2 "\n"; if (/futex_wake/) best = 1 }
	best && ours && /entry_SYSCALL/ { printf "%s", stack; exit }' "$WORK/wake.ftrace" |
	grep -v '^trace_event_raw\|^__traceiter')
line=$(grep " stack of=sched_waking tid=$tid .* user=${frames// /;}" "$WORK/wake.txt" | one_of "$wanted")
ends_with "who wakes: the program's part, and the kernel's as ftrace has it" "$(functions_of kernel <<<"$line")" "$wanted"
is "each waking of that thread's is followed by a stack of it" \
	"$(grep -c " stack of=sched_waking tid=$tid " "$WORK/wake.txt")" \
	"$(grep -c " sched_waking .* waker_tid=$tid " "$WORK/wake.txt")"

hftctl spikes -i "$WORK/wake.hft" --over 1ns --top 1000000 --symbols "$SYMBOLS" --json >"$WORK/wake.json"
at_least "the bill of the thread that was woken tells where" "$(jq --argjson tid "$tid" --arg said "${frames// /;}" \
	'[.bills[] | select(.waking.waker.tid == $tid and (.waking.stack.user // [] | [.[0:4][].address] | join(";")) == $said)] | length' \
	"$WORK/wake.json")" 1
at_least "and where it had slept" "$(jq --argjson tid "$tid" \
	'[.bills[] | select(.waking.waker.tid == $tid and (.left_in.kernel // [] | map(.name) | index("futex_wait")))] | length' \
	"$WORK/wake.json")" 1

# The functions are those of stacked.cpp, and each line is one of its calls. What ran was stripped.
named='(.waking.stack.user | [.[0:4][] | .name | sub("^stacked::"; "") | sub("[(].*"; "")] ==
	["innermost", "middle", "outer", "main"])'
at_least "and in which functions and lines" "$(jq --argjson tid "$tid" "[.bills[] | select(.waking.waker.tid == \$tid and
	.waking.stack.user != null and $named) | .waking.stack.user[1:4][] | select(.object == \"stacked\" and
	(.file | endswith(\"tests/guest/stacked.cpp\"))) | .line] | length" "$WORK/wake.json")" 3
for line in $(jq --argjson tid "$tid" "[.bills[] | select(.waking.waker.tid == \$tid and .waking.stack.user != null and
	$named)][0].waking.stack.user[1:4][].line" "$WORK/wake.json"); do
	check "line $line of stacked.cpp is a call" grep -qE '(innermost|middle|outer)\(.*\);' \
		<(sed -n "${line}p" "$TREE/tests/guest/stacked.cpp")
done
check "dump names them, too" grep -q ' stack of=sched_waking .* user=stacked::innermost;stacked::middle;stacked::outer;main' \
	<(hftctl dump "$WORK/wake.hft")
# A program that another one takes the place of, at the same addresses.
check "what was there before an exec, and what after" bash -c '
	"$1/hftctl" record -e bills,stack -o "$2" --ring 16M -- setarch -R bash -c "exec \"$1/stacked\" then \"$1/restacked\" wake >\"$2.said\"" &&
	"$1/hftctl" dump "$2" >"$2.txt"' - "$BIN" "$WORK/exec.hft"
read -r tid frames <"$WORK/exec.hft.said"
exec_line=$(grep -n " sched_process_exec tid=$tid " "$WORK/exec.hft.txt" | tail -n 1 | cut -d: -f1)
head -n "$exec_line" "$WORK/exec.hft.txt" | grep " stack .* tid=$tid " >"$WORK/before"
tail -n "+$exec_line" "$WORK/exec.hft.txt" | grep " stack .* tid=$tid " >"$WORK/after"
is "they call from the same addresses" "$(tail -n 1 "$WORK/exec.hft.said" | cut -d ' ' -f 2-4)" "${frames% *}"
check "before: the first program's" grep -q ' user=stacked::innermost;stacked::middle;stacked::outer;main' "$WORK/before"
check "after: the second's" grep -q ' user=restacked::innermost;restacked::middle;restacked::outer;main' "$WORK/after"
is "never the one's in the other" "$(cat <(grep -c restacked:: "$WORK/before") <(grep -c '[=;]stacked::' "$WORK/after"))" $'0\n0'

# Who is there when a trigger is hit, though the ring freezes at once.
status=0
hftctl record --flight -e bills,stack --trigger run_queue:1us --tail 0s -o "$WORK/spike.hft" 2>"$WORK/stderr" || status=$?
is "a trigger is hit" "$status" 3
hftctl dump "$WORK/spike.hft" >"$WORK/spike.txt"
cpu=$(sed -n 's/.* \(\[[0-9]*\]\) spike .*/\1/p' "$WORK/spike.txt" | head -n 1)
check "its record is followed by a stack" grep -q ' stack of=spike .*kernel=.*schedule' <(
	grep -F " $cpu " "$WORK/spike.txt" | grep -A1 ' spike ' | tail -n 1)

# Live, too.
hftctl spikes -e bills,stack --over 1ns -d 60s --top 1000 --json -- "$BIN/stacked" wake >"$WORK/live.out" 2>"$WORK/stderr"
head -n 1 "$WORK/live.out" >"$WORK/live.said"
read -r tid frames <"$WORK/live.said"
at_least "a live bill tells where its thread was woken" "$(tail -n 1 "$WORK/live.out" | jq --argjson tid "$tid" \
	--arg said "${frames// /;}" '[.bills[] | select(.waking.waker.tid == $tid and
	(.waking.stack.user // [] | [.[0:4][].address] | join(";")) == $said and
	(.waking.stack.kernel | map(.name) | index("futex_wake")) and '"$named"')] | length')" 1

# A session ends in the middle of switches.
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --yield 2 --switch 1
for ((i = 0; i < 8; i++)); do
	hftctl record -e bills,stack -o "$WORK/short.hft" -d 100ms >/dev/null 2>&1 || break
done
is "started and stopped again and again" "$i" 8
unload

# More different stacks than there is room for.
PARAMETER=/sys/module/hftmon/parameters/stack_entries
entries=$(cat "$PARAMETER")
echo 1 >"$PARAMETER"
load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --sock 1 --pipe 1 --fork 1 --poll 1 --futex 1 --shm 1
wait_for 60 pgrep -f stress-ng-shm
status=0
hftctl record -e bills,stack -o "$WORK/full.hft" --ring 16M -d 4s 2>"$WORK/stderr" || status=$?
unload
echo "$entries" >"$PARAMETER"
is "recorded with little room" "$status" 0
check "it is told how many stacks found none" grep -qE '^[0-9]+ stacks are missing.*stack_entries' "$WORK/stderr"
sed 's/^/#   /' "$WORK/stderr"
hftctl dump "$WORK/full.hft" >"$WORK/full.txt"
is "no stack is told that is not there" "$(grep -cE ' (kernel|user)=#' "$WORK/full.txt")" 0
at_most "and there are not more than had room" \
	"$(sed -n 's/.* user=\([^ ]*\).*/\1/p' "$WORK/full.txt" | sort -u | wc -l)" 256
nothing_left "at the end"
finish
