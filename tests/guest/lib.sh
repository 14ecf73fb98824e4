# shellcheck shell=bash disable=SC2016
# SPDX-License-Identifier: MIT
#
# What every guest test sources. A test is a list of checks; each prints
# "ok N - what" or "not ok N - what" with diagnostics behind "# ".
#
#   check WHAT COMMAND...          ok when the command succeeds; its output is the diagnosis
#   check_not WHAT COMMAND...      ok when it fails
#   is WHAT GOT WANTED             ok when the two strings are equal
#   at_least WHAT GOT BOUND        ok when the number GOT is not below BOUND
#   at_most WHAT GOT BOUND         ok when it is not above
#   ok WHAT, not_ok WHAT           a verdict that the test reached itself
#   examine PROGRAM...             runs it to look at captures, while the load stands still
#   ends_well WHAT PID             interrupts a child; ok when it ends with status 0
#   skip WHAT WHY                  counts as passed, says why it was not done
#   note TEXT...                   a diagnostic line
#   finish                         last line of every test: the plan
#
# Set for a test: TREE, BIN (hftctl and the helper programs, stripped), SYMBOLS (stacked,
# not stripped), MODULE (the .ko file, empty on a machine without), WORK (a private folder
# in memory).
set -uo pipefail

CHECKS=0 FAILURES=0

note() {
	printf '# %s\n' "$@"
}

ok() {
	printf 'ok %d - %s\n' $((++CHECKS)) "$*"
}

not_ok() {
	printf 'not ok %d - %s\n' $((++CHECKS)) "$*"
	((++FAILURES))
}

skip() {
	ok "$1 # SKIP $2"
}

# diagnose: the last command's output as notes.
diagnose() {
	head -n 40 "$WORK/output" | sed 's/^/#   /'
}

check() {
	local what=$1 status=0
	shift
	"$@" >"$WORK/output" 2>&1 </dev/null || status=$?
	if ((status == 0)); then
		ok "$what"
	else
		not_ok "$what"
		note "status $status of: $*"
		diagnose
	fi
}

check_not() {
	local what=$1
	shift
	if "$@" >"$WORK/output" 2>&1 </dev/null; then
		not_ok "$what"
		note "should have failed: $*"
		diagnose
	else
		ok "$what"
	fi
}

is() {
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1"
		note "got    '$2'" "wanted '$3'"
	fi
}

at_least() {
	if [[ $2 =~ ^-?[0-9]+$ ]] && (($2 >= $3)); then
		ok "$1"
	else
		not_ok "$1"
		note "got '$2', wanted at least $3"
	fi
}

at_most() {
	if [[ $2 =~ ^-?[0-9]+$ ]] && (($2 <= $3)); then
		ok "$1"
	else
		not_ok "$1"
		note "got '$2', wanted at most $3"
	fi
}

ends_well() {
	local status=0
	kill -INT "$2"
	wait "$2" || status=$?
	is "$1" "$status" 0
}

finish() {
	echo "1..$CHECKS"
	((FAILURES == 0))
	exit
}

# ---- hftctl ----------------------------------------------------------------

hftctl() {
	"$BIN/hftctl" "$@"
}

# complains WHAT STATUS PATTERN COMMAND...: the command must end with STATUS
# and say why in exactly one line that begins with "hftctl: " and matches the
# extended regular expression PATTERN.
complains() {
	local what=$1 wanted=$2 pattern=$3 status=0 lines
	shift 3
	[[ $1 != hftctl ]] || set -- "$BIN/hftctl" "${@:2}"
	timeout -k 5 60 "$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null || status=$?
	lines=$(wc -l <"$WORK/stderr")
	if ((status == wanted && lines == 1)) && grep -qE "^hftctl: .*($pattern)" "$WORK/stderr"; then
		ok "$what"
		return
	fi
	not_ok "$what"
	note "status $status (wanted $wanted), $lines lines (wanted 1 with '$pattern') from: $*"
	sed 's/^/#   /' "$WORK/stderr" | head -n 20
}

# sound WHAT [OPTION...] FILE: the capture keeps every invariant. One that does
# not is kept in out/guest/failed/.
sound() {
	local what=$1 before=$FAILURES
	shift
	check "$what: invariants" examine invariants "$@"
	((FAILURES == before)) || keep "${*: -1}"
}

# keep FILE...: what the last check has found at fault, in out/guest/failed/.
keep() {
	local file
	mkdir -p "$TREE/out/guest/failed"
	for file in "$@"; do
		cp -- "$file" "$TREE/out/guest/failed/$(uname -r)-$CHECKS-${file##*/}" || true
	done
}

