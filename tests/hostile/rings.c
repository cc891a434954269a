// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of the rings. All rings are set up well first; then one thing is wrong.
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TX 1
#define PATIENCE_MS 10000

static struct front_queue *tx_queue(struct play *play)
{
	return &play->front->queue[TX];
}

// Makes `count` heads available at once, whatever they are.
static void publish(struct front_queue *queue, uint16_t head, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		queue->avail->ring[(uint16_t)(queue->avail_idx + i) & (queue->size - 1)] = head;
	queue->avail_idx = (uint16_t)(queue->avail_idx + count);
	__atomic_store_n(&queue->avail->idx, queue->avail_idx, __ATOMIC_RELEASE);
}

// Entries that a case writes over a good frame which was not taken yet would not be what the case is about.
static int await_sent(struct play *play)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (front_in_flight(play->front, 0) == 0)
			return 0;
		(void)usleep(1000); // An early end only shortens one of many waits.
	}
	return -ETIMEDOUT;
}

// One good frame first, so that the ring is known to run.
int play_start_ring(struct play *play)
{
	struct front_config config = {.layout = FRONT_APART};
	int r = play_start(play, &config);
	if (!r)
		r = play_send_frame(play, 60);
	if (r)
		return r;
	front_kick(play->front, TX);
	return await_sent(play);
}

static int publish_head(struct play *play, uint16_t head)
{
	publish(tx_queue(play), head, 1);
	front_kick(play->front, TX);
	return 0;
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

int play_spring(struct play *play, uint16_t count)
{
	struct front_queue *queue = tx_queue(play);

	if (!queue->packed)
		return publish_head(play, 0);
	uint16_t *flags = &queue->ring[queue->avail_idx].flags;
	__atomic_store_n(flags, *flags ^ FRONT_DESC_AVAIL, __ATOMIC_RELEASE);
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

static int play_index_jump(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	publish(tx_queue(play), 0, (uint16_t)(tx_queue(play)->size + 1));
	front_kick(play->front, TX);
	return 0;
}

static int play_head_range(struct play *play)
{
	int r = play_start_ring(play);
	return r ? r : publish_head(play, (uint16_t)tx_queue(play)->size);
}

static int play_next_range(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	tx_queue(play)->desc[0].flags = FRONT_DESC_NEXT;
	tx_queue(play)->desc[0].next = 65535;
	return publish_head(play, 0);
}

static void fill_desc(struct play *play, uint16_t index, uint32_t size, uint16_t flags)
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

// Every descriptor leads to the next, the last to the first; sizes as given.
static int play_loop_of(struct play *play, uint32_t size)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	for (uint32_t i = 0; i < tx_queue(play)->size; i++)
		fill_desc(play, (uint16_t)i, size, FRONT_DESC_NEXT);
	return play_spring(play, (uint16_t)tx_queue(play)->size);
}

static int play_chain_loop(struct play *play)
{
	return play_loop_of(play, 16);
}

static int play_empty_loop(struct play *play)
{
	return play_loop_of(play, 0);
}

static int play_huge_chain(struct play *play)
{
	return play_loop_of(play, UINT32_MAX);
}

static int play_one_desc(struct play *play, uint64_t addr, uint32_t size, uint16_t flags)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	const struct front_desc desc = {.addr = addr, .size = size, .flags = flags};
	play_put(play, 0, &desc);
	return play_spring(play, 1);
}

static int play_buffer_outside(struct play *play)
{
	return play_one_desc(play, 1ull << 60, 100, 0);
}

static int play_buffer_wraps(struct play *play)
{
	return play_one_desc(play, UINT64_MAX - 50, 100, 0);
}

static int play_direction(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	fill_desc(play, 0, 100, FRONT_DESC_WRITE);
	return play_spring(play, 1);
}

