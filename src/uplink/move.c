// SPDX-License-Identifier: BSD-3-Clause
// Frames from the device to their VLAN's port, the tag taken off, and back, the tag put on. Buffers are not copied: a
// frame's mbuf goes on as it is. The worker's thread.
#include "uplink/move.h"

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <string.h>

// What says whose the memory is; all other flags of an mbuf are about the frame.
#define FLAGS_KEPT (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)
#define TCP_SUM_OFFSET 16 // RFC 9293 3.1.
#define UDP_SUM_OFFSET 6  // RFC 768.
#define TRIES_MIN 50	  // With a pause between them where there is nothing else to do.

// Where what was sent is counted.
struct sent {
	uint64_t *frames, *bytes;
};

// NOLINTNEXTLINE(readability-non-const-parameter): it is written.
static void count(uint64_t *counter, uint64_t more)
{
	__atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED); // One writer.
}

static void drop(struct rte_mbuf *m, uint64_t *drops, enum uplink_drop_reason reason)
{
	rte_pktmbuf_free(m);
	count(&drops[reason], 1);
}

// Takes the outermost tag off: the addresses move towards what follows it.
static void pop_tag(struct rte_mbuf *m)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	memmove(frame + FRAME_TAG_SIZE, frame, (size_t)2 * RTE_ETHER_ADDR_LEN);
	(void)rte_pktmbuf_adj(m, FRAME_TAG_SIZE); // The tag was there.
}

