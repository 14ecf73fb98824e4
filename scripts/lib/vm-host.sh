# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# The host's half of scripts/vm: prepare the run folder, start QEMU, pass the
# streams, watch, and judge the outcome. scripts/vm sets the variables in
# capitals; the guest's half, with the protocol between the two, is guest-init.
#
#   vm_choose_share            set SHARE: how the guest reaches this machine's files
#   vm_run COMMAND [ARG...]    run it and exit with its status

# shellcheck disable=SC2153,SC2154 # set by scripts/vm and the files it reads

VIRTIOFSD=/usr/lib/qemu/virtiofsd
FILE_SERVERS=()

# 9p, which needs nothing else; virtiofs for Debian's cloud kernels, which lack it.
vm_choose_share() {
	local modules=$KERNEL_DIR/lib/modules/$RELEASE
	SHARE=9p
	[[ -d $modules ]] || return 0 # all is built in, one hopes
	! grep -qs '/9p\.ko' "$modules/modules.dep" "$modules/modules.builtin" || return 0
	SHARE=virtiofs
	grep -qs '/virtiofs\.ko' "$modules/modules.dep" "$modules/modules.builtin" ||
		die -s 125 "$RELEASE has neither 9p nor virtiofs, so it cannot run commands here" \
			"modules can be built for it: scripts/build-module --kernel $KERNEL"
	need "$VIRTIOFSD" "qemu-system-common (of Debian 12)"
	((EUID == 0)) || die -s 125 "$RELEASE has no 9p, and sharing files by virtiofs needs root"
}

# The run folder, seen by the guest through its mount of this machine's root.
vm_prepare() {
	local name base=${TMPDIR:-/tmp}
	# The name of this folder goes through command lines that know no quotes.
	[[ $base =~ ^[A-Za-z0-9/._-]+$ ]] || base=/tmp
	RUN=$(mktemp -d "$base/hftmon-vm.XXXXXX")
	trap vm_cleanup EXIT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	trap vm_interrupt INT
	TOKEN="-end-$(tr -d - </proc/sys/kernel/random/uuid)-"
	mkdir -p "$TREE/out"
	mkfifo "$RUN"/{stdin,out.in,out.out,err.in,err.out,ctl.in,ctl.out}
	: >"$RUN/console"
	{
		printf 'vm_%s=%q\n' token "$TOKEN" release "$RELEASE" cwd "$PWD" tree "$TREE" \
			out "$TREE/out" modules "$KERNEL_DIR/lib/modules/$RELEASE" \
			share "$SHARE" module "$MODULE" module_params "${HFTMON_MODULE_PARAMS:-}" net "$NET"
	} >"$RUN/config"
	{
		printf 'cd %q || exit 125\nexec /usr/bin/env -i' "$PWD"
		for name in "${PASS_ENV[@]}" "${!HFTMON_@}"; do
			[[ -z ${!name+set} ]] || printf ' %s=%q' "$name" "${!name}"
		done
		printf ' %q' "$@"
		echo
	} >"$RUN/command"
	[[ -z ${IN_MEMORY[*]} ]] || vm_list_memory >"$RUN/in-memory"
	chmod -R a+rX "$RUN"
}

# vm_list_memory: every file that a guest in memory gets, libraries of programs included.
vm_list_memory() {
	local name path
	for name in bash "${IN_MEMORY[@]}" ${MODULE:+"$MODULE"}; do
		path=$(realpath -se "$(type -P "$name" || echo "$name")" 2>/dev/null) ||
			die -s 2 "--in-memory: there is no $name"
		find -H "$path" -type f
	done >"$RUN/brought"
	{
		cat "$RUN/brought"
		while IFS= read -r path; do
			[[ ! -x $path ]] || { ldd "$path" 2>/dev/null || true; } # not all are programs
		done <"$RUN/brought" | sed -nE 's/.*(=> |\t)(\/[^ ]+) \(.*/\2/p'
	} | sort -u | while IFS= read -r path; do
		printf '%s\t%s\n' "$(realpath "$path")" "$path"
	done
}

vm_cleanup() {
	trap - EXIT
	trap '' INT TERM HUP
	exec 2>/dev/null # bash would tell of each process it sees killed
	local pid
	for pid in "${QEMU:-}" "${STDIN_RELAY:-}" "${OUT_RELAY:-}" "${ERR_RELAY:-}" \
		"${FILE_SERVERS[@]}"; do
		[[ -z $pid ]] || kill -9 "$pid" || true
	done
	[[ -z ${QEMU:-} ]] || wait "$QEMU" || true
	[[ -z $CONSOLE || ! -e $RUN/console ]] || cp "$RUN/console" "$CONSOLE" || true
	rm -rf "$RUN"
}

# Ctrl-C: first pass it on, then insist.
vm_interrupt() {
	if [[ -n ${READY:-} && -z ${INTERRUPTED:-} ]]; then
		INTERRUPTED=1
		echo "signal INT" >&"$CTL"
	else
		exit 130
	fi
}

