// SPDX-License-Identifier: BSD-3-Clause
// A port that is a network interface of the kernel, over an AF_PACKET socket (packet(7)): frames go out in
// batches by sendmmsg(2), past the queueing discipline, and come in through a ring of memory that is shared
// with the kernel (TPACKET_V2). With segmentation, a virtio-net header is in front of each frame.
#include "bench/gen/gen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64u
#define VNET_HEADER_SIZE 10u
#define RX_BYTES (16u << 20)

struct kernel_port {
	int fd;
	uint8_t *rx;
	uint32_t rx_slot_size;
	uint32_t rx_slots;
	uint32_t rx_next;
	uint8_t *tx;
	uint32_t tx_stride;
	uint32_t tx_next;
	uint32_t frame_size;
	uint32_t read_every;
	uint32_t unread;
	struct mmsghdr message[BATCH];
	struct iovec part[BATCH];
};

static uint32_t kernel_room(struct lane *lane)
{
	return BATCH;
}

static uint8_t *slot_data(const struct kernel_port *k, uint32_t slot)
{
	return k->tx + (uint64_t)(slot % BATCH) * k->tx_stride + GEN_HEADROOM;
}

static uint8_t *kernel_slot(struct lane *lane, uint32_t ahead)
{
	const struct kernel_port *k = lane->impl;
	return slot_data(k, k->tx_next + ahead);
}

// Messages of one call lie in a row: a batch ends at the last slot.
static uint32_t kernel_send(struct lane *lane, uint32_t count)
{
	struct kernel_port *k = lane->impl;
	uint32_t done = 0;

	while (done < count) {
		uint32_t at = k->tx_next % BATCH;
		uint32_t run = count - done < BATCH - at ? count - done : BATCH - at;
		int r = sendmmsg(k->fd, &k->message[at], run, MSG_DONTWAIT);
		if (r <= 0)
			break; // The interface's queue is full.
		k->tx_next += (uint32_t)r;
		done += (uint32_t)r;
	}
	lane->sent += done;
	lane->accepted += done;
	return done;
}

static uint32_t kernel_receive(struct lane *lane, lane_visit *visit, void *ctx)
{
	struct kernel_port *k = lane->impl;
	uint32_t frames = 0;

	while (frames < k->rx_slots) {
		uint8_t *slot = k->rx + (uint64_t)k->rx_next * k->rx_slot_size;
		struct tpacket2_hdr *header = (void *)slot;
		if (!(__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			break;
		if (visit && ++k->unread >= k->read_every) {
			k->unread = 0;
			visit(ctx, lane, slot + header->tp_mac);
		}
		lane->received_bytes += header->tp_len;
		__atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		k->rx_next = (k->rx_next + 1) % k->rx_slots;
		frames++;
	}
	lane->received += frames;
	return frames;
}

static const struct lane_ops kernel_ops = {
	.room = kernel_room,
	.slot = kernel_slot,
	.send = kernel_send,
	.receive = kernel_receive,
};

static int set_int(int fd, int option, int value)
{
	return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)) ? -errno : 0;
}

// A slot holds what is looked at of a frame; its length is known anyway.
static int map_rx(struct kernel_port *k)
{
	struct tpacket_req request = {
		.tp_block_size = 1u << 16,
		.tp_frame_size = 512,
		.tp_block_nr = RX_BYTES >> 16,
		.tp_frame_nr = RX_BYTES / 512,
	};
	int r = set_int(k->fd, PACKET_VERSION, TPACKET_V2);

	if (!r && setsockopt(k->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)))
		r = -errno;
	if (r)
		return r;
	void *at = mmap(NULL, RX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	k->rx = at;
	k->rx_slot_size = request.tp_frame_size;
	k->rx_slots = request.tp_frame_nr;
	return 0;
}

static int open_socket(const struct gen *gen, struct kernel_port *k, const char *name)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name),
	};

	if (!addr.sll_ifindex)
		return -errno;
	k->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (k->fd < 0)
		return -errno;
	int r = set_int(k->fd, PACKET_QDISC_BYPASS, 1);
	if (!r)
		r = set_int(k->fd, PACKET_IGNORE_OUTGOING, 1);
	if (!r && gen->config.tso)
		r = set_int(k->fd, PACKET_VNET_HDR, 1);
	if (!r)
		r = map_rx(k);
	if (!r && bind(k->fd, (struct sockaddr *)&addr, sizeof(addr)))
		r = -errno;
	return r;
}

static int make_frames(const struct gen *gen, struct kernel_port *k, uint32_t port)
{
	uint32_t header = gen->config.tso ? VNET_HEADER_SIZE : 0;

	k->tx_stride = (GEN_HEADROOM + gen->config.frame_size + 127) & ~63u;
	k->tx = aligned_alloc(64, (size_t)BATCH * k->tx_stride);
	if (!k->tx)
		return -ENOMEM;
	for (uint32_t i = 0; i < BATCH; i++) {
		uint8_t *data = slot_data(k, i);
		frame_fill(data, gen, port, frame_peer(gen, port, i), 0);
		frame_header(data - VNET_HEADER_SIZE, gen);
		k->part[i] = (struct iovec){data - header, gen->config.frame_size + header};
		k->message[i].msg_hdr = (struct msghdr){.msg_iov = &k->part[i], .msg_iovlen = 1};
	}
	return 0;
}

int kernel_port_open(struct gen *gen, uint32_t index, struct lane *lanes)
{
	struct port *port = &gen->port[index];
	struct kernel_port *k = calloc(1, sizeof(*k));

	if (!k || gen->config.queue_pairs > 1) {
		free(k);
		return gen_fail(-ENOTSUP, "unsupported: an interface has one queue");
	}
	k->fd = -1;
	k->frame_size = gen->config.frame_size;
	k->read_every = gen->config.read_every;
	port->impl = k;
	int r = open_socket(gen, k, port->path);
	if (!r)
		r = make_frames(gen, k, index);
	if (r)
		return gen_fail(r, "cannot use interface %s: %s", port->path, strerror(-r));
	if (lanes) {
		lanes->impl = k;
		lanes->ops = &kernel_ops;
		lanes->burst = 1;
	}
	return 0;
}

void kernel_port_close(struct port *port)
{
	struct kernel_port *k = port->impl;

	if (!k)
		return;
	if (k->rx)
		(void)munmap(k->rx, RX_BYTES); // Ours.
	if (k->fd >= 0)
		(void)close(k->fd); // Nothing to do about a failing close here.
	free(k->tx);
	free(k);
	port->impl = NULL;
}
