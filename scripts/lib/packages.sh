# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Debian packages that building, the demonstration and the tests need. Needs
# ui.sh.
#
#   packages_ensure build guest ...   install what is missing of these sets

# packages_of SET: the packages of one set.
packages_in() {
	case $1 in
	build) echo make g++ pkg-config libfmt-dev libcli11-dev nlohmann-json3-dev libdw-dev ;;
	guest) echo make gcc qemu-system-x86 busybox-static cpio kmod xz-utils zstd \
		util-linux pahole iproute2 procps ;;
	load) echo rt-tests stress-ng iputils-ping ;;
	tests) echo linux-perf libboost-test-dev libboost-context-dev libbenchmark-dev clang \
		libclang-rt-14-dev dkms kmod linux-headers-amd64 jq ;;
	bench) echo clang libbpf-dev lttng-tools kmod ;;
	matrix) echo mmdebstrap ;;
	debug-kernel) echo make gcc-12 libc6-dev flex bison bc kmod libelf-dev xz-utils perl python3 ;;
	lint) echo clang-format clang-tidy shellcheck sparse perl python3 ;;
	*) die "no such package set: $1" ;;
	esac
}

# packages_ensure SET...: root installs with apt; others are told what to type.
packages_ensure() {
	local set missing=() package
	for set in "$@"; do
		for package in $(packages_in "$set"); do
			dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null |
				grep -q 'ok installed' || missing+=("$package")
		done
	done
	((${#missing[@]})) || return 0
	mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
	if ((EUID != 0)); then
		die "these packages are missing: ${missing[*]}" \
			"sudo apt-get install --no-install-recommends ${missing[*]}"
	fi
	local log
	log=$(mktemp)
	step "installing ${#missing[@]} packages: ${missing[*]}"
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		die "could not install packages" "the whole log is in $log"
	fi
	rm -f "$log"
}
