// SPDX-License-Identifier: GPL-2.0-only
/* All rings of a session: allocation within the limits, and their end. */
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>

#include "rings.h"
#include "session.h"

static unsigned int max_session_mb = 1024;
module_param(max_session_mb, uint, 0644);
MODULE_PARM_DESC(max_session_mb, "Memory that the rings of one session may take, MiB (default 1024)");

static unsigned int max_total_mb;
module_param(max_total_mb, uint, 0644);
MODULE_PARM_DESC(max_total_mb,
		 "Memory that the rings of all sessions may take, MiB (default 0: a quarter of the machine's)");

/* Pages of the rings of all sessions. */
static atomic_long_t charged_pages;

static int charge_rings(struct hftmon_session *session, unsigned int cpus)
{
	unsigned long limit = max_total_mb ? (unsigned long)max_total_mb << (20 - PAGE_SHIFT) :
					     totalram_pages() / 4;
	long pages = cpus * hftmon_ring_pages(session);

	if ((unsigned long)atomic_long_add_return(pages, &charged_pages) > limit) {
		atomic_long_sub(pages, &charged_pages);
		return -ENOSPC;
	}
	session->charged_pages = pages;
	return 0;
}

static void uncharge_rings(struct hftmon_session *session)
{
	atomic_long_sub(session->charged_pages, &charged_pages);
	session->charged_pages = 0;
}

/**
 * hftmon_rings_alloc() - rings and meters of every CPU of a session
 * @session: mode, sizes and cpus are set
 *
 * Context: process, may sleep.
 * Return: 0, -ENOSPC above max_session_mb or, with all other sessions,
 * max_total_mb, -ENOMEM, -EINTR; on failure nothing is left allocated.
 */
int hftmon_rings_alloc(struct hftmon_session *session)
{
	unsigned int cpus = cpumask_weight(session->cpus);
	u64 bytes = (u64)session->ring_records * HFTMON_RECORD_SIZE * cpus;
	int cpu, err;

	if (bytes > (u64)max_session_mb << 20)
		return -ENOSPC;
	err = charge_rings(session, cpus);
	if (err)
		return err;
	err = -ENOMEM;
	session->rings = alloc_percpu_gfp(struct hftmon_ring, GFP_KERNEL_ACCOUNT);
	session->meter_start = alloc_percpu_gfp(struct hftmon_meter, GFP_KERNEL_ACCOUNT);
	session->meter_end = alloc_percpu_gfp(struct hftmon_meter, GFP_KERNEL_ACCOUNT);
	if (!session->rings || !session->meter_start || !session->meter_end)
		goto err_free;
	for_each_cpu(cpu, session->cpus) {
		err = hftmon_ring_alloc(per_cpu_ptr(session->rings, cpu), session, cpu);
		if (err)
			goto err_free;
	}
	return 0;

err_free:
	hftmon_rings_free(session);
	return err;
}

/** hftmon_rings_free() - undo it; also of a session that has none */
void hftmon_rings_free(struct hftmon_session *session)
{
	int cpu;

	if (session->rings) {
		for_each_possible_cpu(cpu)
			hftmon_ring_free(per_cpu_ptr(session->rings, cpu));
	}
	free_percpu(session->rings);
	free_percpu(session->meter_start);
	free_percpu(session->meter_end);
	session->rings = NULL;
	session->meter_start = NULL;
	session->meter_end = NULL;
	uncharge_rings(session);
}
