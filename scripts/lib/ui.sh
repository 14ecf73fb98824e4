# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What every script of this project says to its user, in one place. Source it:
#
#   . "$(dirname "${BASH_SOURCE[0]}")/lib/ui.sh"
#   step "building the module"          ->  [  0.4s] building the module
#   warn "no perf counters here"        ->  vm: warning: no perf counters here
#   die "no such kernel: 9.9" "scripts/kernel --list shows the names"
#   usage "--cpus wants a number"       ->  one line, exit status 2
#
# Everything goes to standard error, so that standard output stays free for
# results. HFTMON_QUIET=1 silences step; warnings and errors are always shown.

# Milliseconds since boot, without starting a process.
ui_now_ms() {
	local up _
	read -r up _ </proc/uptime
	up=${up/./}
	printf '%s' "$((10#$up * 10))"
}

UI_NAME=${0##*/}
UI_START_MS=$(ui_now_ms)

# step TEXT...: one progress line with the seconds since the script began.
step() {
	[[ ${HFTMON_QUIET:-0} == 1 ]] && return 0
	local ms=$(($(ui_now_ms) - UI_START_MS))
	printf '[%3d.%ds] %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}

# warn TEXT...: something is not as it should be, but work goes on.
warn() {
	printf '%s: warning: %s\n' "$UI_NAME" "$*" >&2
}

# die [-s STATUS] MESSAGE [HINT]: say what failed and what to do, then exit.
die() {
	local status=1
	if [[ ${1:-} == -s ]]; then
		status=$2
		shift 2
	fi
	printf '%s: %s\n' "$UI_NAME" "$1" >&2
	[[ -z ${2:-} ]] || printf '%s: hint: %s\n' "$UI_NAME" "$2" >&2
	exit "$status"
}

# usage MESSAGE: the command line is wrong; one line, exit status 2.
usage() {
	printf '%s: %s (try %s --help)\n' "$UI_NAME" "$1" "$0" >&2
	exit 2
}

# need COMMAND PACKAGE: stop with the Debian package to install if missing.
need() {
	command -v "$1" >/dev/null ||
		die -s "${UI_NEED_STATUS:-1}" "$1 is not installed" "apt install $2"
}

# help_from_header: print the comment block at the top of the running script,
# which is where every script of ours documents itself.
help_from_header() {
	sed -n '3,${/^#/!q; /^# shellcheck/d; s/^# \{0,1\}//; p}' "$0"
}
