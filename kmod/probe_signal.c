// SPDX-License-Identifier: GPL-2.0-only
/* Signals: who sends which to whom, and when it is taken. */
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "emit.h"
#include "probes.h"

/* The kernel passes small numbers instead of a siginfo for its own signals. */
static __always_inline int code_of(const struct kernel_siginfo *info)
{
	if (info == SEND_SIG_NOINFO)
		return SI_USER;
	if (info == SEND_SIG_PRIV)
		return SI_KERNEL;
	return info->si_code;
}

void hftmon_probe_signal_generate(void *data, int signal, struct kernel_siginfo *info,
				  struct task_struct *task, int group, int result)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_SIGNAL_GENERATE,
		.signal = {
			.tid = task->pid,
			.code = code_of(info),
			.signal = signal,
			.group = !!group,
			.result = result,
		},
	};

	hftmon_emit_about(HFTMON_SOURCE_SIGNAL_GENERATE, &event, task->pid);
}

void hftmon_probe_signal_deliver(void *data, int signal, struct kernel_siginfo *info,
				 struct k_sigaction *action)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_SIGNAL_DELIVER,
		.signal = {
			.tid = current->pid,
			.code = code_of(info),
			.signal = signal,
		},
	};

	hftmon_emit(HFTMON_SOURCE_SIGNAL_DELIVER, &event);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_signal_generate(hftmon_probe_signal_generate);
	HFTMON_CHECK_signal_deliver(hftmon_probe_signal_deliver);
}
