// SPDX-License-Identifier: GPL-2.0-only
/* /dev/hftmon: open, ioctl, mmap, poll, release; arguments are checked here. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <hftmon/abi/ioctl.h>

#include "chardev.h"
#include "clock.h"
#include "duration.h"
#include "governor.h"
#include "hook.h"
#include "meter.h"
#include "rights.h"
#include "session.h"
#include "stack.h"
#include "thread_histograms.h"
#include "threads.h"
#include "trigger.h"

/* A bitmap of 8192 CPUs, the ABI's limit. */
#define MAX_CPU_MASK_BYTES (8192 / 8)

/*
 * Copy a command's argument in: it starts with its own size, which must be
 * ours, and its reserved words, the last @reserved_bytes, must be zero.
 */
static int copy_arg(void *arg, size_t size, size_t reserved_bytes, const void __user *uarg)
{
	if (copy_from_user(arg, uarg, size))
		return -EFAULT;
	if (*(u32 *)arg != size)
		return -EINVAL;
	if (memchr_inv(arg + size - reserved_bytes, 0, reserved_bytes))
		return -EINVAL;
	return 0;
}

#define COPY_ARG(arg, uarg) \
	copy_arg(&(arg), sizeof(arg), sizeof((arg).reserved), uarg)

static int copy_out(void __user *uarg, const void *arg, size_t size)
{
	return copy_to_user(uarg, arg, size) ? -EFAULT : 0;
}

static int ioctl_info(struct hftmon_session *session, void __user *uarg)
{
	struct hftmon_info info;
	int err = COPY_ARG(info, uarg);

	if (err)
		return err;
	info = (struct hftmon_info){
		.size = sizeof(info),
		.abi_version = HFTMON_ABI_VERSION,
		.schema_version = HFTMON_SCHEMA_VERSION,
		.record_size = HFTMON_RECORD_SIZE,
		.nr_cpu_ids = nr_cpu_ids,
		.clock = static_key_enabled(&hftmon_clock_is_tsc) ?
			 HFTMON_CLOCK_TSC : HFTMON_CLOCK_MONO,
		.flags = hftmon_clock_invariant() ? HFTMON_INFO_TSC_INVARIANT : 0,
		.tsc_khz = hftmon_clock_khz(),
		.sources_available = hftmon_hook_available(),
		.durations_available =
			hftmon_durations_of(HFTMON_DURATION_ALL, hftmon_hook_available()),
	};
	hftmon_session_info(session, &info);
	return copy_out(uarg, &info, sizeof(info));
}

/* A bitmap of CPUs that are online; -ENXIO when it names another. */
static int copy_cpu_mask(struct cpumask *cpus, u64 address, u32 bytes)
{
	u64 words[MAX_CPU_MASK_BYTES / sizeof(u64)];
	unsigned int bit;

	if (bytes > sizeof(words) || bytes % sizeof(u64))
		return -EINVAL;
	if (copy_from_user(words, u64_to_user_ptr(address), bytes))
		return -EFAULT;

	cpumask_clear(cpus);
	for (bit = 0; bit < bytes * BITS_PER_BYTE; bit++) {
		if (!(words[bit / 64] & BIT_ULL(bit % 64)))
			continue;
		if (bit >= nr_cpu_ids || !cpu_online(bit))
			return -ENXIO;
		cpumask_set_cpu(bit, cpus);
	}
	return bytes && cpumask_empty(cpus) ? -EINVAL : 0;
}

