#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# generate.sh LIST OUTPUT CC FLAGS...: answers the questions of LIST (see there)
# by one compilation. Each question is compiled on a line of its own number;
# the compiler's errors name the lines, and so the questions, that failed.
set -eu

list=$1
output=$2
shift 2

source=$output.probe.c
errors=$output.probe.log
trap 'rm -f "$source" "$output.tmp"' EXIT

# Fields: kind, name, event, header, body. A header that is missing answers no.
rows() {
	sed -n 's/^\(feature\|tracepoint\) \([A-Za-z0-9_=]*\) | \([^ |]*\) | \(.*\)$/\1|\2|\3|\4/p' "$list" |
	while IFS='|' read -r kind name header body; do
		printf '%s|%s|%s|%s|%s\n' "$kind" "${name%=*}" "${name#*=}" "$header" "$body"
	done
}

{
	echo '#include <linux/module.h>'
	echo '#include <linux/mm.h>'
	echo '#include <linux/interrupt.h>'
	echo '#include <linux/hrtimer.h>'
	echo '#include <linux/binfmts.h>'
	echo '#include <linux/tracepoint.h>'
	rows | cut -d'|' -f4 | sort -u | while read -r header; do
		printf '#if __has_include(<%s>)\n#include <%s>\n#endif\n' "$header" "$header"
	done
	rows | { n=0; while IFS='|' read -r kind name event header body; do
		n=$((n + 1))
		# A tracepoint that another header defines is another question.
		printf '#if !__has_include(<%s>)\n#line %d "hftmon-probe"\n' "$header" $n
		printf '#error no header\n#else\n'
		if [ "$kind" = tracepoint ]; then
			printf 'extern void probe_%d(void *data, %s);\n' $n "$body"
			body="check_trace_callback_type_$event(probe_$n)"
		fi
		printf 'void ask_%d(void);\n#line %d "hftmon-probe"\n' $n $n
		printf 'void ask_%d(void) { %s; }\n#endif\n' $n "$body"
	done; }
} >"$source"

# The messages are read: no other language.
LC_ALL=C "$@" -DKBUILD_MODNAME='"probe"' -DKBUILD_BASENAME='"probe"' -D__KBUILD_MODNAME=kmod_probe \
	-Wno-unused -Wno-declaration-after-statement -Wno-missing-prototypes \
	-Werror=implicit-function-declaration -Werror=incompatible-pointer-types \
	-fsyntax-only "$source" 2>"$errors" || true

# Errors outside the questions mean that the answers would be wrong.
if grep -E ': (fatal )?error: ' "$errors" | grep -qv '^hftmon-probe:'; then
	echo "hftmon: the compile probe itself failed; first errors of $errors:" >&2
	grep -E 'error: ' "$errors" | head -n 5 >&2
	exit 1
fi

{
	echo '/* Made by probes/generate.sh from the headers of the kernel at hand. */'
	rows | { n=0; while IFS='|' read -r kind name event _ _; do
		n=$((n + 1))
		have=1
		grep -qE "^hftmon-probe:$n:.*error:" "$errors" && have=0
		printf '#define HAVE_%s %d\n' "$name" $have
		[ "$kind" = tracepoint ] || continue
		if [ $have = 1 ]; then
			printf '#define HFTMON_CHECK_%s(probe) check_trace_callback_type_%s(probe)\n' "$name" "$event"
		else
			printf '#define HFTMON_CHECK_%s(probe) ((void)(probe))\n' "$name"
		fi
	done; }
} >"$output.tmp"
mv "$output.tmp" "$output"
