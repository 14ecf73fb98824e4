// SPDX-License-Identifier: GPL-2.0-only
/* The eBPF peer: 32 bytes of a sched_switch into a BPF ring buffer. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* Relocated against the running kernel's own types. */
struct task_struct {
	int pid;
	int prio;
} __attribute__((preserve_access_index));

struct event {
	__u64 time;
	__u32 prev_tid, next_tid;
	__s32 prev_prio, next_prio;
	__u64 preempt;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024);
} ring SEC(".maps");

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct event *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);

	if (!event)
		return 0;
	event->time = bpf_ktime_get_ns();
	event->prev_tid = prev->pid;
	event->next_tid = next->pid;
	event->prev_prio = prev->prio;
	event->next_prio = next->prio;
	event->preempt = preempt;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}
