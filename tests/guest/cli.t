#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hftctl and bad input: one line that says what is wrong, the right exit status.
# Runs anywhere; with the module loaded it tries more.
# timeout: 240
# vm:
# vm: --no-module
# shellcheck source=tests/guest/lib.sh disable=SC2016
. "$(dirname "$0")/lib.sh"

cd "$WORK" || exit
LOADED=''
[[ ! -c /dev/hftmon ]] || LOADED=1

# ---- usage -----------------------------------------------------------------

complains "no command" 2 "" hftctl
complains "an unknown command" 2 "" hftctl frobnicate
complains "an unknown option" 2 "" hftctl --frobnicate
for command in status record dump; do
	complains "$command with an unknown option" 2 "" hftctl $command --frobnicate
done
complains "an option without its value" 2 "" hftctl dump -i
complains "two commands" 2 "dump" hftctl status dump
complains "an argument that nobody wants" 2 "everything" hftctl status everything
complains "a command to run without --" 2 "behind --" hftctl record sleep 1
complains "a misspelt option" 2 "no option --to" hftctl spikes a.hft --to 3
complains "-- without a command" 2 "no command behind --" hftctl record -d 1ms -o a.hft --
complains "a command that status would have to run" 2 "" hftctl status -- true
complains "both a capture and a command" 2 "not both" hftctl spikes a.hft -- true
for option in --cpu --duration --ring --output --pid; do
	complains "an empty $option" 2 "must not be empty" hftctl record "$option" ""
done
complains "an empty capture name" 2 "must not be empty" hftctl spikes ""
complains "a live option with a capture" 2 "live" hftctl spikes a.hft --cpu 0
complains "a duration without a unit" 2 "--over: '5'" hftctl spikes a.hft --over 5
check "--help" hftctl --help
check "record --help" hftctl record --help
check "--version" hftctl --version

for list in x 0- -1 0-x 3-1 1,,2 ',' 0,1x 99999999999 0-4294967295 1.5 '0 1' '*' 8192; do
	complains "CPU list '$list'" 2 "" hftctl record -d 1ms -o a.hft --cpu="$list"
done
for time in x 10 s -1s 1e400s 1..5s '1 s' 10parsecs nan inf nans infs 0x10s 1e99h; do
	complains "duration '$time'" 2 "" hftctl record -o a.hft --duration="$time"
done
for size in x 0 1 100 31K 3M -1M 1T 2G 4G 1.5M 0K 999999999999999999999 K; do
	complains "ring size '$size'" 2 "" hftctl record -d 1ms -o a.hft --ring="$size"
done
for pid in x -1 0 1.5 99999999999999; do
	complains "pid '$pid'" 2 "" hftctl record -d 1ms -o a.hft --pid="$pid"
done
sleep 0 &
dead=$!
wait "$dead"
complains "a process that has ended" 1 "$dead" hftctl record -d 1ms -o a.hft --pid "$dead"
complains "a list of processes with a dead one" 1 "$dead" hftctl record -d 1ms -o a.hft --pid "1,$dead"
check_not "no capture file was left by all that" test -e a.hft

# ---- capture files ---------------------------------------------------------

complains "symbols in a folder that is not there" 2 "--symbols.*nowhere" hftctl dump --symbols nowhere a.hft
complains "symbols, and no symbols" 2 "--no-symbols" hftctl spikes --symbols . --no-symbols a.hft
complains "dump of a file that is not there" 1 "No such file" hftctl dump -i nowhere.hft
complains "dump without a file" 1 "No such file" hftctl dump
complains "dump of a folder" 1 "not a regular file" hftctl dump -i .
: >empty
complains "dump of an empty file" 1 "" hftctl dump -i empty
complains "dump of a foreign file" 1 "" hftctl dump -i "$BIN/hftctl"
head -c 1000000 /dev/zero >zeros
complains "dump of zeros" 1 "" hftctl dump -i zeros
head -c 100000 /dev/urandom >noise
complains "dump of noise" 1 "" hftctl dump -i noise
printf x >short
complains "dump of one byte" 1 "" hftctl dump -i short
mkfifo pipe
complains "dump of a pipe" 1 "not a regular file" timeout 60 "$BIN/hftctl" dump -i pipe
complains "dump of a device" 1 "not a regular file" hftctl dump -i /dev/null
complains "dump with an empty name" 2 "empty" hftctl dump -i ""
if [[ $(id -u) == 0 ]] && setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
	cp empty secret
	chmod 600 secret
	chmod a+rx "$WORK/.." "$WORK" "$BIN"
	complains "dump of a file that one may not read" 1 "Permission denied" \
		setpriv --reuid 65534 --regid 65534 --clear-groups "$BIN/hftctl" dump -i secret
