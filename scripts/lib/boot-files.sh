# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What QEMU boots: an uncompressed kernel, and a small first root file system
# with busybox, guest-init and the few modules needed to reach the host's files.
# Both are kept in the cache, one per kernel. Needs ui.sh and cache.sh.
#
#   boot_kernel_for RELEASE VMLINUZ                set BOOT_KERNEL to a path
#   initramfs_for RELEASE KERNEL_DIR SHARE GUEST_INIT   set INITRAMFS to a path;
#                                                  SHARE is 9p or virtiofs

# Unpacking itself takes a compressed kernel 3 seconds under emulation, so it is
# done here, once. Where that fails, the compressed kernel serves as well.
boot_kernel_for() {
	BOOT_KERNEL=$CACHE/boot/$1.vmlinux
	[[ -e $BOOT_KERNEL ]] || with_lock "boot-$1" boot_kernel_make "$1" "$2"
	[[ -s $BOOT_KERNEL ]] || BOOT_KERNEL=$2
}

# The Linux boot protocol: a byte at 0x1f1 counts the sectors of real-mode code
# (less one) that come first; the words at 0x248 and 0x24c place the payload.
# All but gzip have four bytes behind it for the unpacked size.
boot_kernel_make() {
	local release=$1 image=$2 sectors offset length unpack=()
	[[ ! -e $BOOT_KERNEL ]] || return 0
	mkdir -p "$CACHE/boot"
	rm -f "$CACHE/boot/.new-$release"
	sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$image")
	read -r offset length < <(od -An -tu4 -j $((0x248)) -N 8 "$image")
	offset=$(((sectors + 1) * 512 + offset))
	case $(od -An -tx1 -j "$offset" -N 4 "$image") in
	' fd 37 7a 58') unpack=(xz -dc) && length=$((length - 4)) ;;
	' 28 b5 2f fd') unpack=(zstd -dcq) && length=$((length - 4)) ;;
	' 1f 8b '*) unpack=(gzip -dc) ;;
	esac
	: >"$CACHE/boot/.new-$release"
	if [[ -n ${unpack[*]} ]] && command -v "${unpack[0]}" >/dev/null; then
		step "unpacking the kernel image"
		dd if="$image" bs=64K iflag=skip_bytes,count_bytes status=none \
			skip="$offset" count="$length" |
			"${unpack[@]}" >"$CACHE/boot/.new-$release"
		# QEMU enters such a kernel where its PVH note (type 18) says.
		LC_ALL=C grep -aqP '\x04\0\0\0[\x04\x08]\0\0\0\x12\0\0\0Xen\0' \
			"$CACHE/boot/.new-$release" || : >"$CACHE/boot/.new-$release"
	fi
	mv "$CACHE/boot/.new-$release" "$BOOT_KERNEL"
}

# Drivers, in no order; what they depend on comes along.
INITRAMFS_MODULES=(virtio_pci virtio_console overlay)

initramfs_for() {
	local release=$1 dir=$2 share=$3 init=$4 busybox print
	case $share in
	9p) INITRAMFS_MODULES+=(9p 9pnet_virtio) ;;
	*) INITRAMFS_MODULES+=("$share") ;;
	esac
	need cpio cpio
	need busybox busybox-static
	busybox=$(command -v busybox)
	print=$(cat "$init" "$busybox" "$dir/.complete" <(echo "${INITRAMFS_MODULES[@]}") | sha256sum)
	INITRAMFS=$CACHE/boot/$release-${print:0:12}.cpio
	[[ -e $INITRAMFS ]] || with_lock "boot-$release" \
		initramfs_make "$release" "$dir" "$init" "$busybox"
}

# initramfs_modules RELEASE DIR: paths of the modules to load, in order.
initramfs_modules() {
	local module kind path
	for module in "${INITRAMFS_MODULES[@]}"; do
		modprobe -d "$2" -S "$1" --show-depends "$module" 2>/dev/null |
			while read -r kind path _; do
				[[ $kind != insmod ]] || echo "$path"
			done
	done | awk '!seen[$0]++'
}

initramfs_make() {
	local release=$1 dir=$2 init=$3 busybox=$4 root path name
	[[ ! -e $INITRAMFS ]] || return 0
	if ldd "$busybox" >/dev/null 2>&1; then
		die "busybox is not the static one" "apt install busybox-static"
	fi
	mkdir -p "${INITRAMFS%/*}"
	rm -f "${INITRAMFS%/*}/$release-"*
	root=$(mktemp -d "${INITRAMFS%/*}/.new.XXXXXX")
	mkdir -p "$root"/{bin,modules,proc,sys,dev}
	cp "$busybox" "$root/bin/busybox"
	for name in $("$busybox" --list); do
		[[ $name == busybox ]] || ln -s busybox "$root/bin/$name"
	done
	cp "$init" "$root/init"
	chmod 755 "$root/init" "$root/bin/busybox"
	: >"$root/modules/order"
	while read -r path; do
		name=${path##*/}
		name=${name%.xz}
		name=${name%.zst}
		case $path in
		*.xz) xz -dc "$path" >"$root/modules/$name" ;;
		*.zst) zstd -dcq "$path" >"$root/modules/$name" ;;
		*) cp "$path" "$root/modules/$name" ;;
		esac
		echo "$name" >>"$root/modules/order"
	done < <(initramfs_modules "$release" "$dir")
	(cd "$root" && find . | cpio -o -H newc --quiet) >"$root.cpio"
	mv "$root.cpio" "$INITRAMFS"
	rm -rf "$root"
}
