// SPDX-License-Identifier: BSD-3-Clause
// Take a burst from a queue, judge each frame by its private head, deliver runs of frames with one
// destination, then give both rings back: destinations are shown before the source completes, so that a
// crash between the two repeats frames and never loses one. Runs on a worker; reads published
// tables only; a fault of a ring is left in its port for the control thread.
#include "switch/forward.h"

#include "switch/count.h"

#include <rte_ring_elem.h>

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#define ETHER_HEADER 14
#define ETHER_TYPE_VLAN 0x8100
#define ETHER_TYPE_QINQ 0x88a8

// Where a frame goes.
enum verdict {
	VERDICT_DROP,
	VERDICT_PORT,
	VERDICT_FLOOD
};

struct judged {
	enum verdict verdict;
	enum drop_reason reason; // For VERDICT_DROP.
	struct port *port;	 // For VERDICT_PORT.
};

// A port breaks once; the control thread finds it by its flag and quarantines it.
static void report_fault(struct worker *worker, struct port *port, uint32_t fault)
{
	if (__atomic_exchange_n(&port->fault, fault, __ATOMIC_RELEASE) == 0)
		(void)eventfd_write(worker->fault_fd, 1); // Its reader also looks by a timer.
}

// The eventfd is the front end's, which can fill it and make it block again: `calling` lets the
// watchdog see that and interrupt the write. A port that did so is not called again.
static void call_front_end(struct worker *worker, const struct port_queue *queue)
{
	struct port *port = queue->port;

	if (queue->call_fd < 0 || __atomic_load_n(&port->fault, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&worker->calling, port, __ATOMIC_RELAXED);
	// A full counter (EAGAIN) already signals all there is to signal.
	if (eventfd_write(queue->call_fd, 1) && errno == EINTR)
		report_fault(worker, port, PORT_FAULT_CALL);
	__atomic_store_n(&worker->calling, NULL, __ATOMIC_RELAXED);
}

static void post_learned(struct worker *worker, const struct port *port, uint64_t key)
{
	struct learn_post post = {.key = key, .port = port->spec.port};
	// A full ring drops the news; the next frame from there brings it again.
	(void)rte_ring_sp_enqueue_elem(worker->learn_ring, &post, sizeof(post));
}

// Whether the port may send from this address; notes it where the port learns.
static bool source_allowed(struct worker *worker, struct port *port, const uint8_t *source)
{
	uint64_t key = fdb_key(port->network->slot, source);

	if (__builtin_expect(key == port->mac_key, 1))
		return true;
	if (!port->spec.learning || mac_is_multicast(source) || mac_is_zero(source))
		return false;
	struct fdb_entry *entry = fdb_lookup(worker->fdb, &worker->cache, key);
	if (entry && entry->pinned)
		return false; // Another port's own address.
	if (entry && __atomic_load_n(&entry->port, __ATOMIC_ACQUIRE) == port) {
		if (__atomic_load_n(&entry->seen_s, __ATOMIC_RELAXED) != worker->now_s)
			__atomic_store_n(&entry->seen_s, worker->now_s, __ATOMIC_RELAXED);
		return true;
	}
	post_learned(worker, port, key);
	return true;
}

static uint32_t size_allowed(const struct port *port, const uint8_t *head)
{
	uint32_t type = (uint32_t)head[12] << 8 | head[13];
	uint32_t tags = type == ETHER_TYPE_VLAN || type == ETHER_TYPE_QINQ ? 4 : 0;
	return port->network->spec.mtu + ETHER_HEADER + tags;
}

static struct judged judge(struct worker *worker, struct port *port, const struct frame *frame)
{
	const uint8_t *destination = frame->head;

	if (__builtin_expect(!source_allowed(worker, port, frame->head + MAC_SIZE), 0))
		return (struct judged){.verdict = VERDICT_DROP, .reason = DROP_SOURCE};
	if (__builtin_expect(frame->size > size_allowed(port, frame->head), 0))
		return (struct judged){.verdict = VERDICT_DROP, .reason = DROP_MTU};
	if (mac_is_multicast(destination))
		return (struct judged){.verdict = VERDICT_FLOOD};
	uint64_t key = fdb_key(port->network->slot, destination);
	struct fdb_entry *entry = fdb_lookup(worker->fdb, &worker->cache, key);
	if (!entry)
		return (struct judged){.verdict = VERDICT_FLOOD};
	struct port *to = __atomic_load_n(&entry->port, __ATOMIC_ACQUIRE);
	if (to == port)
		return (struct judged){.verdict = VERDICT_DROP, .reason = DROP_LOCAL};
	return (struct judged){.verdict = VERDICT_PORT, .port = to};
}

static void touch(struct worker *worker, struct port_queue *queue)
{
	if (queue->touched[worker->index])
		return;
	queue->touched[worker->index] = true;
	worker->touched[worker->touched_count++] = queue;
}

// Delivers a run of frames to one port. A flow stays in order: all of a source queue's frames go to one
// queue of the destination.
static void deliver_run(
	struct worker *worker,
	struct port *to,
	const struct frame *const *run,
	uint32_t count,
	uint16_t pair
)
{
	struct port_path *path = __atomic_load_n(&to->path, __ATOMIC_ACQUIRE);
	uint64_t bytes = 0;
	uint32_t done = 0;
	uint32_t skipped = 0;

	if (__builtin_expect(!path || path->tx_count == 0, 0)) {
		count_add(&to->counters.drops[DROP_DOWN], count);
		return;
	}
	struct port_queue *queue = &path->tx[pair % path->tx_count];
	while (done < count) {
		enum vring_drop drop;
		uint32_t some = vring_deliver(queue->ring, run + done, count - done, &drop);
		for (uint32_t i = 0; i < some; i++)
			bytes += run[done + i]->size;
		done += some;
		if (drop == VRING_DROP_FULL)
			break;
		if (drop == VRING_DROP_BUFFER) {
			skipped++;
			done++;
		}
	}
	if (done > skipped)
		touch(worker, queue);
	count_add(&to->counters.tx_frames, done - skipped);
	count_add(&to->counters.tx_bytes, bytes);
	if (__builtin_expect(skipped, 0))
		count_add(&to->counters.drops[DROP_BUFFER], skipped);
	if (__builtin_expect(done < count, 0))
		count_add(&to->counters.drops[DROP_FULL], count - done);
	if (__builtin_expect(queue->ring->fault != VRING_FAULT_NONE, 0))
		report_fault(worker, to, queue->ring->fault);
}

static void flood(
	struct worker *worker,
	struct port *from,
	const struct frame *frame,
	uint16_t pair
)
{
	const struct port_list *list = __atomic_load_n(&from->network->flood, __ATOMIC_ACQUIRE);
	uint32_t copies = 0;

	for (uint32_t i = 0; list && i < list->count; i++) {
		if (list->port[i] == from)
			continue;
		deliver_run(worker, list->port[i], &frame, 1, pair);
		copies++;
	}
	if (!copies)
		count_add(&from->counters.drops[DROP_NO_PORT], 1);
}

// Judges the burst and delivers it, runs of one destination together.
static void deliver_burst(struct worker *worker, struct port_queue *from)
{
	const struct frame *run[FRAME_BURST_MAX];
	struct frame_burst *burst = &worker->burst;
	struct port *to = NULL;
	uint32_t run_count = 0;

	for (uint32_t i = 0; i < burst->count; i++) {
		const struct frame *frame = &burst->frame[i];
		struct judged judged = judge(worker, from->port, frame);
		if (run_count && (judged.verdict != VERDICT_PORT || judged.port != to)) {
			deliver_run(worker, to, run, run_count, from->pair);
			run_count = 0;
		}
		if (judged.verdict == VERDICT_PORT) {
			to = judged.port;
			run[run_count++] = frame;
		} else if (judged.verdict == VERDICT_FLOOD) {
			flood(worker, from->port, frame, from->pair);
		} else {
			count_add(&from->port->counters.drops[judged.reason], 1);
		}
	}
	if (run_count)
		deliver_run(worker, to, run, run_count, from->pair);
}

static void show_touched(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->touched_count; i++) {
		struct port_queue *queue = worker->touched[i];
		queue->touched[worker->index] = false;
		vring_show(queue->ring);
		if (vring_wants_call(queue->ring))
			call_front_end(worker, queue);
	}
	worker->touched_count = 0;
}

