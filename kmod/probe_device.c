// SPDX-License-Identifier: GPL-2.0-only
/* What devices ask of the CPUs, and threads of devices: packets and block requests. */
#include <linux/blkdev.h>
#include <linux/blk-mq.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

#include "emit.h"
#include "probes.h"

#include <trace/events/block.h>
#include <trace/events/napi.h>
#include <trace/events/net.h>

void hftmon_probe_napi_poll(void *data, struct napi_struct *napi, int work, int budget)
{
	struct hftmon_record event = {
		.type = HFTMON_REC_NAPI_POLL,
		.napi = {
			.ifindex = napi->dev ? napi->dev->ifindex : 0,
			.work = work,
			.budget = budget,
		},
	};

	hftmon_emit(HFTMON_SOURCE_NAPI_POLL, &event);
}

static __always_inline void emit_packet(unsigned int source, u16 type, const struct sk_buff *skb,
					const struct net_device *dev)
{
	struct hftmon_record event = {
		.type = type,
		.packet = { .ifindex = dev ? dev->ifindex : 0, .length = skb->len },
	};

	hftmon_emit(source, &event);
}

void hftmon_probe_netif_receive_skb(void *data, struct sk_buff *skb)
{
	emit_packet(HFTMON_SOURCE_NETIF_RECEIVE_SKB, HFTMON_REC_NET_RECEIVE, skb, skb->dev);
}

void hftmon_probe_net_dev_queue(void *data, struct sk_buff *skb)
{
	emit_packet(HFTMON_SOURCE_NET_DEV_QUEUE, HFTMON_REC_NET_QUEUE, skb, skb->dev);
}

void hftmon_probe_net_dev_start_xmit(void *data, const struct sk_buff *skb,
				     const struct net_device *dev)
{
	emit_packet(HFTMON_SOURCE_NET_DEV_START_XMIT, HFTMON_REC_NET_START_XMIT, skb, dev);
}

static __always_inline void emit_block(unsigned int source, u16 type, struct request *request,
				       unsigned int bytes)
{
	/* A disk may be taken away under a request that is none of its data. */
	const struct gendisk *disk = READ_ONCE(hftmon_disk_of(request));
	sector_t sector = blk_rq_pos(request);
	struct hftmon_record event = {
		.type = type,
		.flags = (__force u16)req_op(request),
		.block = {
			.device = disk ? MKDEV(disk->major, disk->first_minor) : 0,
			.bytes = bytes,
			.sector = sector == (sector_t)-1 ? 0 : sector,
		},
	};

	hftmon_emit(source, &event);
}

void hftmon_probe_block_rq_issue(void *data, struct request *request)
{
	emit_block(HFTMON_SOURCE_BLOCK_RQ_ISSUE, HFTMON_REC_BLOCK_ISSUE, request,
		   blk_rq_bytes(request));
}

void hftmon_probe_block_rq_complete(void *data, struct request *request,
				    HFTMON_BLOCK_ERROR_T error, unsigned int bytes)
{
	emit_block(HFTMON_SOURCE_BLOCK_RQ_COMPLETE, HFTMON_REC_BLOCK_COMPLETE, request, bytes);
}

static void __maybe_unused check_types(void)
{
	HFTMON_CHECK_napi_poll(hftmon_probe_napi_poll);
	HFTMON_CHECK_netif_receive_skb(hftmon_probe_netif_receive_skb);
	HFTMON_CHECK_net_dev_queue(hftmon_probe_net_dev_queue);
	HFTMON_CHECK_net_dev_start_xmit(hftmon_probe_net_dev_start_xmit);
	HFTMON_CHECK_block_rq_issue(hftmon_probe_block_rq_issue);
	HFTMON_CHECK_BLOCK_COMPLETE(hftmon_probe_block_rq_complete);
}
