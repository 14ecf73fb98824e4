// SPDX-License-Identifier: GPL-2.0-only
/*
 * The overhead governor: sheds sources on CPUs where the module takes more than
 * its budget, and takes them back later. <hftmon/abi/cost.h> says how.
 *
 * It looks from a worker, at what the meters of all CPUs have counted anyway: a
 * probe pays no more for it than a cache line that comes back, and a CPU is
 * interrupted only when something changes for a session there.
 */
#include <linux/cpu.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>
#include <hftmon/abi/ioctl.h>

#include "clock.h"
#include "governor.h"
#include "meter.h"
#include "session.h"
#include "slot.h"

static unsigned int budget_ppm = 10000;
module_param(budget_ppm, uint, 0644);
MODULE_PARM_DESC(budget_ppm,
		 "Share of each CPU's time that probes may take, parts per million; above it sources are shed (default 10000: 1%; 0: no limit)");

#define PPM		1000000
#define WINDOW		(HZ / 10)
/* With fewer timed events in a window, those of all windows say more; fewer still, nothing. */
#define ENOUGH_SAMPLES	16
/* Windows below the threshold until a step is taken back: at first, and at most. */
#define HOLD_MIN	10
#define HOLD_MAX	640

static const u64 steps[] = {
#define STEP(sources) (sources),
	HFTMON_SHED_STEPS(STEP)
#undef STEP
};

/**
 * struct measured - what had been counted on a CPU at some time
 * @meter: all events
 * @costs: by source
 */
struct measured {
	struct hftmon_meter meter;
	struct hftmon_source_cost costs[HFTMON_COST_COUNT];
};

/**
 * struct governed - what the governor knows of a CPU; under hftmon_active_lock
 * @begun:     when the first session began, or the budget was set
 * @seen:      at the end of the last window
 * @time:      that end
 * @spent_ppm: in that window; also read without the lock
 * @shed:      bits of steps
 * @calm:      windows below the threshold, one after another
 * @hold:      as many are wanted until a step is taken back
 * @trial:     windows since one was, as long as it may have to go again; else 0
 *
 * In cache lines of its own: those around it belong to the CPU's probes.
 */
struct governed {
	struct measured begun;
	struct measured seen;
	u64 time;
	u32 spent_ppm;
	u32 shed;
	unsigned int calm;
	unsigned int hold;
	unsigned int trial;
} ____cacheline_aligned;

static_assert(ARRAY_SIZE(steps) <= 32);

static DEFINE_PER_CPU_ALIGNED(struct governed, governed);

/* Sessions that record. */
static unsigned int users;

static struct workqueue_struct *queue;
static void govern(struct work_struct *work);
static DECLARE_DELAYED_WORK(governing, govern);

static u64 sources_of(u32 shed)
{
	u64 sources = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		if (shed & BIT(i))
			sources |= steps[i];
	}
	return sources;
}

static void measure(struct measured *now, unsigned int cpu)
{
	hftmon_meter_read(cpu, &now->meter);
	hftmon_meter_read_costs(cpu, now->costs);
}

/* As if nothing had been before. */
static void begin(struct governed *here, unsigned int cpu)
{
	measure(&here->seen, cpu);
	here->begun = here->seen;
	here->time = hftmon_clock();
	WRITE_ONCE(here->spent_ppm, 0);
	here->calm = 0;
	here->hold = HOLD_MIN;
	here->trial = 0;
}

/* Ticks of a step's sources among those that were timed. */
static u64 timed_of(const struct measured *since, const struct measured *now, u64 step)
{
	u64 ticks = 0;
	unsigned int source;

	for (source = 0; source < HFTMON_SOURCE_COUNT; source++) {
		if (step & HFTMON_SOURCE_BIT(source))
			ticks += now->costs[source].ticks - since->costs[source].ticks;
	}
	return ticks;
}

/*
 * What is to be shed to save @excess parts per million of the @spent, which the
 * events that were timed since then share.
 */
static u32 shed_more(u32 shed, const struct measured *since, const struct measured *now,
		     u32 spent, s64 excess)
{
	u64 ticks = now->meter.ticks - since->meter.ticks;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps) && ticks && excess > 0; i++) {
		u64 timed = shed & BIT(i) ? 0 : timed_of(since, now, steps[i]);

		if (!timed)
			continue;
		excess -= div64_u64(timed * spent, ticks);
		shed |= BIT(i);
	}
	return shed;
}

