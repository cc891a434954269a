// SPDX-License-Identifier: BSD-3-Clause
// Delivers runs of frames to ports. Runs on a worker; reads published tables only.
#include "switch/deliver.h"

#include "packet/flow.h"
#include "packet/offload.h"
#include "switch/board.h"
#include "switch/call.h"
#include "switch/count.h"
#include "switch/lock.h"
#include "switch/tap.h"

#include <errno.h>
#include <sys/eventfd.h>

// One port's share of a delivery: where it goes and what became of it.
struct delivery {
	struct port *to;
	uint32_t accepts; // OFFLOAD_*
	uint32_t frames;
	uint64_t bytes;
	uint32_t drops[DROP_COUNT];
};

void deliver_report_fault(struct worker *worker, struct port *port, uint32_t fault)
{
	uint32_t none = 0;
	if (__atomic_compare_exchange_n(
		    &port->fault, &none, fault, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED
	    ))
		(void)eventfd_write(worker->fault_fd, 1); // Its reader also looks by a timer.
}

// The eventfd is the front end's, which can fill it and make it block again. Where it cannot be raised without a
// write, `calling` lets the watchdog see that and interrupt the write; a port that did so is not called again.
void deliver_call(struct worker *worker, const struct port_queue *queue)
{
	struct port *port = queue->port;

	if (queue->call_fd < 0 || __atomic_load_n(&port->fault, __ATOMIC_RELAXED))
		return;
	if (worker->calls && call_raise(worker->calls, queue->call_fd) == 0)
		return;
	__atomic_store_n(&worker->calling, port, __ATOMIC_RELAXED);
	// A full counter (EAGAIN) already signals all there is to signal.
	if (eventfd_write(queue->call_fd, 1) && errno == EINTR)
		deliver_report_fault(worker, port, PORT_FAULT_CALL);
	__atomic_store_n(&worker->calling, NULL, __ATOMIC_RELAXED);
}

void deliver_show(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->touched_count; i++) {
		struct port_queue *queue = worker->touched[i];
		board_note(&worker->board->destination, queue->port->spec.port);
		lock_take(queue->lock, worker->guarded);
		vring_show(queue->ring);
		lock_give(queue->lock, worker->guarded);
	}
	board_note(&worker->board->destination, 0);
}

void deliver_signal(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->touched_count; i++) {
		struct port_queue *queue = worker->touched[i];
		queue->touched[worker->index] = false;
		if (queue->call_fd < 0)
			continue;
		lock_take(queue->lock, worker->guarded);
		bool call = vring_wants_call_fenced(queue->ring);
		lock_give(queue->lock, worker->guarded);
		if (call)
			deliver_call(worker, queue);
	}
	worker->touched_count = 0;
}

// Showing a queue before the burst's end does no harm, so a list of bounded length will do.
static void touch(struct worker *worker, struct port_queue *queue)
{
	if (queue->touched[worker->index])
		return;
	if (worker->touched_count == WORKER_TOUCHED_MAX) {
		deliver_show(worker);
		vring_fence();
		deliver_signal(worker);
	}
	queue->touched[worker->index] = true;
	worker->touched[worker->touched_count++] = queue;
}

// What became of a frame that the kernel did not take.
static void note_refusal(struct worker *worker, struct delivery *delivery, int error)
{
	struct port *source = worker->source;
	uint64_t *source_drops = source->counters[worker->index].drops;

	switch (error) {
	case -EAGAIN:
	case -ENOBUFS:
	case -ENOMEM:
		delivery->drops[DROP_FULL]++;
		break;
	case -EFAULT: // What would be a SIGBUS here, in a copy of the kernel's.
		count_add(&source_drops[DROP_MEMORY], 1);
		deliver_report_fault(worker, source, PORT_FAULT_MEMORY);
		break;
	case -EBADFD:
		deliver_report_fault(worker, delivery->to, PORT_FAULT_TAP);
		delivery->drops[DROP_DOWN]++;
		break;
	case -EIO:
		delivery->drops[DROP_DOWN]++;
		break;
	default: // The kernel judges what a frame asks for, too.
		count_add(&source_drops[DROP_OFFLOAD], 1);
		break;
	}
}

// The same into a TAP. The kernel keeps writers apart, so there is no lock, which would be held for all that it does with the
// frames.
static void write_frames(
	struct worker *worker,
	struct delivery *delivery,
	const struct port_queue *queue,
	const struct frame *const *frames,
	uint32_t count
)
{
	int results[FRAME_BURST_MAX];

	tap_write(worker, queue, frames, count, results);
	for (uint32_t i = 0; i < count; i++) {
		if (results[i]) {
			note_refusal(worker, delivery, results[i]);
			continue;
		}
		delivery->frames++;
		delivery->bytes += frames[i]->size;
	}
}

// Frames that the destination takes as they are.
static void deliver_frames(
	struct worker *worker,
	struct delivery *delivery,
	struct port_queue *queue,
	const struct frame *const *frames,
	uint32_t count
)
{
	uint32_t done = 0;

	if (!count)
		return;
	if (__builtin_expect(!queue->ring, 0)) {
		write_frames(worker, delivery, queue, frames, count);
		return;
	}
	board_note(&worker->board->destination, delivery->to->spec.port);
	lock_take(queue->lock, worker->guarded);
	while (done < count) {
		enum vring_drop drop;
		uint32_t some = vring_deliver(queue->ring, frames + done, count - done, &drop);
		for (uint32_t i = done; i < done + some; i++)
			delivery->bytes += frames[i]->size;
		delivery->frames += some;
		done += some;
		if (drop == VRING_DROP_FULL)
			break;
		if (drop == VRING_DROP_BUFFER) {
			delivery->drops[DROP_BUFFER]++;
			done++;
		}
	}
	lock_give(queue->lock, worker->guarded);
	board_note(&worker->board->destination, 0);
	delivery->drops[DROP_FULL] += count - done;
}

