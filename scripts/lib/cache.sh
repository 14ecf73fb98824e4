# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# The folder outside the source tree that keeps what is slow to make:
#
#   apt/GROUP/          private package lists, one per group of suites
#   kernels/RELEASE/    one extracted kernel: boot/ lib/modules/ usr/src/ ...
#   names/NAME          the release that NAME stood for when last looked up
#   roots/GROUP-GCC/    a small root of that release, to build modules in
#   boot/               what scripts/vm boots: unpacked kernel, initramfs
#   accel-BOOT_ID       whether KVM works, until this machine boots again
#   lttng/RELEASE/      modules of a peer, to compare with
#   tools/              pahole, where the system has none
#   locks/              one file per thing that only one process may make
#
# Deleting any part of it is safe while nothing runs: it is made again.

# shellcheck disable=SC2034 # for those who source this
CACHE=${HFTMON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hftmon}

# with_lock NAME FUNCTION [ARG...]: run FUNCTION while holding the lock NAME.
# The lock is released when FUNCTION returns, or with the process. (FUNCTION is
# called plainly, so that `set -e` still holds inside it.)
with_lock() {
	local name=$1 fd
	shift
	mkdir -p "$CACHE/locks"
	exec {fd}>"$CACHE/locks/$name"
	if ! flock -n "$fd"; then
		step "waiting for another process: $name"
		flock "$fd"
	fi
	"$@"
	exec {fd}>&-
}

# The folder of a complete kernel, or nothing: the stamp is written last.
kernel_is_complete() {
	[[ -e $CACHE/kernels/$1/.complete ]]
}
