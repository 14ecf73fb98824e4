#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# DKMS builds, installs and removes the module against the stock headers, and
# the result loads.
# timeout: 900
# module: absent
# vm: --no-module
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

RELEASE=$(uname -r)
VERSION=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$TREE/dkms.conf")
HEADERS=/lib/modules/$RELEASE/build

if ! command -v dkms >/dev/null; then
	skip "dkms" "it is not installed"
	finish
elif [[ ! -e $HEADERS/Makefile ]]; then
	skip "dkms" "no headers of $RELEASE are installed at $HEADERS"
	finish
fi

is "dkms.conf and the Makefile agree on the version" "$VERSION" \
	"$(sed -n 's/^VERSION := *//p' "$TREE/Makefile")"
is "so does the module" "$VERSION" "$(sed -n 's/^MODULE_VERSION("\(.*\)");/\1/p' "$TREE/kmod/main.c")"

# /lib/modules of the guest belongs to the host: changes go to memory.
mkdir -p "$WORK/upper" "$WORK/work"
mount -t overlay -o "lowerdir=/lib/modules/$RELEASE,upperdir=$WORK/upper,workdir=$WORK/work" overlay \
	"/lib/modules/$RELEASE" || { not_ok "a writable /lib/modules"; finish; }

# What a release or `make dkms-install` puts there.
source=$WORK/src/hftmon-$VERSION
mkdir -p "$source" "$WORK/dkms"
cp -r "$TREE/dkms.conf" "$TREE/kmod" "$TREE/include" "$source/"
dkms=(dkms --sourcetree "$WORK/src" --dkmstree "$WORK/dkms" --installtree /lib/modules)

check "dkms add" "${dkms[@]}" add -m hftmon -v "$VERSION"
start=$SECONDS
check "dkms build" "${dkms[@]}" build -m hftmon -v "$VERSION" -k "$RELEASE"
note "built in $((SECONDS - start)) s"
if ((FAILURES)); then
	sed 's/^/#   /' "$WORK/dkms/hftmon/$VERSION/build/make.log" 2>/dev/null | tail -n 30
fi
is "the build is free of warnings" "$(grep -ciE 'warning:' \
	"$WORK/dkms/hftmon/$VERSION/$RELEASE/$(uname -m)/log/make.log")" 0
check "dkms install" "${dkms[@]}" install -m hftmon -v "$VERSION" -k "$RELEASE"
check "dkms says that it is installed" bash -c '"$@" | grep -q ": installed"' - "${dkms[@]}" status -m hftmon -v "$VERSION"
check "modprobe finds it" modprobe hftmon
check "hftctl status works" "$BIN/hftctl" status
check "and so does a capture" "$BIN/hftctl" record -o "$WORK/a.hft" -d 200ms
sound "recorded with the DKMS build" --lossless "$WORK/a.hft"
check "modprobe -r" modprobe -r hftmon
check "dkms remove" "${dkms[@]}" remove -m hftmon -v "$VERSION" --all
check_not "the module is gone" modinfo -k "$RELEASE" hftmon
is "and its source tree is untouched" "$(cd "$source" && find . -newer dkms.conf -name '*.o' | wc -l)" 0
finish