// A table of one entry in the first buffer.
static int play_indirect(struct play *play, uint32_t size, uint16_t flags, uint16_t inner_flags)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	struct front_queue *queue = tx_queue(play);
	struct front_desc inner = {.addr = queue->buffer[1].gpa, .size = 100, .flags = inner_flags};
	if (queue->packed) { // The flags stand where a split one has its next.
		inner.next = inner_flags;
		inner.flags = 0;
	}
	memcpy(queue->buffer[0].addr, &inner, sizeof(inner));
	fill_desc(play, 0, size, (uint16_t)(FRONT_DESC_INDIRECT | flags));
	return play_spring(play, 1);
}

static int play_indirect_nested(struct play *play)
{
	return play_indirect(play, 16, 0, FRONT_DESC_INDIRECT);
}

static int play_indirect_next(struct play *play)
{
	return play_indirect(play, 16, FRONT_DESC_NEXT, 0);
}

static int play_indirect_size(struct play *play)
{
	return play_indirect(play, 17, 0, 0);
}

static int play_indirect_huge(struct play *play)
{
	return play_indirect(play, 0xfffffff0, 0, 0);
}

static int play_short_chain(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	fill_desc(play, 0, 5, 0);
	return play_spring(play, 1);
}

static int play_same_head(struct play *play)
{
	int r = play_start_ring(play);
	if (r)
		return r;
	for (uint32_t i = 0; i < tx_queue(play)->size / 2 && !r; i++) {
		fill_desc(play, 0, 100, 0);
		r = play_spring(play, 1);
	}
	return r;
}

// Addresses and sizes that change while they are read.
static int play_flipping(struct play *play)
{
	uint64_t count = play->count ? play->count : 200000;
	int r = play_start_ring(play);

	if (r)
		return r;
	struct front_queue *queue = tx_queue(play);
	for (uint64_t i = 0; i < count && !play_is_closed(play); i++) {
		struct front_packed_desc *packed = &queue->ring[queue->avail_idx % queue->size];
		volatile uint64_t *addr = queue->packed ? &packed->addr : &queue->desc[0].addr;
		volatile uint32_t *size = queue->packed ? &packed->size : &queue->desc[0].size;
		fill_desc(play, 0, 100, i % 5 ? 0 : FRONT_DESC_NEXT | FRONT_DESC_INDIRECT);
		r = play_spring(play, 1);
		*size = i % 2 ? 100 : UINT32_MAX;
		*addr = i % 3 ? queue->buffer[0].gpa : UINT64_MAX;
	}
	return r;
}