static int ioctl_setup(struct hftmon_session *session, void __user *uarg)
{
	cpumask_var_t cpus, whole_cpus;
	struct hftmon_setup setup;
	int err = COPY_ARG(setup, uarg);

	if (err)
		return err;
	if (!alloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;
	err = -ENOMEM;
	if (!alloc_cpumask_var(&whole_cpus, GFP_KERNEL))
		goto out_cpus;
	err = copy_cpu_mask(cpus, setup.cpu_mask, setup.cpu_mask_bytes);
	if (err)
		goto out;
	if (!setup.cpu_mask_bytes)
		cpumask_copy(cpus, cpu_online_mask);
	err = copy_cpu_mask(whole_cpus, setup.whole_mask, setup.whole_mask_bytes);
	if (!err)
		err = hftmon_session_setup(session, &setup, cpus, whole_cpus);
out:
	free_cpumask_var(whole_cpus);
out_cpus:
	free_cpumask_var(cpus);
	return err;
}

static int ioctl_watch(struct hftmon_session *session, void __user *uarg)
{
	struct hftmon_watch watch;
	int err = COPY_ARG(watch, uarg);

	if (err)
		return err;
	if (watch.reserved0)
		return -EINVAL;
	err = hftmon_session_watch(session, &watch);
	return err ?: copy_out(uarg, &watch, sizeof(watch));
}

static int ioctl_minimum(struct hftmon_session *session, void __user *uarg)
{
	struct hftmon_minimum minimum;
	int err = COPY_ARG(minimum, uarg);

	return err ?: hftmon_session_minimum(session, &minimum);
}

static int ioctl_trigger(struct hftmon_session *session, void __user *uarg)
{
	struct hftmon_trigger trigger;
	int err = COPY_ARG(trigger, uarg);

	return err ?: hftmon_session_trigger(session, &trigger);
}

static int ioctl_spikes(struct hftmon_session *session, void __user *uarg)
{
	struct hftmon_spikes spikes;
	int err = COPY_ARG(spikes, uarg);

	if (err)
		return err;
	err = hftmon_session_spikes(session, &spikes);
	return err ?: copy_out(uarg, &spikes, sizeof(spikes));
}

static int ioctl_sources(void __user *uarg)
{
	struct hftmon_source_status entries[HFTMON_SOURCE_COUNT] = {};
	struct hftmon_sources sources;
	u32 i, room;
	int err = COPY_ARG(sources, uarg);

	if (err)
		return err;
	for (i = 0; i < HFTMON_SOURCE_COUNT; i++)
		hftmon_hook_status(i, &entries[i]);
	room = min_t(u32, sources.count, HFTMON_SOURCE_COUNT);
	sources.count = HFTMON_SOURCE_COUNT;
	if (copy_to_user(u64_to_user_ptr(sources.entries), entries, room * sizeof(*entries)))
		return -EFAULT;
	return copy_out(uarg, &sources, sizeof(sources));
}

static int ioctl_cpu_stats(struct hftmon_session *session, void __user *uarg)
{
	struct hftmon_cpu_stats stats;
	int err = COPY_ARG(stats, uarg);

	if (err)
		return err;
	stats = (struct hftmon_cpu_stats){ .size = sizeof(stats), .cpu = stats.cpu };
	err = hftmon_session_cpu_stats(session, &stats);
	if (err)
		return err;
	return copy_out(uarg, &stats, sizeof(stats));
}

static int ioctl_costs(void __user *uarg)
{
	struct hftmon_source_cost entries[HFTMON_COST_COUNT];
	struct hftmon_costs costs;
	u32 room, cpu;
	int err = COPY_ARG(costs, uarg);

	if (err)
		return err;
	if (costs.reserved0)
		return -EINVAL;
	if (costs.cpu >= nr_cpu_ids)
		return -ENXIO;
	cpu = array_index_nospec(costs.cpu, nr_cpu_ids);
	if (!cpu_possible(cpu))
		return -ENXIO;
	hftmon_meter_read_costs(cpu, entries);
	hftmon_governor_tell(cpu, &costs);
	room = min_t(u32, costs.count, HFTMON_COST_COUNT);
	costs.count = HFTMON_COST_COUNT;
	if (copy_to_user(u64_to_user_ptr(costs.entries), entries, room * sizeof(*entries)))
		return -EFAULT;
	return copy_out(uarg, &costs, sizeof(costs));
}

static int ioctl_stacks(struct hftmon_session *session, void __user *uarg)
{
	struct hftmon_stacks stacks;
	int err = COPY_ARG(stacks, uarg);

	if (err)
		return err;
	if (hftmon_session_state(session) == HFTMON_SESSION_NEW)
		return -ENODEV;
	stacks = (struct hftmon_stacks){ .size = sizeof(stacks) };
	if (session->sources & HFTMON_SOURCE_STACKS)
		hftmon_stacks_tell(&stacks);
	return copy_out(uarg, &stacks, sizeof(stacks));
}

static int ioctl_clock_sync(void __user *uarg)
{
	struct hftmon_clock_sync sync;
	int err = COPY_ARG(sync, uarg);

	if (err)
		return err;
	if (!hftmon_clock_usable())
		return -ESTALE;
	hftmon_clock_sync(&sync);
	return copy_out(uarg, &sync, sizeof(sync));
}

/* One list at a time: it can be large, and is made under rcu_read_lock(). */
static DEFINE_MUTEX(threads_lock);

static int ioctl_threads(struct hftmon_session *session, void __user *uarg)
{
	struct hftmon_thread_entry *entries;
	struct hftmon_threads threads;
	u32 room, found;
	int err = COPY_ARG(threads, uarg);

	if (err)
		return err;
	/* What is asked for may be much more than there is to tell. */
	found = hftmon_threads_list(NULL, 0);
	room = min_t(u32, threads.count, found + found / 4 + 64);
	entries = kvcalloc(room, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	mutex_lock(&threads_lock);
	threads.tsc = hftmon_clock();
	found = hftmon_threads_list(entries, room);
	hftmon_session_tell_watched(session, entries, min(found, room));
	threads.tsc_end = hftmon_clock();
	mutex_unlock(&threads_lock);
	threads.count = found;
	if (copy_to_user(u64_to_user_ptr(threads.entries), entries,
			 min(found, room) * sizeof(*entries)))
		err = -EFAULT;
	kvfree(entries);
	return err ?: copy_out(uarg, &threads, sizeof(threads));
}

static long hftmon_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hftmon_session *session = file->private_data;
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case HFTMON_IOC_INFO:
		return ioctl_info(session, uarg);
	case HFTMON_IOC_SETUP:
		return ioctl_setup(session, uarg);
	case HFTMON_IOC_START:
		return hftmon_session_start(session);
	case HFTMON_IOC_STOP:
		return hftmon_session_stop(session);
	case HFTMON_IOC_SOURCES:
		return ioctl_sources(uarg);
	case HFTMON_IOC_CPU_STATS:
		return ioctl_cpu_stats(session, uarg);
	case HFTMON_IOC_COSTS:
		return ioctl_costs(uarg);
	case HFTMON_IOC_STACKS:
		return ioctl_stacks(session, uarg);
	case HFTMON_IOC_CLOCK_SYNC:
		return ioctl_clock_sync(uarg);
	case HFTMON_IOC_THREADS:
		return ioctl_threads(session, uarg);
	case HFTMON_IOC_WATCH:
		return ioctl_watch(session, uarg);
	case HFTMON_IOC_MINIMUM:
		return ioctl_minimum(session, uarg);
	case HFTMON_IOC_TRIGGER:
		return ioctl_trigger(session, uarg);
	case HFTMON_IOC_SPIKES:
		return ioctl_spikes(session, uarg);
	default:
		return -ENOTTY;
	}
}