fi

# ---- without the module ----------------------------------------------------

if [[ -z $LOADED ]]; then
	complains "status without the module" 1 "modprobe hftmon" hftctl status
	complains "status --json without the module" 1 "modprobe hftmon" hftctl status --json
	complains "record without the module" 1 "modprobe hftmon" hftctl record -d 1ms -o a.hft
	complains "record of a command without the module" 1 "modprobe hftmon" hftctl record -o a.hft -- touch ran
	check_not "the command was not run" test -e ran
	# Found where execvp(3) finds it, or there would be no word of the module.
	printf '#!/bin/sh\n' >here && chmod +x here
	for path in /nonexistent: :/nonexistent /nonexistent::/usr/bin ''; do
		complains "a command in the current folder, with PATH='$path'" 1 "modprobe hftmon" \
			env PATH="$path" "$BIN/hftctl" record -o a.hft -- here
	done
	complains "a command that is not in the PATH" 1 "cannot run 'here'" \
		env PATH=/nonexistent:/usr/bin "$BIN/hftctl" record -o a.hft -- here
	complains "a command of the system's, without a PATH" 1 "modprobe hftmon" \
		env -u PATH "$BIN/hftctl" record -o a.hft -- true
	check_not "no capture file is left" test -e a.hft
	finish
fi

# ---- recording what cannot be ----------------------------------------------

complains "a CPU that does not exist" 1 "does not exist" hftctl record -d 1ms -o a.hft -C 77
complains "one of several" 1 "does not exist" hftctl record -d 1ms -o a.hft -C 0,77
complains "rings beyond the module's limit" 1 "max_session_mb" hftctl record -d 1ms -o a.hft --ring 1G
complains "a folder that does not exist" 1 "No such file" hftctl record -d 1ms -o nowhere/a.hft
complains "a folder as the output" 1 "directory" hftctl record -d 1ms -o .
complains "a pipe that nobody reads" 1 "nobody reads the pipe" hftctl record -d 1ms -o pipe
check "a pipe that somebody reads" bash -c \
	'cat pipe >piped.hft & sleep 1; "$0" record -d 500ms -o pipe && wait "$!"' "$BIN/hftctl"
sound "what came through the pipe" --lossless piped.hft
complains "a full device" 1 "No space left" hftctl record -d 100ms -o /dev/full
mkdir small
mount -t tmpfs -o size=64k tmpfs small
complains "a full disk at the start" 1 "No space left" bash -c \
	'head -c 65536 /dev/zero >small/filler 2>/dev/null; exec "$0" record -d 100ms -o small/a.hft' "$BIN/hftctl"