static int storm(struct play *play)
{
	uint64_t count = play->count ? play->count : 1000000;
	uint64_t one = 1;

	while (count--)
		if (write(tx_queue(play)->kick_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
			return -errno;
	return 0;
}

static int play_kick_storm(struct play *play)
{
	int r = play_start_ring(play);
	return r ? r : storm(play);
}

// Nothing ever comes: the queue would sleep, and each kick wakes it for nothing.
static int play_kick_storm_idle(struct play *play)
{
	int r = play_start(play, NULL);
	return r ? r : storm(play);
}

// What both sides want to hear of, at random, over each other's words (virtio 1.1, 2.6.7, 2.6.10, 2.7.14).
static int play_events_scribbled(struct play *play)
{
	struct front_config config = {.layout = FRONT_APART, .with_calls = true};
	uint64_t count = play->count ? play->count : 100000;
	unsigned int seed = 1;

	config.features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_RING_EVENT_IDX |
		VHOST_FEATURE_MRG_RXBUF | VHOST_FEATURE_PROTOCOL_FEATURES;
	int r = play_start(play, &config);
	while (!r && count-- && !play_is_closed(play)) {
		struct front_queue *queue = tx_queue(play);
		uint32_t words[2] = {(uint32_t)rand_r(&seed), (uint32_t)rand_r(&seed)};
		void *own = queue->packed ? (void *)queue->driver
					  : (void *)&queue->avail->ring[queue->size];
		void *theirs = queue->packed ? (void *)queue->device
					     : (void *)&queue->used->ring[queue->size];
		memcpy(own, &words[0], queue->packed ? 4 : 2);
		memcpy(theirs, &words[1], queue->packed ? 4 : 2);
		r = play_send_frame(play, 60);
		if (r == -EAGAIN || r == -EPROTO)
			r = 0;
		if (count % 16 == 0)
			front_kick(play->front, TX);
	}
	return r;
}

static int play_used_scribbled(struct play *play)
{
	uint64_t count = play->count ? play->count : 100000;
	int r = play_start_ring(play);

	while (!r && count--) {
		struct front_queue *queue = tx_queue(play);
		memset(queue->used, (int)count, 4 + 8ul * queue->size);
		publish(queue, 0, 1);
		front_kick(play->front, TX);
		if (count % 1000 == 0 && play_is_closed(play))
			return 0;
	}
	return r;
}

// What receive buffers look like to the back end that has a frame for us: others have to send one.
static int change_rx(struct play *play, const struct front_desc *desc)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	struct front_queue *queue = &play->front->queue[0];
	for (uint32_t i = 0; i < queue->size; i++) {
		// Address and size lie alike in both forms.
		if (desc->addr)
			queue->desc[i].addr = desc->addr;
		queue->desc[i].size = desc->size;
		if (queue->packed)
			queue->ring[i].flags = desc->flags | FRONT_DESC_AVAIL;
		else
			queue->desc[i].flags = desc->flags;
	}
	return 0;
}

static int play_rx_tiny(struct play *play)
{
	return change_rx(play, &(struct front_desc){.size = 1, .flags = FRONT_DESC_WRITE});
}

static int play_rx_outside(struct play *play)
{
	struct front_desc desc = {.addr = 1ull << 60, .size = 2048, .flags = FRONT_DESC_WRITE};
	return change_rx(play, &desc);
}

static int play_rx_readable(struct play *play)
{
	return change_rx(play, &(struct front_desc){.size = 2048});
}

// Buffers over its own rings.
static int play_rx_over_rings(struct play *play)
{
	struct front_desc desc = {.addr = 0x100000, .size = 2048, .flags = FRONT_DESC_WRITE};
	return change_rx(play, &desc);
}

// Takes what fits and never gives a buffer back.
static int play_rx_full(struct play *play)
{
	return play_start(play, NULL);
}

const struct hostile_case ring_cases[] = {
	{"index-jump", "the available index jumps by more than the size", play_index_jump},
	{"head-range", "a head outside of the table", play_head_range},
	{"next-range", "a next index outside of the table", play_next_range},
	{"used-scribbled", "writes over the used ring", play_used_scribbled},
	{0},
};

const struct hostile_case form_cases[] = {
	{"chain-loop", "a chain that leads into itself", play_chain_loop},
	{"empty-loop", "the same with descriptors of no bytes", play_empty_loop},
	{"huge-chain", "a chain of more than 2^32 bytes", play_huge_chain},
	{"buffer-outside", "a buffer outside of memory", play_buffer_outside},
	{"buffer-wraps", "a buffer whose address wraps", play_buffer_wraps},
	{"direction", "a writable buffer on the transmit ring", play_direction},
	{"indirect-nested", "an indirect table in an indirect table", play_indirect_nested},
	{"indirect-next", "an indirect descriptor with a next one", play_indirect_next},
	{"indirect-size", "an indirect table of 17 bytes", play_indirect_size},
	{"indirect-huge", "an indirect table of 4 GiB", play_indirect_huge},
	{"short-chain", "a chain shorter than the header", play_short_chain},
	{"same-head", "the same head many times", play_same_head},
	{"flipping", "descriptors that change while they are read", play_flipping},
	{"kick-storm", "1,000,000 kicks", play_kick_storm},
	{"kick-storm-idle", "1,000,000 kicks for nothing", play_kick_storm_idle},
	{"events-scribbled", "random words over both event areas", play_events_scribbled},
	{"rx-tiny", "receive buffers of 1 byte", play_rx_tiny},
	{"rx-outside", "receive buffers outside of memory", play_rx_outside},
	{"rx-readable", "receive buffers that may only be read", play_rx_readable},
	{"rx-over-rings", "receive buffers over its own rings", play_rx_over_rings},
	{"rx-full", "receive buffers that are never given back", play_rx_full},
	{0},
};