vm_kernel_arguments() {
	local args=(console=ttyS0 loglevel=5 panic=-1 hftmon_vm_run="$RUN" hftmon_vm_share="$SHARE"
		# Guests are for measuring, and each of these costs or disturbs:
		mitigations=off tsc=reliable clocksource=tsc no_timer_check
		8250.nr_uarts=1 random.trust_cpu=on)
	[[ -z $ICOUNT ]] || args+=(nokaslr nowatchdog)
	printf '%s ' "${args[@]}"
	printf '%s' "$APPEND"
}

# vm_machine_arguments: begin the array ARGS with kernel, machine and CPU.
vm_machine_arguments() {
	ARGS=(-name hftmon-vm -nodefaults -no-user-config -no-reboot -display none
		-kernel "$BOOT_KERNEL" -initrd "$INITRAMFS"
		-smp "$CPUS,sockets=$NODES,cores=$((CPUS / NODES)),threads=1")
	if [[ -n $ICOUNT ]]; then
		ARGS+=(-machine pc -accel "tcg,thread=single" -cpu max
			-icount "shift=0,sleep=off" -rtc "base=2026-01-01,clock=vm")
	elif [[ $ACCEL == kvm ]]; then
		ARGS+=(-machine q35 -accel kvm -cpu host)
	else
		# An Intel model, else the kernel distrusts the TSC. The virtual CPUs share
		# one thread: QEMU 7.2 can miss that the kernel has patched its own code
		# (tracepoints, ftrace) where another virtual CPU runs, and goes on
		# executing a breakpoint that is gone.
		ARGS+=(-machine q35 -accel "tcg,thread=${HFTMON_VM_TCG_THREAD:-single}" -cpu Skylake-Server-v4)
	fi
}

# vm_arguments: fill the array ARGS.
vm_arguments() {
	local node per=$((CPUS / NODES)) memory=memory-backend-ram
	vm_machine_arguments
	ARGS+=(-append "$(vm_kernel_arguments)" -m "${MEM_MIB}M")
	if [[ $SHARE == virtiofs ]]; then # its server reads and writes the guest's memory
		memory="memory-backend-memfd,share=on"
		((NODES > 1)) || ARGS+=(-object "$memory,id=m,size=${MEM_MIB}M" -machine memory-backend=m)
	fi
	if ((NODES > 1)); then
		for ((node = 0; node < NODES; node++)); do
			ARGS+=(-object "$memory,id=m$node,size=$((MEM_MIB / NODES))M"
				-numa "node,nodeid=$node,cpus=$((node * per))-$((node * per + per - 1)),memdev=m$node")
		done
	fi
	if [[ $SHARE == virtiofs ]]; then
		ARGS+=(-chardev "socket,id=root,path=$RUN/root.socket"
			-device "vhost-user-fs-pci,chardev=root,tag=hostroot"
			-chardev "socket,id=tree,path=$RUN/out.socket"
			-device "vhost-user-fs-pci,chardev=tree,tag=hostout")
	else
		ARGS+=(-fsdev "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"
			-device "virtio-9p-pci,fsdev=root,mount_tag=hostroot"
			-fsdev "local,id=out,path=${TREE//,/,,}/out,security_model=none"
			-device "virtio-9p-pci,fsdev=out,mount_tag=hostout")
	fi
	ARGS+=(-chardev "file,id=console,path=$RUN/console" -serial chardev:console
		-device virtio-serial-pci
		-chardev "stdio,id=in,signal=off" -device "virtserialport,chardev=in,name=hftmon.stdin"
		-chardev "pipe,id=out,path=$RUN/out" -device "virtserialport,chardev=out,name=hftmon.stdout"
		-chardev "pipe,id=err,path=$RUN/err" -device "virtserialport,chardev=err,name=hftmon.stderr"
		-chardev "pipe,id=ctl,path=$RUN/ctl" -device "virtserialport,chardev=ctl,name=hftmon.ctl")
	[[ -z $NET ]] || ARGS+=(
		-netdev "hubport,id=n0,hubid=0" -device "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01"
		-netdev "hubport,id=n1,hubid=0" -device "virtio-net-pci,netdev=n1,mac=52:54:00:00:00:02")
	[[ -z $QMP ]] || ARGS+=(-qmp "unix:$QMP,server=on,wait=off")
}

# One server for each folder that the guest shares; they end with QEMU. That of the
# root sees a root that it cannot write to (9p has an option for it).
vm_start_virtiofs() {
	local name i
	# shellcheck disable=SC2016 # expanded by that shell
	for name in root out; do
		setpriv --pdeathsig KILL unshare --mount --propagation private sh -euc '
			mkdir -p /run/virtiofsd # it leaves a note there
			mount -t tmpfs notes /run/virtiofsd
			mount --bind "$1" "$1"
			[ "$2" != / ] || mount -o remount,bind,ro /
			exec "$3" --socket-path="$1/$4.socket" -o "source=$2" -o sandbox=chroot -o cache=auto' \
			- "$RUN" "$([[ $name == root ]] && echo / || echo "$TREE/out")" "$VIRTIOFSD" "$name" \
			>"$RUN/$name.log" 2>&1 &
		FILE_SERVERS+=($!)
		for ((i = 0; i < 100; i++)); do
			[[ ! -S $RUN/$name.socket ]] || continue 2
			sleep 0.1
		done
		die -s 125 "virtiofsd does not start: $(tail -n 1 "$RUN/$name.log")"
	done
}

