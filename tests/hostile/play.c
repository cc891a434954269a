// SPDX-License-Identifier: BSD-3-Clause
// What the hostile cases share: a start like a good front end's, single descriptors, and judges of what is left of it.
#include "base/fdmsg.h"
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 15000

uint64_t play_count(const struct play *play, uint64_t quick, uint64_t full)
{
	if (play->count)
		return play->count;
	return play->full ? full : quick;
}

int play_connect(struct play *play, const struct front_config *config)
{
	struct front_config own = config ? *config : (struct front_config){0};

	if (!own.features)
		own.features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF |
			VHOST_FEATURE_MQ | VHOST_FEATURE_RING_INDIRECT_DESC |
			VHOST_FEATURE_PROTOCOL_FEATURES;
	if (play->packed)
		own.features |= VHOST_FEATURE_RING_EVENT_IDX | VHOST_FEATURE_RING_PACKED;
	play->front = front_new(&own);
	if (!play->front)
		return -errno;
	return front_connect(play->front, play->path);
}

int play_start(struct play *play, const struct front_config *config)
{
	int r = play_connect(play, config);
	if (!r)
		r = front_start(play->front);
	return r ? r : front_sync(play->front);
}

bool play_is_closed(const struct play *play)
{
	struct pollfd pfd = {.fd = play->front->fd, .events = POLLRDHUP};
	return poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLHUP | POLLRDHUP | POLLERR);
}

int play_await_closed(const struct play *play)
{
	struct pollfd pfd = {.fd = play->front->fd, .events = POLLRDHUP};
	return poll(&pfd, 1, PATIENCE_MS) > 0 ? 0 : -ETIMEDOUT;
}

int play_bytes(struct play *play, const void *data, size_t size)
{
	ssize_t sent = fdmsg_send(play->front->fd, data, size, NULL, 0, MSG_DONTWAIT);
	return sent < 0 ? (int)sent : 0;
}

static void make_frame(const struct play *play, uint8_t *frame, uint32_t size)
{
	memset(frame, 0, size);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, play->mac, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5; // IEEE 802: for local experiments.
}

int play_send_frame(struct play *play, uint32_t size)
{
	uint8_t frame[1518];

	make_frame(play, frame, size);
	return front_send(play->front, 0, frame, size);
}

int play_kick(struct play *play, uint32_t ring)
{
	uint64_t one = 1;
	bool done = write(play->front->queue[ring].kick_fd, &one, sizeof(one)) > 0;
	return done || errno == EAGAIN ? 0 : -errno; // A full counter is a kick as well.
}

// Looks again and again. 0, -EPIPE when the back end has closed the connection meanwhile, or -ETIMEDOUT.
static int await(struct play *play, bool (*is_done)(struct play *play))
{
	for (int i = 0; i < 10 * PATIENCE_MS; i++) {
		if (is_done(play))
			return 0;
		if (play_is_closed(play))
			return -EPIPE;
		(void)usleep(100); // An early end only shortens one of many waits.
	}
	return -ETIMEDOUT;
}

static bool is_sent(struct play *play)
{
	return front_in_flight(play->front, 0) == 0;
}

// Entries that a case writes over a good frame which was not taken yet would not be what the case is about.
int play_await_sent(struct play *play)
{
	return await(play, is_sent);
}

static struct front_queue *tx_queue(struct play *play)
{
	return &play->front->queue[TX];
}

int play_start_ring(struct play *play)
{
	struct front_config config = {.layout = FRONT_APART};
	int r = play_start(play, &config);
	if (!r)
		r = play_send_frame(play, 60);
	if (r)
		return r;
	front_kick(play->front, TX);
	return play_await_sent(play);
}

void play_publish(struct play *play, uint16_t head, uint16_t count)
{
	struct front_queue *queue = tx_queue(play);

	for (uint16_t i = 0; i < count; i++)
		queue->avail->ring[(uint16_t)(queue->avail_idx + i) & (queue->size - 1)] = head;
	queue->avail_idx = (uint16_t)(queue->avail_idx + count);
	queue->fresh += count;
	__atomic_store_n(&queue->avail->idx, queue->avail_idx, __ATOMIC_RELEASE);
	front_kick(play->front, TX);
}

