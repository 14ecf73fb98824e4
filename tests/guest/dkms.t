#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What DKMS has built against the stock headers it installs and removes, and it
# loads.
# timeout: 200
# host: tests/guest/dkms-build
# module: absent
# vm: --no-module
# shellcheck source=tests/guest/lib.sh
. "$(dirname "$0")/lib.sh"

RELEASE=$(uname -r)
VERSION=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$TREE/dkms.conf")
BUILT=$TREE/out/guest/dkms-$RELEASE # by tests/guest/dkms-build, on the host

if [[ ! -d $BUILT ]]; then
	skip "dkms" "nothing was built: tests/guest/dkms-build"
	finish
fi

# writable FOLDER: changes to it go to memory; it belongs to the host.
writable() {
	local upper=$WORK/${1//\//-}
	mkdir -p "$upper/upper" "$upper/work"
	mount -t overlay -o "lowerdir=$1,upperdir=$upper/upper,workdir=$upper/work" overlay "$1" ||
		{ not_ok "a writable $1"; finish; }
}
writable "/lib/modules/$RELEASE"
writable "$BUILT"
dkms=(dkms --sourcetree "$BUILT/src" --dkmstree "$BUILT/dkms" --installtree /lib/modules)

check "dkms install" "${dkms[@]}" install -m hftmon -v "$VERSION" -k "$RELEASE"
check "dkms says that it is installed" bash -c '"$@" | grep -q ": installed"' - "${dkms[@]}" status -m hftmon -v "$VERSION"
check "modprobe finds it" modprobe hftmon
set_budget 0
check "hftctl status works" "$BIN/hftctl" status
check "and so does a capture" "$BIN/hftctl" record -o "$WORK/a.hft" -d 200ms
sound "recorded with the DKMS build" --lossless "$WORK/a.hft"
check "modprobe -r" modprobe -r hftmon
check "dkms remove" "${dkms[@]}" remove -m hftmon -v "$VERSION" --all
check_not "the module is gone" modinfo -k "$RELEASE" hftmon
finish
