# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Recognising trouble in a kernel log. Needs nothing else.
#
#   splat_find LOG    print each complaint of the kernel with context;
#                     true (0) if there is any
#
# KCSAN finds many races of the kernel's own, too, most of them meant (6.1 does not mark them
# all): those count of which a function of this module is a part.

# What a kernel says when it is unwell. Most begin right behind the time stamp,
# which keeps harmless mentions out ("Spectre V2 : WARNING: ...").
SPLAT_START='(BUG|WARNING|Oops|INFO: (rcu|task|suspicious|trying to register|lockdep)'
SPLAT_START+='|rcu: INFO: rcu_|rcu: rcu_.* kthread |watchdog: BUG|Kernel panic|KASAN|KCSAN|KFENCE'
SPLAT_START+='|UBSAN|ODEBUG|DEBUG_LOCKS_WARN_ON|kmemleak: [0-9]+ new|refcount_t:'
SPLAT_START+='|stack segment|invalid opcode|double fault|general protection fault, '
SPLAT_START+='|unchecked MSR access|page allocation failure|list_(add|del) corruption'
SPLAT_START+='|Out of memory|NMI: not handled|Uhhuh\. NMI received|irq [0-9]+: nobody cared)'
SPLAT_INSIDE='Internal error|Oops:|\[#[0-9]+\] |possible (circular|recursive) locking'
SPLAT_INSIDE+='|possible irq lock inversion|inconsistent lock state|Invalid wait context'
SPLAT_INSIDE+='|[Tt]urning off the locking correctness|lockdep is turned off'
SPLAT_INSIDE+='|blocked for more than [0-9]+ seconds|soft lockup|hard LOCKUP'
SPLAT_INSIDE+='|detected stalls? on|self-detected stall|sleeping function called from invalid'
SPLAT_INSIDE+='|scheduling while atomic|kernel NULL pointer|unable to handle'
SPLAT_INSIDE+='|kernel stack overflow|bad page state|---\[ cut here \]---'
SPLAT="(^|\\] )($SPLAT_START)|$SPLAT_INSIDE"

splat_find() {
	# Cheap, and mostly enough: it is asked several times a second.
	grep -aE -q -- "$SPLAT" "$1" || return 1
	grep -aE -q -- "$SPLAT" < <(splat_ours "$1") || return 1
	splat_ours "$1" | grep -aE -B 3 -A 70 -- "$SPLAT" | head -n 200
	return 0
}

# splat_ours LOG: the log, in which races between others are not called bugs.
splat_ours() {
	sed '/BUG: KCSAN: .*\[hftmon/!s/BUG: KCSAN: //' "$1"
}
