# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Whether QEMU can use KVM here. A /dev/kvm that exists proves little (in some
# sandboxes it opens but never runs a guest, or lacks half a CPU), so a kernel
# must boot to its init within a few seconds. Needs ui.sh, cache.sh and the
# machine of vm-host.sh.
#
#   accel_choose     set ACCEL to kvm or tcg (HFTMON_VM_ACCEL overrides)

accel_choose() {
	ACCEL=${HFTMON_VM_ACCEL:-}
	case $ACCEL in
	kvm | tcg) return ;;
	'') ;;
	*) usage "HFTMON_VM_ACCEL is kvm or tcg, not $ACCEL" ;;
	esac
	ACCEL=tcg
	[[ -r /dev/kvm && -w /dev/kvm ]] || return 0
	# The verdict holds until the next boot of this machine.
	local verdict
	verdict=$CACHE/accel-$(</proc/sys/kernel/random/boot_id)
	[[ -r $verdict ]] || with_lock accel accel_try "$verdict"
	read -r ACCEL <"$verdict"
}

# Boot with KVM until guest-init says so (see there). QEMU may hang where no
# signal reaches it, so it is killed but not waited for.
accel_try() {
	local verdict=$1 work answer=tcg pid i
	[[ ! -e $verdict ]] || return 0
	work=$(mktemp -d "$CACHE/.accel.XXXXXX")
	ACCEL=kvm CPUS=2 NODES=1 vm_machine_arguments
	setsid qemu-system-x86_64 "${ARGS[@]}" -m 512M \
		-append "console=ttyS0 panic=-1 hftmon_vm_run=none" \
		-serial "file:$work/console" >/dev/null 2>&1 </dev/null &
	pid=$!
	disown "$pid"
	for ((i = 0; i < 100; i++)); do
		if grep -qs 'hftmon-vm: trial passed' "$work/console"; then
			answer=kvm
			break
		fi
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
	rm -f "$CACHE"/accel-*
	echo "$answer" >"$verdict"
	rm -rf "$work"
}
