// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls. While a session wants them, every system call of the machine
 * takes the kernel's traced path.
 */
#include <linux/compat.h>
#include <linux/sched.h>
#include <asm/syscall.h>

#include "emit.h"
#include "probes.h"

#include <trace/events/syscalls.h>

static __always_inline void emit_syscall(unsigned int source, u16 type, long number, long ret)
{
	struct hftmon_record event = {
		.type = type,
		.flags = in_ia32_syscall() ? HFTMON_SYSCALL_COMPAT : 0,
		.syscall = { .number = number, .ret = ret },
	};

	hftmon_emit(source, &event);
}

void hftmon_probe_sys_enter(void *data, struct pt_regs *regs, long number)
{
	emit_syscall(HFTMON_SOURCE_SYS_ENTER, HFTMON_REC_SYSCALL_ENTER, number, 0);
}

void hftmon_probe_sys_exit(void *data, struct pt_regs *regs, long ret)
{
	emit_syscall(HFTMON_SOURCE_SYS_EXIT, HFTMON_REC_SYSCALL_EXIT,
		     syscall_get_nr(current, regs), ret);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_sys_enter(hftmon_probe_sys_enter);
	HFTMON_CHECK_sys_exit(hftmon_probe_sys_exit);
}
