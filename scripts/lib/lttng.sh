# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# LTTng's kernel modules, from Debian's lttng-modules-dkms, to be compared with: kept in
# the cache, one folder per kernel. Needs ui.sh, cache.sh, private-apt.sh and build-root.sh.
#
#   lttng_modules_for RELEASE HEADERS   set LTTNG to a folder as modprobe -d wants it;
#                                       empty if they cannot be had for that kernel

lttng_modules_for() {
	LTTNG=$CACHE/lttng/$1
	[[ -e $LTTNG/.complete ]] || with_lock "lttng-$1" lttng_make "$@"
	[[ -e $LTTNG/.complete ]] || LTTNG=''
}

lttng_fetch() {
	apt_open bookworm
	# shellcheck disable=SC2119 # its argument is not ours
	apt_refresh
	apt_fetch "$1" lttng-modules-dkms
}

lttng_make() {
	local release=$1 headers=$2 new source modules compiler
	[[ ! -e $LTTNG/.complete ]] || return 0
	mkdir -p "$CACHE/lttng"
	rm -rf "$LTTNG" "$CACHE/lttng/.new-$release".*
	new=$(mktemp -d "$CACHE/lttng/.new-$release.XXXXXX")
	(with_lock apt-bookworm lttng_fetch "$new") || {
		rm -rf "$new"
		return 0
	}
	source=$(echo "$new"/usr/src/lttng-modules-*)
	# Of its probes only that of the scheduler: not all build on every kernel.
	# shellcheck disable=SC2016 # make expands it
	sed -i '/lttng-probe-sched/!{/lttng-probe-\|(shell/s/obj-$(CONFIG_LTTNG)/obj-n/}' "$source/src/probes/Kbuild"
	compiler=$(kernel_compiler "$headers")
	command -v "$compiler" >/dev/null || compiler=gcc
	step "building LTTng's modules for $release, some minutes"
	if ! env PATH="$PATH:$CACHE/tools/bin" make -s -C "$headers" M="$source" CONFIG_LTTNG=m \
		CONFIG_LTTNG_CLOCK_PLUGIN_TEST=m CC="$compiler" -j"$(nproc)" modules >"$new/log" 2>&1; then
		warn "LTTng's modules do not build for $release: $(grep -m 1 'error' "$new/log" || tail -n 1 "$new/log")"
		rm -rf "$new"
		return 0
	fi
	modules=$new/lib/modules/$release
	mkdir -p "$modules/extra"
	find "$source" -name '*.ko' -exec cp {} "$modules/extra/" \;
	# libkmod wants to know what is built in.
	cp "$CACHE/kernels/$release/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$modules/" || true
	depmod -b "$new" "$release"
	rm -rf "${new:?}/usr" "$new/log"
	touch "$new/.complete"
	mv "$new" "$LTTNG"
}
