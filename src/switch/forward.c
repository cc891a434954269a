// SPDX-License-Identifier: BSD-3-Clause
// Take a burst from a queue, judge each frame by its private head, deliver runs of frames with one
// destination, then give both rings back: destinations are shown before the source completes, so that a
// crash between the two repeats frames and never loses one. Runs on a worker; reads published
// tables only; a fault of a ring is left in its port for the control thread.
#include "switch/forward.h"

#include "packet/offload.h"
#include "switch/board.h"
#include "switch/count.h"
#include "switch/deliver.h"
#include "switch/lock.h"
#include "switch/neighbors.h"
#include "switch/source.h"
#include "switch/spoof.h"

#include <rte_ring_elem.h>

#define ETHER_HEADER 14
#define ETHER_TYPE_OFFSET 12
#define ETHER_TAG 4
#define ETHER_TYPE_VLAN 0x8100
#define ETHER_TYPE_QINQ 0x88a8

// Where a frame goes.
enum verdict {
	VERDICT_DROP,
	VERDICT_PORT,
	VERDICT_FLOOD,
	VERDICT_ANSWER // The answer is in worker->answer.
};

struct judged {
	enum verdict verdict;
	enum drop_reason reason; // For VERDICT_DROP.
	struct port *port;	 // For VERDICT_PORT.
};

static void post_learned(struct worker *worker, const struct port *port, uint64_t key)
{
	struct learn_post post = {.key = key, .port = port->spec.port};
	// A full ring drops the news; the next frame from there brings it again.
	(void)rte_ring_sp_enqueue_elem(worker->learn_ring, &post, sizeof(post));
}

// Whether the port may send from this address: its own, a station behind it, or any that is no other port's, where the port
// may spoof, or learns; then it is noted.
static bool source_allowed(struct worker *worker, struct port *port, const uint8_t *source)
{
	uint64_t key = fdb_key(port->network->slot, source);

	if (__builtin_expect(key == port->mac_key, 1))
		return true;
	bool has_stations = port->spec.kind == WIRE_PORT_TAP;
	bool allow_spoof = __atomic_load_n(&port->spec.allow_spoof, __ATOMIC_RELAXED);
	if (!port->spec.learning && !allow_spoof && !has_stations)
		return false;
	struct fdb_entry *entry = fdb_lookup(worker->fdb, &worker->cache, key);
	if (entry && entry->pinned)
		return entry->port == port; // Pinned entries do not change.
	if (mac_is_multicast(source) || mac_is_zero(source))
		return false;
	if (!port->spec.learning)
		return allow_spoof;
	if (entry && __atomic_load_n(&entry->port, __ATOMIC_ACQUIRE) == port) {
		if (__atomic_load_n(&entry->seen_s, __ATOMIC_RELAXED) != worker->now_s)
			__atomic_store_n(&entry->seen_s, worker->now_s, __ATOMIC_RELAXED);
		return true;
	}
	post_learned(worker, port, key);
	return true;
}

static bool is_tag(const uint8_t *type)
{
	uint32_t value = (uint32_t)type[0] << 8 | type[1];
	return value == ETHER_TYPE_VLAN || value == ETHER_TYPE_QINQ;
}

// The MTU counts what lies behind the Ethernet header and up to two tags (IEEE 802.1Q, 802.1ad).
static uint32_t size_allowed(const struct port *port, const struct frame *frame)
{
	uint32_t tags = 0;

	if (is_tag(frame->head + ETHER_TYPE_OFFSET)) {
		tags = ETHER_TAG;
		if (frame->head_size >= ETHER_HEADER + ETHER_TAG &&
		    is_tag(frame->head + ETHER_TYPE_OFFSET + ETHER_TAG))
			tags += ETHER_TAG;
	}
	return port->network->spec.mtu + ETHER_HEADER + tags;
}

static struct judged drop(enum drop_reason reason)
{
	return (struct judged){.verdict = VERDICT_DROP, .reason = reason};
}

// As it is in memory.
static uint16_t type_of(const struct frame *frame)
{
	uint16_t type;

	__builtin_memcpy(&type, frame->head + ETHER_TYPE_OFFSET, sizeof(type));
	return type;
}

// Whether the frame has a request; then it was judged, and its plan is in worker->plan.
static bool has_request(const struct frame *frame)
{
	return frame->offload.flags | frame->offload.gso_type;
}