# count_of FILE FIELD: one number of the checker's summary, such as lost.
count_of() {
	examine invariants --lenient "$1" | sed -n "s/.*\\<$2=\\([0-9]*\\).*/\\1/p" | head -n 1
}

# ---- the module ------------------------------------------------------------

module_users() {
	cat /sys/module/hftmon/refcnt
}

# set_budget PPM: what probes may take of each CPU's time; 0: all they want.
set_budget() {
	echo "$1" >/sys/module/hftmon/parameters/budget_ppm
}

# An emulated CPU takes long for a probe: nothing is shed where a test does not ask for it.
[[ ! -d /sys/module/hftmon ]] || set_budget 0

# rings_allocated: rings that the kernel still holds mapped.
rings_allocated() {
	grep -c 'hftmon_ring_alloc' /proc/vmallocinfo || true
}

# wait_for SECONDS COMMAND...: poll until the command succeeds.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}

# nothing_left WHAT: no session, no ring, no probe.
nothing_left() {
	wait_for 60 grep -qx 0 /sys/module/hftmon/refcnt
	is "$1: no user of the module" "$(module_users)" 0
	is "$1: no ring left" "$(rings_allocated)" 0
	check "$1: no probe left" "$BIN/hooked"
}

# capture FILE OPTION... -- COMMAND...: record while the command runs.
capture() {
	local file=$1
	shift
	hftctl record -o "$file" "$@"
}

# ---- load ------------------------------------------------------------------

LOAD_PIDS=()
# Longer than any test may take, however slow the machine.
# shellcheck disable=SC2034 # tests look
LOAD_SECONDS=3600

# load COMMAND...: in the background until unload. It leaves what looks on the
# little time that this needs. What a test leaves behind that dies, run ends.
load() {
	setsid nice -n 19 "$@" >/dev/null 2>&1 </dev/null &
	LOAD_PIDS+=($!)
	echo $! >>"$WORK/loads"
}

loads_signal() {
	local pid
	for pid in "${LOAD_PIDS[@]}"; do
		kill "-$1" -- "-$pid" 2>/dev/null
	done
}

# ---- looking at captures ---------------------------------------------------

# examine PROGRAM ARGUMENT...: a program of BIN that only looks at files of WORK
# gets the machine for itself; on-host offers to run it outside of the guest.
examine() {
	local status=0
	loads_signal STOP
	if [[ -d ${HFTMON_EXAMINER:-} ]]; then
		ask_examiner "$@" || status=$?
	else
		"$BIN/$1" "${@:2}" || status=$?
	fi
	loads_signal CONT
	return "$status"
}

# ask_examiner PROGRAM ARGUMENT...: see tests/guest/examiner.
ask_examiner() {
	local name words=("$1") word status copies=()
	name=$(mktemp -u XXXXXXXX)
	for word in "${@:2}"; do
		if [[ -f $word ]]; then
			copies+=("$HFTMON_EXAMINER/$name.${#copies[@]}.${word##*/}")
			cp -- "$word" "${copies[-1]}" || return
			word=${copies[-1]##*/}
		fi
		words+=("$word")
	done
	printf '%s\0' "${words[@]}" >"$HFTMON_EXAMINER/$name.asking"
	mv "$HFTMON_EXAMINER/$name.asking" "$HFTMON_EXAMINER/$name.asked"
	until read -r status 2>/dev/null <"$HFTMON_EXAMINER/$name.status"; do
		sleep 0.05
	done
	cat "$HFTMON_EXAMINER/$name.output"
	rm -f "${copies[@]}" "$HFTMON_EXAMINER/$name".*
	return "$status"
}

# busy: switches, timers, wakeups and interrupts on every CPU.
busy() {
	load stress-ng --quiet --timeout "$LOAD_SECONDS" --temp-path "$WORK" --switch 1 --timer 1 --timer-freq 500 --sock 1
	load ping -q -i 0.002 -s 100 127.0.0.1
	# Each request to the host's file system ends in an interrupt.
	load bash -c 'while :; do ls -l "$1" >/dev/null; sleep 0.02; done' - "$TREE/out"
}

loads_ended() {
	local pid
	for pid in "${LOAD_PIDS[@]}"; do
		! kill -0 -- "-$pid" 2>/dev/null || return 1
	done
}

unload() {
	loads_signal TERM
	wait_for 5 loads_ended || loads_signal KILL
	wait "${LOAD_PIDS[@]}" 2>/dev/null
	LOAD_PIDS=()
}
