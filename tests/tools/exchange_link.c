// SPDX-License-Identifier: BSD-3-Clause
// The exchange program's Ethernet port, as any DPDK application drives one. Used by exchange.c's one thread.
#include "tests/tools/exchange.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Deep rings, because two containers that share a CPU take turns of milliseconds.
#define RING_SIZE 1024
#define POOL_SIZE 4095
#define LISTEN_RING_SIZE 256
#define LISTEN_POOL_SIZE 1023
#define POOL_CACHE 128
#define SETTLE_US 200000
// What drivers want in a buffer beside the frame: a VLAN tag, virtio's header.
#define DRIVER_ROOM 64

static int fail(int code, const char *what, uint16_t port)
{
	fprintf(stderr, "exchange: cannot %s of port %u: %s\n", what, port, rte_strerror(-code));
	return code;
}

static int set_up_queues(struct link_port *link, uint16_t ring)
{
	for (uint16_t i = 0; i < link->queues; i++) {
		int r = rte_eth_rx_queue_setup(
			link->port, i, ring, SOCKET_ID_ANY, NULL, link->pool
		);
		if (r < 0)
			return fail(r, "set up a receive queue", link->port);
		r = rte_eth_tx_queue_setup(link->port, i, ring, SOCKET_ID_ANY, NULL);
		if (r < 0)
			return fail(r, "set up a transmit queue", link->port);
	}
	return 0;
}

static int configure(struct link_port *link, const struct exchange_options *options)
{
	struct rte_eth_dev_info info;
	int r = rte_eth_dev_info_get(link->port, &info);
	if (r < 0)
		return fail(r, "read the properties", link->port);
	struct rte_eth_conf conf = {0};
	const uint16_t ring = options->mode == MODE_LISTEN ? LISTEN_RING_SIZE : RING_SIZE;
	const uint32_t mtu = options->size - RTE_ETHER_HDR_LEN;
	if (mtu > RTE_ETHER_MTU)
		conf.rxmode.mtu = mtu;
	r = rte_eth_dev_configure(link->port, link->queues, link->queues, &conf);
	if (r < 0)
		return fail(r, "set the configuration", link->port);
	r = set_up_queues(link, ring / link->queues);
	if (r < 0)
		return r;
	r = rte_eth_dev_start(link->port);
	if (r < 0)
		return fail(r, "start the device", link->port);
	// vhost-user enables further queues without an answer, and a flow changes its queue when that takes effect.
	if (link->queues > 1)
		(void)usleep(SETTLE_US); // Waking early does no harm.
	return 0;
}

int link_open(struct link_port *link, uint16_t port, const struct exchange_options *options)
{
	*link = (struct link_port){.port = port, .queues = options->queues};
	if (!rte_eth_dev_is_valid_port(link->port)) {
		fprintf(stderr, "exchange: there is no DPDK port %u\n", link->port);
		return -ENODEV;
	}
	const uint32_t most = options->size + DRIVER_ROOM;
	const uint32_t room = most > 2048 ? most : 2048;
	char name[RTE_MEMPOOL_NAMESIZE];
	(void)snprintf(name, sizeof(name), "exchange%u", port); // It fits.
	link->pool = rte_pktmbuf_pool_create(
		name,
		options->mode == MODE_LISTEN ? LISTEN_POOL_SIZE : POOL_SIZE,
		POOL_CACHE,
		0,
		(uint16_t)(room + RTE_PKTMBUF_HEADROOM),
		SOCKET_ID_ANY
	);
	if (!link->pool)
		return fail(-rte_errno, "make the buffers", link->port);
	int r = configure(link, options);
	if (r < 0)
		return r;
	struct rte_ether_addr mac;
	r = rte_eth_macaddr_get(link->port, &mac);
	if (r < 0)
		return fail(r, "read the address", link->port);
	memcpy(link->mac, mac.addr_bytes, sizeof(link->mac));
	if (options->mode != MODE_LISTEN)
		return 0;
	r = rte_eth_promiscuous_enable(link->port);
	if (r < 0 && r != -ENOTSUP)
		return fail(r, "open the filter", link->port);
	return 0;
}

void link_close(struct link_port *link)
{
	if (!link->pool)
		return;
	for (uint16_t i = 0; i < link->queues; i++)
		rte_pktmbuf_free_bulk(link->queue[i].pending, link->queue[i].pending_count);
	// The process ends next: a device that does not stop holds up nobody.
	(void)rte_eth_dev_stop(link->port);
	(void)rte_eth_dev_close(link->port);
	rte_mempool_free(link->pool);
	link->pool = NULL;
}

uint16_t link_room(const struct link_port *link)
{
	uint16_t most = 0;
	for (uint16_t i = 0; i < link->queues; i++)
		most = RTE_MAX(most, link->queue[i].pending_count);
	return (uint16_t)(LINK_BURST - most);
}

bool link_is_empty(const struct link_port *link)
{
	return link_room(link) == LINK_BURST;
}

bool link_queue(struct link_port *link, const struct frame_head *head, uint32_t size)
{
	struct frame_head full = *head;
	uint16_t lane = 0;
	if (head->type == FRAME_DATA && link->queues > 1) {
		lane = (uint16_t)(head->number % link->queues);
		full.flow = (uint16_t)(lane + 1);
	}
	struct link_queue *queue = &link->queue[lane];
	if (queue->pending_count == LINK_BURST)
		return false;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(link->pool);
	if (!mbuf)
		return false;
	char *bytes = rte_pktmbuf_append(mbuf, (uint16_t)size);
	if (!bytes) {
		rte_pktmbuf_free(mbuf);
		return false;
	}
	frame_build(&full, size, (uint8_t *)bytes);
	queue->pending[queue->pending_count++] = mbuf;
	return true;
}

static uint16_t flush_queue(struct link_port *link, uint16_t index)
{
	struct link_queue *queue = &link->queue[index];
	if (queue->pending_count == 0)
		return 0;
	const uint16_t sent =
		rte_eth_tx_burst(link->port, index, queue->pending, queue->pending_count);
	queue->pending_count -= sent;
	memmove(queue->pending,
		queue->pending + sent,
		queue->pending_count * sizeof(struct rte_mbuf *));
	return sent;
}

uint16_t link_flush(struct link_port *link)
{
	uint16_t sent = 0;
	for (uint16_t i = 0; i < link->queues; i++)
		sent += flush_queue(link, i);
	link->sent += sent;
	return sent;
}

static uint16_t receive_queue(struct link_port *link, uint16_t index, link_visit *visit, void *arg)
{
	static uint8_t scratch[NUMBERED_SIZE_MAX + 1];
	struct rte_mbuf *burst[LINK_BURST];
	const uint16_t count = rte_eth_rx_burst(link->port, index, burst, LINK_BURST);
	for (uint16_t i = 0; i < count; i++) {
		uint32_t size = burst[i]->pkt_len;
		if (size > sizeof(scratch))
			size = sizeof(scratch);
		const uint8_t *bytes = rte_pktmbuf_read(burst[i], 0, size, scratch);
		if (bytes)
			visit(arg, bytes, size);
		rte_pktmbuf_free(burst[i]);
	}
	link->received[index] += count;
	return count;
}

uint16_t link_receive(struct link_port *link, link_visit *visit, void *arg)
{
	uint16_t count = 0;
	for (uint16_t i = 0; i < link->queues; i++)
		count += receive_queue(link, i, visit, arg);
	return count;
}