// The frame's request is sound, and what it makes on the wire is not too large.
static enum drop_reason judge_request(
	struct worker *worker,
	const struct port *port,
	struct frame *frame
)
{
	struct offload_plan *plan = &worker->plan[frame - worker->burst.frame];
	const struct port_path *path = __atomic_load_n(&port->path, __ATOMIC_ACQUIRE);

	if (!path || offload_judge(frame, path->asks, plan))
		return DROP_OFFLOAD;
	// virtio 1.1, 5.1.6.2.2: hdr_len is a hint that must not be relied on, so nobody else is told it; nor flags that
	// mean nothing from a driver.
	frame->offload = plan->offload;
	return plan->wire_size > size_allowed(port, frame) ? DROP_MTU : DROP_COUNT;
}

// A frame for everybody, as far as the port may send such.
static struct judged judge_flood(struct worker *worker, struct port *port)
{
	struct limits *limits = &port->limits;

	if (__builtin_expect(limits_are_on(&limits->has_flood), 0)) {
		lock_take(&limits->lock, worker->guarded);
		bool passes = limits_flood_pass(limits, worker->now);
		lock_give(&limits->lock, worker->guarded);
		if (!passes)
			return drop(DROP_FLOOD);
	}
	return (struct judged){.verdict = VERDICT_FLOOD};
}

// What the switch answers itself disturbs nobody, so it does not count as a flood.
static struct judged judge_multicast(
	struct worker *worker,
	struct port *port,
	const struct frame *frame
)
{
	if (__builtin_expect(port->network->spec.proxy_neighbors, 0) &&
	    neighbors_find(worker, port, frame))
		return (struct judged){.verdict = VERDICT_ANSWER};
	return judge_flood(worker, port);
}

static struct judged judge(struct worker *worker, struct port *port, struct frame *frame)
{
	const uint8_t *destination = frame->head;

	if (__builtin_expect(!source_allowed(worker, port, frame->head + MAC_SIZE), 0))
		return drop(DROP_SOURCE);
	if (__builtin_expect(spoof_is_due(&port->check, type_of(frame)), 0)) {
		enum drop_reason reason = spoof_judge(worker, port, frame);
		if (reason != DROP_COUNT)
			return drop(reason);
	}
	if (__builtin_expect(has_request(frame), 0)) {
		enum drop_reason reason = judge_request(worker, port, frame);
		if (reason != DROP_COUNT)
			return drop(reason);
	} else {
		if (__builtin_expect(frame->size > size_allowed(port, frame), 0))
			return drop(DROP_MTU);
		// Without a request the rest of the header means nothing, and nothing of it travels on.
		frame->offload = (struct frame_offload){0};
	}
	if (mac_is_multicast(destination))
		return judge_multicast(worker, port, frame);
	uint64_t key = fdb_key(port->network->slot, destination);
	struct fdb_entry *entry = fdb_lookup(worker->fdb, &worker->cache, key);
	if (!entry)
		return judge_flood(worker, port);
	struct port *to = __atomic_load_n(&entry->port, __ATOMIC_ACQUIRE);
	if (to == port)
		return drop(DROP_LOCAL);
	return (struct judged){.verdict = VERDICT_PORT, .port = to};
}

static void flood(struct worker *worker, struct port *from, const struct frame *frame)
{
	const struct port_list *list = __atomic_load_n(&from->network->flood, __ATOMIC_ACQUIRE);
	uint32_t copies = 0;

	for (uint32_t i = 0; list && i < list->count; i++) {
		if (list->port[i] == from)
			continue;
		deliver_run(worker, list->port[i], &frame, 1);
		copies++;
	}
	if (!copies)
		count_add(&from->counters[worker->index].drops[DROP_NO_PORT], 1);
}

// Frames in a row that go the same way. What the last one was judged by is kept, since the next is mostly like it.
struct run {
	uint64_t first, last; // Of its Ethernet headers: bytes 0 to 7, and 6 to 13.
	uint32_t size_max;    // Of the source port, read once.
	uint32_t count;
	struct port *to;
	const struct frame *frame[FRAME_BURST_MAX];
};

static uint64_t word_at(const uint8_t *at)
{
	uint64_t word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
}

// Whether a frame is judged as the run was: from the same address, to the same destination, of the same type, without a
// request, and no larger than is always allowed.
static bool is_like_run(const struct run *run, const struct frame *frame)
{
	return word_at(frame->head) == run->first && word_at(frame->head + MAC_SIZE) == run->last &&
		!has_request(frame) && frame->size <= run->size_max;
}