static void count_received(
	struct port *port,
	const struct frame_burst *burst,
	const uint64_t *drops
)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < burst->count; i++)
		bytes += burst->frame[i].size;
	count_add(&port->counters.rx_frames, burst->count);
	count_add(&port->counters.rx_bytes, bytes);
	if (__builtin_expect(drops[VRING_DROP_SHORT] != 0, 0))
		count_add(&port->counters.drops[DROP_SHORT], drops[VRING_DROP_SHORT]);
	if (__builtin_expect(drops[VRING_DROP_LONG] != 0, 0))
		count_add(&port->counters.drops[DROP_LONG], drops[VRING_DROP_LONG]);
}

uint32_t forward_queue(struct worker *worker, struct port_queue *queue, uint32_t max)
{
	struct vring *ring = queue->ring;
	uint64_t drops[VRING_DROP_COUNT] = {0};

	(void)vring_take(ring, &worker->burst, max, drops); // The count is in the burst.
	if (__builtin_expect(ring->fault != VRING_FAULT_NONE, 0))
		report_fault(worker, queue->port, ring->fault);
	uint32_t taken = ring->taken_count;
	if (taken == 0)
		return 0;
	count_received(queue->port, &worker->burst, drops);
	deliver_burst(worker, queue);
	show_touched(worker);
	vring_complete(ring);
	if (vring_wants_call(ring))
		call_front_end(worker, queue);
	return taken;
}