// A split chain begins with descriptor 0; a packed one where the ring stands, with flags that make all but its first
// available.
void play_put(struct play *play, uint16_t index, const struct front_desc *desc)
{
	struct front_queue *queue = tx_queue(play);

	if (!queue->packed) {
		queue->desc[index] = *desc;
		return;
	}
	uint32_t at = (queue->avail_idx + index) % queue->size;
	bool wrap = queue->avail_idx + index < queue->size ? queue->avail_wrap : !queue->avail_wrap;
	uint16_t bits = wrap ? FRONT_DESC_AVAIL : FRONT_DESC_USED;
	if (index == 0)
		bits ^= FRONT_DESC_AVAIL;
	queue->ring[at] = (struct front_packed_desc
	){.addr = desc->addr, .size = desc->size, .flags = desc->flags | bits};
}

void play_fill(struct play *play, uint16_t index, uint32_t size, uint16_t flags)
{
	const struct front_queue *queue = tx_queue(play);
	const struct front_desc desc = {
		.addr = queue->buffer[0].gpa,
		.size = size,
		.flags = flags,
		.next = (uint16_t)((index + 1) % queue->size),
	};
	play_put(play, index, &desc);
}

int play_spring(struct play *play, uint16_t count)
{
	struct front_queue *queue = tx_queue(play);

	if (!queue->packed) {
		play_publish(play, 0, 1);
		return 0;
	}
	uint16_t *flags = &queue->ring[queue->avail_idx].flags;
	uint16_t bits = queue->avail_wrap ? FRONT_DESC_AVAIL : FRONT_DESC_USED;
	uint16_t rest = *flags & (uint16_t) ~(FRONT_DESC_AVAIL | FRONT_DESC_USED);
	__atomic_store_n(flags, rest | bits, __ATOMIC_RELEASE);
	for (uint16_t i = 0; i < count; i++) {
		if (++queue->avail_idx < queue->size)
			continue;
		queue->avail_idx = 0;
		queue->avail_wrap = !queue->avail_wrap;
	}
	queue->fresh += count;
	front_kick(play->front, TX);
	return 0;
}

void play_write_frame(struct play *play)
{
	uint8_t *to = tx_queue(play)->buffer[0].addr;

	memset(to, 0, HEADER_SIZE);
	make_frame(play, to + HEADER_SIZE, 60);
}

// Of a split ring all that was published; of a packed one the one descriptor before the place to write next.
static bool is_used(struct play *play)
{
	const struct front_queue *queue = tx_queue(play);

	if (!queue->packed)
		return __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) == queue->avail_idx;
	uint32_t at = queue->avail_idx ? queue->avail_idx - 1u : queue->size - 1;
	bool wrap = queue->avail_idx ? queue->avail_wrap : !queue->avail_wrap;
	uint16_t flags = __atomic_load_n(&queue->ring[at].flags, __ATOMIC_ACQUIRE);
	return !!(flags & FRONT_DESC_AVAIL) == wrap && !!(flags & FRONT_DESC_USED) == wrap;
}

int play_await_used(struct play *play)
{
	return await(play, is_used);
}

static size_t regions_size(const struct front *front)
{
	size_t size = 0;

	for (uint32_t i = 0; i < front->config.regions; i++)
		size += front->region[i].size;
	return size;
}

int play_keep_canary(struct play *play)
{
	const struct front *front = play->front;
	size_t done = 0;

	play->canary = malloc(regions_size(front));
	if (!play->canary)
		return -ENOMEM;
	for (uint32_t i = 0; i < front->config.regions; i++) {
		memcpy(play->canary + done, front->region[i].addr, front->region[i].size);
		done += front->region[i].size;
	}
	return 0;
}

int play_check_canary(const struct play *play, const void *skip, size_t skip_size)
{
	const struct front *front = play->front;
	size_t done = 0;

	for (uint32_t i = 0; i < front->config.regions; i++) {
		const struct front_region *region = &front->region[i];
		for (size_t at = 0; at < region->size; at++) {
			if ((uintptr_t)(region->addr + at) - (uintptr_t)skip < skip_size)
				continue;
			if (region->addr[at] != play->canary[done + at])
				return -EBADMSG;
		}
		done += region->size;
	}
	return 0;
}

int judge_nothing(struct play *play)
{
	return 0;
}

int judge_sync(struct play *play)
{
	return front_sync(play->front);
}

int judge_alive(struct play *play)
{
	int r = front_sync(play->front);
	if (r)
		return r;
	play_write_frame(play);
	play_fill(play, 0, HEADER_SIZE + 60, 0);
	r = play_spring(play, 1);
	return r ? r : play_await_used(play);
}