/*
 * Only the reader's page can be mapped writable, now or by mprotect() later;
 * nothing can be private or executable.
 */
static int restrict_mapping(struct vm_area_struct *vma, u64 region)
{
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY);
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYEXEC);
	if (region != HFTMON_MMAP_READER) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	return 0;
}

static int mmap_threads(struct hftmon_session *session, struct vm_area_struct *vma, u64 cpu,
			u64 region)
{
	int err;

	if (cpu || hftmon_session_state(session) == HFTMON_SESSION_NEW || !session->counts_threads)
		return -ENXIO;
	err = restrict_mapping(vma, region);
	return err ?: hftmon_thread_histograms_mmap(vma);
}

static int mmap_stacks(struct hftmon_session *session, struct vm_area_struct *vma, u64 cpu,
		       u64 region)
{
	bool kernel = region == HFTMON_MMAP_KERNEL_STACKS;
	int err;

	if (cpu || hftmon_session_state(session) == HFTMON_SESSION_NEW ||
	    !(session->sources & HFTMON_SOURCE_STACKS))
		return -ENXIO;
	if (kernel && !session->sees_addresses)
		return -EPERM;
	err = restrict_mapping(vma, region);
	return err ?: hftmon_stacks_mmap(kernel, vma);
}

/*
 * The offset names a CPU and a region (HFTMON_MMAP_OFFSET) and nothing else.
 * Runs under mmap_lock, so it takes no lock that a command holds while it
 * copies to or from user space.
 */