// Whose the frame is; the tag is off then. UPLINK_PORTS_MAX: nobody's.
static uint32_t find_port(
	const struct view *view,
	struct rte_mbuf *m,
	enum uplink_drop_reason *ret_reason
)
{
	uint16_t tci = m->vlan_tci;
	enum frame_tag tag = FRAME_TAGGED;
	bool in_frame = !(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
	*ret_reason = UPLINK_DROP_MALFORMED;
	if (rte_pktmbuf_data_len(m) < FRAME_ETH_SIZE)
		return UPLINK_PORTS_MAX;
	if (in_frame)
		tag = frame_read_tag(rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_data_len(m), &tci);
	uint32_t slot = vlans_find(&view->vlans, tag, tci, ret_reason);
	if (slot < UPLINK_PORTS_MAX && in_frame && tag == FRAME_TAGGED)
		pop_tag(m);
	return slot;
}

// Completes a checksum whose field has the sum of the pseudo header (RFC 1071). False: the frame is in pieces.
static bool complete_sum(struct rte_mbuf *m, const struct frame_layers *layers)
{
	uint32_t at = (uint32_t)layers->l2 + layers->l3;
	uint16_t *field = rte_pktmbuf_mtod_offset(
		m, uint16_t *, at + (layers->tcp ? TCP_SUM_OFFSET : UDP_SUM_OFFSET)
	);
	uint16_t sum;
	if (rte_raw_cksum_mbuf(m, at, layers->payload, &sum))
		return false;
	sum = (uint16_t)~sum;
	*field = !sum && !layers->tcp ? UINT16_MAX : sum; // RFC 768: 0 says that there is none.
	return true;
}

// What a kernel's interface without hardware leaves to the receiver: frames whose checksum is to be completed. The switch
// is told, or it is done here where the port has no offloads.
static bool settle_sum(struct rte_mbuf *m, const struct frame_layers *layers, bool told)
{
	uint32_t end = (uint32_t)layers->l2 + layers->l3 + layers->payload;
	// The virtio header knows no end of what is summed: that is the frame's.
	if (!told || end != rte_pktmbuf_pkt_len(m))
		return complete_sum(m, layers);
	m->l2_len = layers->l2;
	m->l3_len = layers->l3;
	m->l4_len = layers->l4;
	m->ol_flags |= layers->tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	m->ol_flags |= layers->ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	return true;
}

// Makes a frame from the device what the switch expects. The reason why it cannot, or UPLINK_DROP_COUNT.
static enum uplink_drop_reason ready_for_port(
	const struct device *device,
	const struct view_port *to,
	struct rte_mbuf *m
)
{
	struct frame_layers layers;
	m->ol_flags &= FLAGS_KEPT;
	if (rte_pktmbuf_pkt_len(m) > to->size_max)
		return UPLINK_DROP_TOO_LONG;
	if (!device->iface.name[0])
		return UPLINK_DROP_COUNT;
	enum frame_finding finding = frame_inspect(
		rte_pktmbuf_mtod(m, uint8_t *),
		rte_pktmbuf_data_len(m),
		rte_pktmbuf_pkt_len(m),
		&layers
	);
	if (finding == FRAME_CUT)
		return UPLINK_DROP_TRUNCATED;
	if (finding == FRAME_SUM_PARTIAL && device->iface.is_virtual &&
	    !settle_sum(m, &layers, to->checksums))
		return UPLINK_DROP_MALFORMED;
	return UPLINK_DROP_COUNT;
}

// Sends what waits, by `id`'s queue 0, and adds up what was sent. What the ring does not take is kept for a while, for whoever
// empties it may be kept from its CPU for longer than the ring lasts; after that it is dropped, and so is all that comes
// until the ring takes some again: others must not wait for it twice.
static uint32_t send_waiting(
	const struct worker *w,
	uint16_t id,
	struct waiting *waiting,
	struct sent *sent,
	uint64_t *full_drops
)
{
	uint16_t total = waiting->count;
	uint16_t taken = 0;
	uint32_t sizes[DEVICE_BURST];
	for (uint16_t i = 0; i < total; i++) // What is sent is not ours to read any more.
		sizes[i] = rte_pktmbuf_pkt_len(waiting->frames[i]);
	if (id != PORT_NO_ETHDEV)
		taken = rte_eth_tx_burst(id, 0, waiting->frames, total);
	for (uint16_t i = 0; i < taken; i++)
		count(sent->bytes, sizes[i]);
	count(sent->frames, taken);
	waiting->count = total - taken;
	if (!waiting->count) {
		waiting->full_at = 0;
		return taken;
	}
	uint64_t now = rte_rdtsc();
	if (taken || !waiting->full_at) {
		waiting->full_at = now;
		waiting->tries = 0;
	}
	// Time alone says nothing when all of us were kept from our CPUs.
	bool over = ++waiting->tries > TRIES_MIN && now - waiting->full_at > w->patience;
	if (id != PORT_NO_ETHDEV && !over) {
		memmove(waiting->frames,
			waiting->frames + taken,
			waiting->count * sizeof(waiting->frames[0]));
		return taken;
	}
	rte_pktmbuf_free_bulk(waiting->frames + taken, waiting->count);
	count(full_drops, waiting->count);
	waiting->count = 0;
	return taken;
}

static uint32_t flush(struct worker *w, const struct view_port *to, uint32_t slot)
{
	struct waiting *waiting = &w->to_port[slot];
	struct port_counters *counters = &to->port->counters;
	struct sent sent = {&counters->rx_frames, &counters->rx_bytes};
	uint32_t taken =
		send_waiting(w, to->id, waiting, &sent, &counters->drops[UPLINK_DROP_RING_FULL]);
	w->ports_full &= ~(1U << slot);
	w->ports_full |= (waiting->count ? 1U : 0U) << slot;
	return taken;
}

static uint32_t flush_all(struct worker *w, const struct view *view, uint32_t slots)
{
	uint32_t taken = 0;
	for (; slots; slots &= slots - 1) {
		uint32_t slot = (uint32_t)__builtin_ctz(slots);
		taken += flush(w, &view->ports[slot], slot);
	}
	return taken;
}

uint32_t move_from_device(struct worker *worker, const struct view *view, uint16_t queue)
{
	struct rte_mbuf *frames[DEVICE_BURST];
	uint32_t touched = 0; // A bit a slot.
	uint32_t moved = flush_all(worker, view, worker->ports_full);
	if (worker->ports_full) // The device keeps what comes meanwhile, as far as it has room.
		return moved;
	uint16_t total = rte_eth_rx_burst(worker->device->id, queue, frames, DEVICE_BURST);
	for (uint16_t i = 0; i < total; i++) {
		enum uplink_drop_reason reason;
		uint32_t slot = find_port(view, frames[i], &reason);
		if (slot == UPLINK_PORTS_MAX) {
			drop(frames[i], worker->drops, reason);
			continue;
		}
		const struct view_port *to = &view->ports[slot];
		reason = ready_for_port(worker->device, to, frames[i]);
		if (reason != UPLINK_DROP_COUNT) {
			drop(frames[i], to->port->counters.drops, reason);
			continue;
		}
		struct waiting *waiting = &worker->to_port[slot];
		waiting->frames[waiting->count++] = frames[i];
		touched |= 1U << slot;
	}
	(void)flush_all(worker, view, touched); // What was read counts.
	return moved + total;
}

// Passes a request of the switch on to the device, which does both kinds: only then were they negotiated.
static bool pass_offloads(struct rte_mbuf *m, uint64_t received)
{
	struct frame_layers layers;
	bool tso = received & RTE_MBUF_F_RX_LRO;
	if (!tso && (received & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_NONE)
		return true;
	if (!frame_read_layers(rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_data_len(m), &layers) ||
	    (tso && !layers.tcp))
		return false;
	m->l2_len = layers.l2;
	m->l3_len = layers.l3;
	m->l4_len = layers.l4;
	m->ol_flags |= layers.tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	m->ol_flags |= layers.ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	if (tso)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (layers.ipv6 ? 0 : RTE_MBUF_F_TX_IP_CKSUM);
	return true;
}

static bool push_tag(const struct device *device, struct rte_mbuf **m, uint16_t vlan)
{
	(*m)->vlan_tci = vlan;
	if (!(device->tx_offloads & RTE_ETH_TX_OFFLOAD_VLAN_INSERT))
		return rte_vlan_insert(m) == 0; // Also moves l2_len.
	(*m)->ol_flags |= RTE_MBUF_F_TX_VLAN;
	return true;
}

// The reason why a frame from the network cannot go out, or UPLINK_DROP_COUNT.
static enum uplink_drop_reason ready_for_device(
	const struct device *device,
	const struct view_port *from,
	struct rte_mbuf **frame
)
{
	struct rte_mbuf *m = *frame;
	uint64_t received = m->ol_flags;
	m->ol_flags &= FLAGS_KEPT;
	if (rte_pktmbuf_data_len(m) < FRAME_ETH_SIZE || !pass_offloads(m, received))
		return UPLINK_DROP_MALFORMED;
	uint16_t tci;
	bool tagged =
		frame_read_tag(rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_data_len(m), &tci) !=
		FRAME_UNTAGGED;
	uint32_t most = device->mtu + FRAME_ETH_SIZE + (tagged ? FRAME_TAG_SIZE : 0);
	if (!(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) && rte_pktmbuf_pkt_len(m) > most)
		return UPLINK_DROP_TOO_LONG;
	if (m->nb_segs > 1 && !(device->tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) &&
	    rte_pktmbuf_linearize(m))
		return UPLINK_DROP_TOO_LONG;
	if (from->vlan && !push_tag(device, frame, from->vlan))
		return UPLINK_DROP_MALFORMED;
	return UPLINK_DROP_COUNT;
}

// Leaves in `frames` what the device may get, and says how many that is.
static uint16_t ready_all(
	const struct device *device,
	const struct view_port *from,
	struct rte_mbuf **frames,
	uint16_t total
)
{
	uint16_t ready = 0;
	for (uint16_t i = 0; i < total; i++) {
		struct rte_mbuf *m = frames[i];
		enum uplink_drop_reason reason = ready_for_device(device, from, &m);
		// Requests are checked by the driver, which may also have to write into the headers.
		if (reason == UPLINK_DROP_COUNT && device->tx_checksum &&
		    rte_eth_tx_prepare(device->id, 0, &m, 1) != 1)
			reason = UPLINK_DROP_MALFORMED;
		if (reason == UPLINK_DROP_COUNT)
			frames[ready++] = m;
		else
			drop(m, from->port->counters.drops, reason);
	}
	return ready;
}

uint32_t move_to_device(struct worker *worker, const struct view *view, uint32_t slot)
{
	const struct view_port *from = &view->ports[slot];
	struct waiting *waiting = &worker->to_device[slot];
	struct port_counters *counters = &from->port->counters;
	struct sent sent = {&counters->tx_frames, &counters->tx_bytes};
	uint64_t *full_drops = &counters->drops[UPLINK_DROP_DEVICE_FULL];
	uint16_t id = worker->device->id;
	uint32_t moved = 0;
	if (waiting->count) {
		moved = send_waiting(worker, id, waiting, &sent, full_drops);
		if (waiting->count)
			return moved;
	}
	uint16_t total = rte_eth_rx_burst(from->id, 0, waiting->frames, DEVICE_BURST);
	if (!total)
		return moved;
	waiting->count = ready_all(worker->device, from, waiting->frames, total);
	(void)send_waiting(worker, id, waiting, &sent, full_drops); // What was read counts.
	return moved + total;
}

void move_forget(struct worker *worker, uint32_t slot, struct port *port)
{
	struct waiting *to_port = &worker->to_port[slot];
	struct waiting *to_device = &worker->to_device[slot];
	rte_pktmbuf_free_bulk(to_port->frames, to_port->count);
	rte_pktmbuf_free_bulk(to_device->frames, to_device->count);
	count(&port->counters.drops[UPLINK_DROP_RING_FULL], to_port->count);
	count(&port->counters.drops[UPLINK_DROP_DEVICE_FULL], to_device->count);
	worker->ports_full &= ~(1U << slot);
	to_port->count = to_device->count = 0;
	to_port->full_at = to_device->full_at = 0;
}

bool move_is_waiting(const struct worker *worker)
{
	bool waiting = worker->ports_full != 0;
	for (uint32_t slot = 0; slot < UPLINK_PORTS_MAX && !waiting; slot++)
		waiting = worker->to_device[slot].count != 0;
	return waiting;
}