/* The end of a window on one CPU: what is to be shed there from now on. */
static u32 look(struct governed *here, unsigned int cpu, u32 budget)
{
	static struct measured now;	/* too large for the stack */
	const struct measured *since = &here->seen;
	u64 events, samples, elapsed, spent = 0;
	u32 shed = here->shed;

	measure(&now, cpu);
	elapsed = max_t(u64, hftmon_clock() - here->time, 1);
	events = now.meter.runs - since->meter.runs;
	if ((s64)events < 0)
		events = 0;	/* see hftmon_meter_read() */
	if (now.meter.samples - since->meter.samples < ENOUGH_SAMPLES)
		since = &here->begun;
	samples = now.meter.samples - since->meter.samples;
	if (samples)
		spent = mul_u64_u64_div_u64(now.meter.ticks - since->meter.ticks, events, samples);
	spent = min_t(u64, mul_u64_u64_div_u64(min(spent, elapsed), PPM, elapsed), PPM);
	WRITE_ONCE(here->spent_ppm, spent);

	if (spent > budget && samples >= ENOUGH_SAMPLES)
		shed = shed_more(shed, since, &now, spent, spent - budget);
	here->calm = spent > (u64)budget * 4 / 5 ? 0 : here->calm + 1;
	if (here->trial) {
		if (shed != here->shed) {
			here->hold = min(here->hold * 2, (unsigned int)HOLD_MAX);
			here->trial = 0;
		} else if (++here->trial > here->hold) {
			here->hold = max(here->hold / 2, (unsigned int)HOLD_MIN);
			here->trial = 0;
		}
	}
	if (shed && here->calm >= here->hold) {
		shed &= ~BIT(fls(shed) - 1);
		here->calm = 0;
		here->trial = 1;
	}
	here->seen = now;
	here->time += elapsed;
	return shed;
}

static void apply(struct governed *here, unsigned int cpu, u32 shed, u32 budget)
{
	const struct hftmon_shed told = {
		.sources = sources_of(shed),
		.spent_ppm = here->spent_ppm,
		.budget_ppm = budget,
	};

	if (shed == here->shed && !hftmon_sessions_shed_untold(cpu))
		return;
	here->shed = shed;
	hftmon_sessions_shed(cpu, &told);
}

static void govern(struct work_struct *work)
{
	u32 budget = READ_ONCE(budget_ppm);
	unsigned int cpu;

	/* START and STOP may take long. */
	if (!mutex_trylock(&hftmon_active_lock)) {
		queue_delayed_work(queue, &governing, WINDOW);
		return;
	}
	if (!users)
		goto out;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		struct governed *here = per_cpu_ptr(&governed, cpu);

		if (!budget)
			begin(here, cpu);
		apply(here, cpu, budget ? look(here, cpu, budget) : 0, budget);
	}
	cpus_read_unlock();
	queue_delayed_work(queue, &governing, WINDOW);
out:
	mutex_unlock(&hftmon_active_lock);
}

/** hftmon_governor_begin() - a session begins to record; under hftmon_active_lock */
void hftmon_governor_begin(void)
{
	unsigned int cpu;

	if (users++)
		return;
	for_each_possible_cpu(cpu)
		begin(per_cpu_ptr(&governed, cpu), cpu);
	mod_delayed_work(queue, &governing, WINDOW);
}

/** hftmon_governor_end() - it has ended; no probe runs that saw it; under hftmon_active_lock */
void hftmon_governor_end(void)
{
	unsigned int cpu;

	if (--users)
		return;
	for_each_possible_cpu(cpu) {
		struct governed *here = per_cpu_ptr(&governed, cpu);

		here->shed = 0;
		WRITE_ONCE(here->spent_ppm, 0);
		hftmon_slot_shed(cpu, 0);
	}
}

/** hftmon_governor_init() - before any session exists; 0 or an errno */
int hftmon_governor_init(void)
{
	queue = alloc_workqueue("hftmon_governor", WQ_UNBOUND, 1);
	return queue ? 0 : -ENOMEM;
}

/** hftmon_governor_exit() - no session is left */
void hftmon_governor_exit(void)
{
	cancel_delayed_work_sync(&governing);
	destroy_workqueue(queue);
}

/** hftmon_governor_shed() - what a session that begins on a CPU has to know */
void hftmon_governor_shed(unsigned int cpu, struct hftmon_shed *shed)
{
	const struct governed *here = per_cpu_ptr(&governed, cpu);

	*shed = (struct hftmon_shed){
		.sources = hftmon_slot_is_shed(cpu),
		.spent_ppm = READ_ONCE(here->spent_ppm),
		.budget_ppm = READ_ONCE(budget_ppm),
	};
}

/**
 * hftmon_governor_tell() - what events cost on a CPU
 * @cpu:   a possible one
 * @costs: all but size, cpu, count and entries are set
 */
void hftmon_governor_tell(unsigned int cpu, struct hftmon_costs *costs)
{
	struct hftmon_meter meter;

	hftmon_meter_read(cpu, &meter);
	costs->budget_ppm = READ_ONCE(budget_ppm);
	costs->spent_ppm = cpu_online(cpu) ? READ_ONCE(per_cpu(governed, cpu).spent_ppm) : 0;
	costs->events = meter.runs;
	costs->samples = meter.samples;
	costs->ticks = meter.ticks;
	costs->shed = hftmon_slot_is_shed(cpu);
}