// Like nothing: bytes 6 and 7 of a frame are the same in both words.
static void forget_header(struct run *run)
{
	run->first = 0;
	run->last = UINT64_MAX;
}

// The frames that follow one which passed pass too, unless each is judged by more than its Ethernet header.
static void note_header(struct run *run, const struct port *port, const struct frame *frame)
{
	if (spoof_is_due(&port->check, type_of(frame)))
		return;
	run->first = word_at(frame->head);
	run->last = word_at(frame->head + MAC_SIZE);
}

static void finish_run(struct worker *worker, struct run *run)
{
	if (run->count)
		deliver_run(worker, run->to, run->frame, run->count);
	run->count = 0;
}

// A frame that is not like the run before it: ends that, and may begin another.
static void judge_apart(
	struct worker *worker,
	struct port *port,
	struct run *run,
	struct frame *frame
)
{
	struct judged judged = judge(worker, port, frame);

	if (judged.verdict != VERDICT_PORT || judged.port != run->to)
		finish_run(worker, run);
	forget_header(run);
	if (judged.verdict == VERDICT_PORT) {
		run->to = judged.port;
		note_header(run, port, frame);
		run->frame[run->count++] = frame;
	} else if (judged.verdict == VERDICT_FLOOD) {
		flood(worker, port, frame);
	} else if (judged.verdict == VERDICT_ANSWER) {
		neighbors_deliver(worker, port);
	} else {
		count_add(&port->counters[worker->index].drops[judged.reason], 1);
	}
}

// Judges the burst and delivers it, runs of one destination together.
static void deliver_burst(struct worker *worker, struct port *port)
{
	struct frame_burst *burst = &worker->burst;
	struct run run;

	// All but the frames: clearing those would cost more than judging one.
	run.size_max = port->network->spec.mtu + ETHER_HEADER;
	run.to = NULL;
	run.count = 0;
	forget_header(&run);
	for (uint32_t i = 0; i < burst->count; i++) {
		struct frame *frame = &burst->frame[i];
		if (__builtin_expect(!is_like_run(&run, frame), 0)) {
			judge_apart(worker, port, &run, frame);
			continue;
		}
		frame->offload = (struct frame_offload){0}; // As judge() does.
		run.frame[run.count++] = frame;
	}
	finish_run(worker, &run);
}

static void count_received(
	struct worker *worker,
	struct port *port,
	const uint64_t *drops,
	uint32_t taken
)
{
	const struct frame_burst *burst = &worker->burst;
	struct port_counters *counters = &port->counters[worker->index];

	count_add(&counters->rx_frames, burst->count);
	count_add(&counters->rx_bytes, burst->bytes);
	if (__builtin_expect(taken != burst->count, 0)) {
		count_add(&counters->drops[DROP_SHORT], drops[VRING_DROP_SHORT]);
		count_add(&counters->drops[DROP_LONG], drops[VRING_DROP_LONG]);
	}
	if (__builtin_expect(limits_are_on(&port->limits.has_rx), 0)) {
		lock_take(&port->limits.lock, worker->guarded);
		limits_rx_taken(&port->limits, taken, burst->bytes);
		lock_give(&port->limits.lock, worker->guarded);
	}
}

static uint32_t apply_limit(struct worker *worker, struct limits *limits, uint32_t max)
{
	lock_take(&limits->lock, worker->guarded);
	uint32_t allowed = limits_rx_allowance(limits, worker->now, max);
	lock_give(&limits->lock, worker->guarded);
	return allowed;
}

uint32_t forward_queue(struct worker *worker, struct port_queue *queue, uint32_t max)
{
	uint64_t drops[VRING_DROP_COUNT] = {0};

	if (__builtin_expect(limits_are_on(&queue->port->limits.has_rx), 0))
		max = apply_limit(worker, &queue->port->limits, max);
	if (max == 0)
		return 0;
	board_note(&worker->board->source, queue->port->spec.port);
	uint32_t taken = source_take(worker, queue, max, drops);
	if (taken == 0)
		return 0;
	worker->source = queue->port;
	count_received(worker, queue->port, drops, taken);
	deliver_burst(worker, queue->port);
	deliver_show(worker);
	source_complete(queue);
	// One fence for all rings of the burst: it waits until every store above is seen by all.
	vring_fence();
	deliver_signal(worker);
	source_signal(worker, queue);
	return taken;
}
