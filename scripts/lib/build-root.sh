# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Other Debian releases to build modules in: the programs that come with a
# kernel's headers need that release's C library, and the module its compiler.
# Such a root is made once and kept in the cache. Needs ui.sh, cache.sh and
# private-apt.sh.
#
#   kernel_compiler HEADERS                 print the name of the compiler that built
#                                           that kernel: gcc-12 for bookworm
#   build_root_for GROUP COMPILER           set BUILD_ROOT to the root of an apt
#                                           group with that compiler; empty where
#                                           the system itself is that release
#   in_build_root FOLDER... -- COMMAND...   run there; it sees these folders

kernel_compiler() {
	local version
	version=$(sed -nE 's/^CONFIG_CC_VERSION_TEXT="[^ ]*gcc-([0-9]+) .*/\1/p' \
		"$1/.config" "$1/include/config/auto.conf" 2>/dev/null | head -n 1)
	echo "gcc${version:+-$version}"
}

build_root_for() {
	local group=$1 compiler=$2
	BUILD_ROOT=''
	[[ $group != "$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")" ]] || return 0
	BUILD_ROOT=$CACHE/roots/$group-$compiler
	[[ -e $BUILD_ROOT/.complete ]] || with_lock "apt-$group" build_root_make "$@"
}

build_root_make() {
	local group=$1 compiler=$2 new packages
	[[ ! -e $BUILD_ROOT/.complete ]] || return 0
	((EUID == 0)) || die "building for kernels of $group needs root: in a root of that release"
	need mmdebstrap mmdebstrap
	apt_open "$group"
	# shellcheck disable=SC2119 # its argument is not ours
	apt_refresh
	packages=make,libelf-dev,$compiler
	! apt_names pahole | grep -qx pahole || packages+=,pahole
	mkdir -p "$CACHE/roots"
	rm -rf "$BUILD_ROOT" "$CACHE/roots/.new-$group-$compiler".*
	new=$(mktemp -d "$CACHE/roots/.new-$group-$compiler.XXXXXX")
	chmod 755 "$new"
	step "making a root of $group with $compiler"
	# Not our private configuration, but what the system says of stale mirrors.
	if ! APT_CONFIG='' mmdebstrap --mode=root --variant=minbase --include="$packages" \
		--aptopt='APT::Install-Recommends "false"' \
		--aptopt="Acquire::Check-Valid-Until \"$(build_root_valid_until)\"" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		"$group" "$new" "$APT_DIR/sources.list" >"$APT_DIR/log" 2>&1; then
		cat "$APT_DIR/log" >&2
		die "could not make a root of $group"
	fi
	touch "$new/.complete"
	mv "$new" "$BUILD_ROOT"
}

build_root_valid_until() {
	local value
	eval "$(apt-config shell value Acquire::Check-Valid-Until)"
	printf '%s' "${value:-true}"
}

# In a mount namespace of our own, so that nothing stays mounted whatever
# happens. objtool reads /proc.
in_build_root() {
	local folders=()
	while [[ $1 != -- ]]; do
		folders+=("$1")
		shift
	done
	shift
	((EUID == 0)) || die "building in $BUILD_ROOT needs root"
	# shellcheck disable=SC2016 # expanded by that bash
	unshare --mount --propagation private bash -euc '
		root=$1 count=$2
		shift 2
		for folder in "${@:1:count}"; do
			mkdir -p "$root$folder"
			mount --bind "$folder" "$root$folder"
		done
		shift "$count"
		mount --bind /dev "$root/dev"
		mount -t proc proc "$root/proc"
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root \
			chroot "$root" "$@"' - "$BUILD_ROOT" ${#folders[@]} "${folders[@]}" "$@"
}