# Start QEMU and the relays. QEMU gets a session of its own, so that Ctrl-C
# does not reach it, and dies with us whatever happens to us.
vm_start() {
	exec {CTL}<>"$RUN/ctl.in" {REPORT}<>"$RUN/ctl.out"
	cat <&0 >"$RUN/stdin" 2>/dev/null &
	STDIN_RELAY=$!
	"$HERE/lib/vm-relay" "$TOKEN" <"$RUN/out.out" &
	OUT_RELAY=$!
	"$HERE/lib/vm-relay" "$TOKEN" <"$RUN/err.out" >&2 &
	ERR_RELAY=$!
	setsid setpriv --pdeathsig KILL qemu-system-x86_64 "${ARGS[@]}" \
		<"$RUN/stdin" >/dev/null 2>"$RUN/qemu.log" {CTL}>&- {REPORT}>&- &
	QEMU=$!
}

vm_note() {
	[[ -z $VERBOSE ]] || step "$@"
}

# The end of the kernel log, for someone who wonders what happened.
vm_show_log() {
	grep -v "TCG doesn't support requested feature" "$RUN/qemu.log" >&2 || true
	echo "--- last lines of the guest's kernel log ---" >&2
	tail -n 40 "$RUN/console" | tr -d '\r' >&2
}

# vm_still_read RELAY: false once that relay found nobody to write to. (It may
# also have ended well: the end of the output overtakes the guest's report.)
vm_still_read() {
	local status=0
	kill -0 "$1" 2>/dev/null || wait "$1" || status=$?
	((status != 4))
}

# Has the kernel complained so far? Looks only at a log that has grown.
vm_has_splat() {
	[[ -z $SPLAT_SEEN && $RUN/console -nt $RUN/looked ]] || return 1
	: >"$RUN/looked"
	! splat_find "$RUN/console" >/dev/null || SPLAT_SEEN=1
	[[ -n $SPLAT_SEEN ]]
}

# Wait for the guest's reports until it says how the command ended (STATUS),
# or QEMU ends, or the time is up (TIMED_OUT). A command whose kernel has
# complained may never end, so then it gets only 10 more seconds.
vm_watch() {
	local part line='' verb text rounds=0 deadline=$((TIMEOUT ? SECONDS + TIMEOUT : 0))
	STATUS='' TIMED_OUT='' SPLAT_SEEN=''
	while [[ -z $STATUS ]]; do
		part=''
		if read -r -t 0.2 -u "$REPORT" part; then
			read -r verb text <<<"$line$part"
			line=''
		else # nothing, or the time-out fell within a line
			line+=$part
			verb=''
		fi
		case $verb in
		ready) READY=1 && vm_note "booted, running the command" ;;
		status) STATUS=$text ;;
		failed)
			vm_show_log
			die -s 125 "the guest could not be set up: $text"
			;;
		esac
		[[ -z $verb ]] || continue
		kill -0 "$QEMU" 2>/dev/null || return 0
		vm_still_read "$OUT_RELAY" && vm_still_read "$ERR_RELAY" || exit 141
		if ((++rounds % 10 == 0)) && vm_has_splat; then
			deadline=$((SECONDS + 10))
		fi
		if ((deadline && SECONDS > deadline)); then
			TIMED_OUT=1
			return 0
		fi
	done
}

# Ask a guest that hangs where its tasks are waiting; the kernel log shows it.
vm_ask_blocked() {
	[[ -n ${READY:-} ]] || return 0
	echo "blocked" >&"$CTL"
	sleep 1
}

# Nothing is judged before all output is through and the kernel log complete.
vm_finish() {
	local i
	wait "$OUT_RELAY" "$ERR_RELAY" || true
	for ((i = 0; i < 200; i++)); do
		! grep -aqs "hftmon-vm: end $TOKEN" "$RUN/console" || break
		sleep 0.02
	done
	vm_note "command ended with status $STATUS"
}

# The verdict: the kernel's complaints come first, whatever the command said.
vm_judge() {
	if splat_find "$RUN/console" >"$RUN/splat"; then
		tr -d '\r' <"$RUN/splat" | grep -av 'hftmon-vm: end' >&2 || true
		die -s 125 "the guest's kernel complained (see above)"
	fi
	[[ -z $STATUS ]] || exit "$STATUS"
	vm_show_log
	[[ -z $TIMED_OUT ]] || die -s 124 "the time is up (--timeout $TIMEOUT); ended the guest"
	die -s 125 "the guest died before the command ended"
}

vm_run() {
	vm_prepare "$@"
	vm_arguments
	vm_note "starting $RELEASE ($ACCEL, $CPUS CPUs)"
	[[ $SHARE != virtiofs ]] || vm_start_virtiofs
	vm_start
	vm_watch
	[[ -z $STATUS ]] || vm_finish
	[[ -z $TIMED_OUT ]] || vm_ask_blocked
	vm_judge
}