static int hftmon_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct hftmon_session *session = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 cpu = offset >> HFTMON_MMAP_CPU_SHIFT;
	u64 region = (offset >> HFTMON_MMAP_REGION_SHIFT) &
		     (BIT_ULL(HFTMON_MMAP_CPU_SHIFT - HFTMON_MMAP_REGION_SHIFT) - 1);
	struct hftmon_ring *ring;
	int err;

	if (offset & (BIT_ULL(HFTMON_MMAP_REGION_SHIFT) - 1))
		return -EINVAL;
	if (region == HFTMON_MMAP_KERNEL_STACKS || region == HFTMON_MMAP_USER_STACKS)
		return mmap_stacks(session, vma, cpu, region);
	if (region == HFTMON_MMAP_THREAD_HISTOGRAMS)
		return mmap_threads(session, vma, cpu, region);
	if (cpu >= nr_cpu_ids)
		return -ENXIO;
	cpu = array_index_nospec(cpu, nr_cpu_ids);
	ring = hftmon_session_ring(session, cpu);
	if (!ring)
		return -ENXIO;
	err = restrict_mapping(vma, region);
	if (err)
		return err;
	if (region != HFTMON_MMAP_HISTOGRAMS)
		return hftmon_ring_mmap(ring, vma, region);
	return hftmon_session_durations(session) ? hftmon_durations_mmap(cpu, vma) : -ENXIO;
}

static __poll_t hftmon_poll(struct file *file, poll_table *wait)
{
	struct hftmon_session *session = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &session->pollers, wait);
	if (hftmon_session_readable(session))
		events |= EPOLLIN | EPOLLRDNORM;
	if (hftmon_session_has_spike(session))
		events |= EPOLLPRI;
	if (hftmon_session_state(session) == HFTMON_SESSION_STOPPED)
		events |= EPOLLHUP;
	return events;
}

static int hftmon_open(struct inode *inode, struct file *file)
{
	int err = hftmon_may_capture();

	if (err)
		return err;
	file->private_data = hftmon_session_create(hftmon_may_see_addresses());
	return file->private_data ? 0 : -ENOMEM;
}

static int hftmon_release(struct inode *inode, struct file *file)
{
	hftmon_session_destroy(file->private_data);
	return 0;
}

static const struct file_operations hftmon_fops = {
	.owner = THIS_MODULE,
	.open = hftmon_open,
	.release = hftmon_release,
	.unlocked_ioctl = hftmon_ioctl,
	.mmap = hftmon_mmap,
	.poll = hftmon_poll,
	.llseek = noop_llseek,
};

static struct miscdevice hftmon_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hftmon",
	.fops = &hftmon_fops,
	.mode = 0600,
};

int hftmon_chardev_register(void)
{
	return misc_register(&hftmon_device);
}

void hftmon_chardev_unregister(void)
{
	misc_deregister(&hftmon_device);
}