rm -f small/*
complains "a disk that fills up" 1 "No space left" hftctl record -d 20s -o small/a.hft -- \
	bash -c 'for ((i = 0; i < 3000; i++)); do ( : ); done'
check "what was written until then can be read" hftctl dump -i small/a.hft
umount small
mkdir -m 555 locked
complains "a folder without rights" 1 "Permission denied" setpriv --bounding-set=-dac_override,-dac_read_search \
	--inh-caps=-all "$BIN/hftctl" record -d 1ms -o locked/a.hft
complains "a command that does not exist" 1 "nosuchcommand" hftctl record -o b.hft -- nosuchcommand
complains "a command that is a folder" 1 "" hftctl record -o b.hft -- /tmp
complains "a command that may not run" 1 "" hftctl record -o b.hft -- ./empty
check_not "no capture file is left" test -e a.hft
nothing_left "after all that"

# ---- files that were cut ---------------------------------------------------

check "a capture" hftctl record -o whole.hft --ring 1M -- bash -c 'for ((i = 0; i < 100; i++)); do ( : ); done'
size=$(stat -c %s whole.hft)
full=$(hftctl dump -i whole.hft | wc -l)
bad=''
for cut in 0 1 7 8 63 64 65 100 500 1000 5000 20000 $((size / 2)) $((size / 2 + 1)) $((size - 100)) $((size - 33)) $((size - 1)); do
	((cut < size)) || continue
	head -c "$cut" whole.hft >cut.hft
	status=0
	timeout -k 5 60 "$BIN/hftctl" dump -i cut.hft >out 2>err || status=$?
	((status <= 1)) && (($(wc -l <err) <= 1)) && (($(wc -l <out) <= full)) || bad+=" $cut:$status"
	((status == 0)) || grep -q '^hftctl: ' err || bad+=" $cut:silent"
done
is "a file cut anywhere gives a note or one line" "$bad" ''
complains "an output that is full" 1 "output" bash -c 'exec "$0" dump -i whole.hft >/dev/full' "$BIN/hftctl"
check "an output that nobody reads is no crash" bash -c \
	'"$0" dump -i whole.hft 2>err | head -n 1 >/dev/null; status=${PIPESTATUS[0]}; ((status <= 1 || status == 141))' "$BIN/hftctl"
check "the input may be the output of a cut capture of one CPU" hftctl dump -i whole.hft --cpu 0
complains "dump with a bad CPU list" 2 "" hftctl dump -i whole.hft --cpu x
complains "dump of a CPU that was not recorded" 1 "no CPU 77" hftctl dump whole.hft --cpu 77
complains "a thread that the capture does not know" 1 "knows no process or thread 4000000" \
	hftctl spikes whole.hft -p 4000000
check "an older capture stays when recording cannot start" bash -c \
	'cp whole.hft kept.hft; ! "$0" record -o kept.hft -- nosuchcommand && cmp whole.hft kept.hft' "$BIN/hftctl"
sound "the capture" --lossless whole.hft

# ---- signals ---------------------------------------------------------------

for signal in INT TERM HUP; do
	rm -f signal.hft
	env --default-signal=HUP "$BIN/hftctl" record -o signal.hft >/dev/null 2>err &
	recorder=$!
	wait_for 120 test -s signal.hft
	sleep 0.5
	kill "-$signal" "$recorder"
	# A terminal that hangs up sends it twice.
	[[ $signal != HUP ]] || kill -HUP "$recorder"
	status=0
	wait "$recorder" || status=$?
	is "SIG$signal ends a recording well" "$status" 0
	sound "ended by SIG$signal" --lossless signal.hft
done
rm -f signal.hft
env --ignore-signal=HUP "$BIN/hftctl" record -o signal.hft >/dev/null 2>err &
recorder=$!
wait_for 120 test -s signal.hft
kill -HUP "$recorder"
sleep 0.5
check "under nohup SIGHUP does not end it" kill -TERM "$recorder"
status=0
wait "$recorder" || status=$?
is "and it ends well after that" "$status" 0
check "a command that fails is not our failure" hftctl record -o c.hft -- false
is "but it is told" "$(grep -c 'ended with status 1' "$WORK/output")" 1
# SIGCHLD is bit 16 of the signals that are ignored.
check "with SIGCHLD ignored the end of the command is seen" timeout 60 env --ignore-signal=CHLD \
	"$BIN/hftctl" record -o c.hft -- bash -c 'grep -q "^SigIgn:.*1....$" /proc/self/status && exit 7'
is "and its status, and the command has it ignored, too" "$(grep -c 'ended with status 7' "$WORK/output")" 1
nothing_left "at the end"
finish
