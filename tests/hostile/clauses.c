// SPDX-License-Identifier: BSD-3-Clause
// What the virtio specification says a device must and must not do, seen from the front end: a clause a case, each named by
// its number in version 1.1. These front ends break no rule, so all of them are harmless.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct front_queue *tx_queue(struct play *play)
{
	return &play->front->queue[TX];
}

// 2.6.5.2, 2.7.5: a readable buffer is not written to; 2.6.6, 2.7.13: nor is a descriptor, or what lies around it.
static int play_readable(struct play *play)
{
	struct front_config config = {.layout = FRONT_CHAIN};
	int r = play_start(play, &config);

	for (int i = 0; i < 32 && !r; i++)
		r = play_send_frame(play, 600);
	if (!r)
		r = play_keep_canary(play);
	if (!r)
		front_kick(play->front, TX);
	return r ? r : play_await_sent(play);
}

static int judge_readable(struct play *play)
{
	const struct front_queue *queue = tx_queue(play);

	if (queue->packed) { // 2.7.8: used descriptors take the place of those that were available.
		const uint8_t *end = (const uint8_t *)(queue->device + 1);
		size_t size = (size_t)(end - (const uint8_t *)queue->ring);
		return play_check_canary(play, queue->ring, size);
	}
	return play_check_canary(play, queue->used, 6 + 8ul * queue->size);
}

// 2.6.5.3.2, 2.7.7: WRITE in a descriptor that refers to a table is ignored.
static int play_indirect_write(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	struct front_queue *queue = tx_queue(play);
	const struct front_desc inner = {.addr = queue->buffer[0].gpa, .size = HEADER_SIZE + 60};
	play_write_frame(play);
	memcpy(queue->buffer[1].addr, &inner, sizeof(inner));
	play_put(
		play,
		0,
		&(struct front_desc){
			.addr = queue->buffer[1].gpa,
			.size = 16,
			.flags = FRONT_DESC_INDIRECT | FRONT_DESC_WRITE,
		}
	);
	return play_spring(play, 1);
}

// 2.9, 2.7.22 and 4.1.4.4: notifications that mean nothing are harmless, before a ring runs as well.
static int play_spurious(struct play *play)
{
	int r = play_connect(play, NULL);

	for (uint32_t i = 0; i < 2 && !r; i++)
		r = play_kick(play, i);
	if (!r)
		r = front_start(play->front);
	for (uint32_t i = 0; i < 2 && !r; i++)
		r = play_kick(play, i);
	return r;
}

// 2.6.8.2, 2.7.5: the used length is what was written, and nothing behind it was. 2.6.4: whatever the layout.
static int play_lengths(struct play *play)
{
	struct front_config config = {.rx_buffer_size = 256};
	int r = play_start(play, &config);

	for (uint32_t i = 0; !r && i < play->front->queue[RX].slots; i++)
		memset(play->front->queue[RX].buffer[i].addr + 64, 0xa5, 256);
	return r;
}

// Frames of 1000 bytes come in 4 buffers of 256, in the order in which those were given (5.1.6.4.1: num_buffers says so, and
// they come together). The last one has 12 bytes left.
static int judge_lengths(struct play *play)
{
	const struct front_buffer *buffer = play->front->queue[RX].buffer;
	uint8_t untouched[12];
	uint8_t frame[2048];
	int frames = 0;

	memset(untouched, 0xa5, sizeof(untouched));
	for (int i = 0; i < 8; i++)
		if (memcmp(buffer[4 * i + 3].addr + 64 + 244, untouched, 12) != 0)
			return -EBADMSG;
	for (int i = 0; i < 64; i++) {
		int r = front_receive(play->front, 0, frame, sizeof(frame));
		if (r < 0)
			return r;
		frames += r == 1000;
	}
	return frames >= 8 ? 0 : -ENOMSG;
}

// vhost-user, "Ring states": a stopped ring is not touched. Frames for it come all the same.
static int play_stopped(struct play *play)
{
	int r = play_start(play, NULL);
	if (!r)
		r = front_stop(play->front);
	return r ? r : play_keep_canary(play);
}

static int judge_untouched(struct play *play)
{
	return play_check_canary(play, NULL, 0);
}

// 2.1.2: nor is anything after a reset.
static int play_reset(struct play *play)
{
	struct front_config config = {
		.protocol_features = PROTOCOL_REPLY_ACK | PROTOCOL_RESET_DEVICE};
	int r = play_start(play, &config);

	for (int i = 0; i < 64 && !r; i++)
		r = play_send_frame(play, 60);
	if (!r)
		r = front_request(play->front, MESSAGE_RESET_DEVICE, NULL, 0);
	if (!r)
		r = front_sync(play->front);
	return r ? r : play_keep_canary(play);
}

// 3.1.1: nor before all is set up. Kicked, enabled, but without a place.
static int play_unplaced(struct play *play)
{
	int r = play_connect(play, NULL);

	if (!r)
		r = front_negotiate(play->front);
	if (!r)
		r = front_share_memory(play->front);
	for (uint32_t i = 0; i < 2 && !r; i++) {
		uint64_t ring = i;
		int fd = play->front->queue[i].kick_fd;
		r = front_request_fd(play->front, MESSAGE_SET_VRING_KICK, &ring, 8, fd);
	}
	for (uint32_t i = 0; i < 2 && !r; i++)
		r = front_enable_queue(play->front, i, true);
	if (!r)
		r = front_sync(play->front);
	return r ? r : play_keep_canary(play);
}

// 2.6.7.2, 2.7.10: a front end that wants no calls gets none.
static int play_no_calls(struct play *play)
{
	struct front_config config = {.with_calls = true};
	int r = play_start(play, &config);
	if (r)
		return r;
	eventfd_t calls;
	for (uint32_t i = 0; i < 2; i++) {
		front_disarm(play->front, i);
		(void)eventfd_read(play->front->queue[i].call_fd, &calls); // Those of the start.
	}
	for (int i = 0; i < 64 && !r; i++)
		r = play_send_frame(play, 60);
	front_kick(play->front, TX);
	return r ? r : play_await_sent(play);
}

static int judge_no_calls(struct play *play)
{
	eventfd_t calls;

	for (uint32_t i = 0; i < 2; i++)
		if (eventfd_read(play->front->queue[i].call_fd, &calls) == 0)
			return -EBADMSG;
	return 0;
}

// A case a row.
// clang-format off
const struct hostile_case clause_cases[] = {
	{47, "clause-readable", "2.6.5.2, 2.7.5: a readable buffer or a descriptor is written to", play_readable,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_readable},
	{48, "clause-indirect-write", "2.6.5.3.2, 2.7.7: WRITE on an indirect descriptor", play_indirect_write,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{49, "clause-spurious-kicks", "2.9: kicks before and without work", play_spurious,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{50, "clause-lengths", "2.6.8.2, 5.1.6.4.1: used lengths and merged buffers", play_lengths,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_lengths, .flags = CASE_SPRAY},
	{51, "clause-stopped", "\"Ring states\": frames for a stopped ring", play_stopped,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_untouched, .flags = CASE_SPRAY},
	{52, "clause-reset", "2.1.2: frames after a reset", play_reset,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_untouched, .flags = CASE_SPRAY},
	{53, "clause-unplaced", "3.1.1: frames before all is set up", play_unplaced,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_untouched, .flags = CASE_SPRAY},
	{54, "clause-no-calls", "2.6.7.2, 2.7.10: calls that nobody wants", play_no_calls,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_no_calls},
	{0},
};
// clang-format on