// A frame whose request its receiver does not take over: done here, as frames that it accepts.
static void deliver_split(
	struct worker *worker,
	struct delivery *delivery,
	struct port_queue *queue,
	const struct frame *frame
)
{
	const struct frame *parts[FRAME_BURST_MAX];
	const struct offload_plan *plan = &worker->plan[frame - worker->burst.frame];
	uint32_t count;

	offload_split_begin(worker->split, frame, plan, delivery->accepts);
	while ((count = offload_split_next(worker->split, parts)))
		deliver_frames(worker, delivery, queue, parts, count);
}

// Frames of which some have requests, in order.
static void deliver_requests(
	struct worker *worker,
	struct delivery *delivery,
	struct port_queue *queue,
	const struct frame *const *frames,
	uint32_t count
)
{
	uint32_t first = 0; // Of those that go as they are.

	for (uint32_t i = 0; i < count; i++) {
		if (!(offload_needs(&frames[i]->offload) & ~delivery->accepts))
			continue;
		deliver_frames(worker, delivery, queue, frames + first, i - first);
		deliver_split(worker, delivery, queue, frames[i]);
		first = i + 1;
	}
	deliver_frames(worker, delivery, queue, frames + first, count - first);
}

// Frames for one queue, in order.
static void deliver_queue(
	struct worker *worker,
	struct delivery *delivery,
	struct port_queue *queue,
	const struct frame *const *frames,
	uint32_t count
)
{
	uint32_t asked = 0;

	for (uint32_t i = 0; i < count; i++)
		asked |= (uint32_t)frames[i]->offload.flags | frames[i]->offload.gso_type;
	if (__builtin_expect(queue->ring != NULL, 1))
		touch(worker, queue);
	if (__builtin_expect(asked == 0, 1))
		deliver_frames(worker, delivery, queue, frames, count);
	else
		deliver_requests(worker, delivery, queue, frames, count);
	if (__builtin_expect(queue->ring && queue->ring->fault != VRING_FAULT_NONE, 0))
		deliver_report_fault(worker, delivery->to, queue->ring->fault);
}

// A flow stays in its queue, and so in order.
static void deliver_spread(
	struct worker *worker,
	struct delivery *delivery,
	struct port_path *path,
	const struct frame *const *run,
	uint32_t count
)
{
	const struct frame *same[FRAME_BURST_MAX];
	uint16_t queue_of[FRAME_BURST_MAX];
	uint32_t left = count;

	for (uint32_t i = 0; i < count; i++)
		queue_of[i] =
			(uint16_t)(flow_hash(run[i]->head, run[i]->head_size) % path->tx_count);
	for (uint16_t queue = 0; left; queue++) {
		uint32_t same_count = 0;
		for (uint32_t i = 0; i < count; i++)
			if (queue_of[i] == queue)
				same[same_count++] = run[i];
		if (same_count)
			deliver_queue(worker, delivery, &path->tx[queue], same, same_count);
		left -= same_count;
	}
}

// Leaves those that the port's limit lets through in ret_run.
static uint32_t apply_limit(
	struct worker *worker,
	struct delivery *delivery,
	const struct frame *const *run,
	uint32_t count,
	const struct frame **ret_run
)
{
	struct limits *limits = &delivery->to->limits;
	uint32_t passed = 0;

	lock_take(&limits->lock, worker->guarded);
	for (uint32_t i = 0; i < count; i++)
		if (limits_tx_pass(limits, worker->now, run[i]->size))
			ret_run[passed++] = run[i];
	lock_give(&limits->lock, worker->guarded);
	delivery->drops[DROP_RATE] += count - passed;
	return passed;
}

static void note_delivery(const struct worker *worker, const struct delivery *delivery)
{
	struct port_counters *counters = &delivery->to->counters[worker->index];

	count_add(&counters->tx_frames, delivery->frames);
	count_add(&counters->tx_bytes, delivery->bytes);
	for (uint32_t i = DROP_DOWN; i < DROP_COUNT; i++)
		if (__builtin_expect(delivery->drops[i] != 0, 0))
			count_add(&counters->drops[i], delivery->drops[i]);
}

void deliver_run(
	struct worker *worker,
	struct port *to,
	const struct frame *const *run,
	uint32_t count
)
{
	struct port_path *path = __atomic_load_n(&to->path, __ATOMIC_ACQUIRE);
	struct delivery delivery = {.to = to};
	const struct frame *passed[FRAME_BURST_MAX];

	if (__builtin_expect(!path || path->tx_count == 0, 0)) {
		count_add(&to->counters[worker->index].drops[DROP_DOWN], count);
		return;
	}
	delivery.accepts = path->accepts;
	if (__builtin_expect(limits_are_on(&to->limits.has_tx), 0)) {
		count = apply_limit(worker, &delivery, run, count, passed);
		run = passed;
	}
	if (path->tx_count == 1)
		deliver_queue(worker, &delivery, &path->tx[0], run, count);
	else
		deliver_spread(worker, &delivery, path, run, count);
	note_delivery(worker, &delivery);
}
