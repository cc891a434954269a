// SPDX-License-Identifier: BSD-3-Clause
// What must become of every frame of a flow: which buffers it takes, its header, its bytes. Runs on the test's
// only thread.
#include "tests/lib/unit.h"
#include "tests/unit/vring/flow.h"

#include <string.h>

// Frames are cut from the pool at one of so many offsets; a prime, so that neighbours are far apart.
#define OFFSETS 65521

void flow_fifo_put(struct flow_fifo *fifo, struct flow_item item)
{
	assert_true(fifo->head - fifo->tail < FLOW_FIFO_SIZE);
	fifo->item[fifo->head++ % FLOW_FIFO_SIZE] = item;
}

uint32_t flow_fifo_count(const struct flow_fifo *fifo)
{
	return fifo->head - fifo->tail;
}

struct flow_item *flow_fifo_at(struct flow_fifo *fifo, uint32_t i)
{
	assert_true(i < flow_fifo_count(fifo));
	return &fifo->item[(fifo->tail + i) % FLOW_FIFO_SIZE];
}

struct flow_item flow_fifo_get(struct flow_fifo *fifo)
{
	struct flow_item item = *flow_fifo_at(fifo, 0);
	fifo->tail++;
	return item;
}

const uint8_t *flow_bytes(const struct flow *flow, uint64_t number)
{
	return flow->pool + number * 4099 % OFFSETS;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

// virtio 1.1, 5.1.6.2: a request that fits the frame; which, follows from the number.
static void make_request(const struct flow_item *item, uint8_t ret_header[10])
{
	static const uint8_t gso[] = {
		FRAME_GSO_TCPV4,
		FRAME_GSO_TCPV6,
		FRAME_GSO_UDP,
		FRAME_GSO_TCPV4 | FRAME_GSO_ECN,
		FRAME_GSO_TCPV6 | FRAME_GSO_ECN,
	};
	uint32_t kind = item->number % 4;

	memset(ret_header, 0, 10);
	if (kind == 0 || item->size < 64)
		return;
	ret_header[0] = FRAME_F_NEEDS_CSUM;
	put16(ret_header + 6, 14 + (uint32_t)(item->number % 21));
	put16(ret_header + 8, kind == 1 ? 6 : 16);
	if (kind == 1)
		return;
	ret_header[1] = gso[item->number / 4 % sizeof(gso)];
	put16(ret_header + 2, 54);
	put16(ret_header + 4, 1 + (uint32_t)(item->number % 1460));
}

void flow_sent_header(struct flow *flow, const struct flow_item *item, uint8_t ret_header[12])
{
	// Where no request was negotiated none is heard, and num_buffers means nothing here.
	for (uint32_t i = 0; i < 12; i++)
		ret_header[i] = (uint8_t)drv_random_next(&flow->random);
	if (flow->a.config.offloads)
		make_request(item, ret_header);
}

// virtio 1.1, 5.1.6.4: num_buffers is 1 where nothing is merged; the legacy header has none.
void flow_due_header(const struct flow *flow, const struct flow_item *item, uint8_t ret_header[12])
{
	memset(ret_header, 0, 12);
	if (flow->a.config.offloads)
		make_request(item, ret_header);
	put16(ret_header + 10, item->buffers);
}

static enum vring_drop room_for(struct flow *flow, uint32_t size, uint32_t *ret_buffers)
{
	const struct vring_config *config = &flow->b.config;
	uint32_t need = size + config->header_size;
	uint32_t available = flow_fifo_count(&flow->offered);
	uint32_t buffers = 0;
	uint64_t room = 0;

	if (available == 0)
		return VRING_DROP_FULL;
	if (!config->mergeable && flow_fifo_at(&flow->offered, 0)->size < need)
		return VRING_DROP_BUFFER;
	while (room < need && buffers < available)
		room += flow_fifo_at(&flow->offered, buffers++)->size;
	if (room < need)
		return VRING_DROP_FULL;
	*ret_buffers = buffers;
	return VRING_DROP_NONE;
}

void flow_model_deliver(struct flow *flow, struct flow_item *frame, enum vring_drop found)
{
	uint32_t buffers = 0;
	enum vring_drop want = room_for(flow, frame->size, &buffers);

	if (want != found)
		fail_msg(
			"frame %lu of %u bytes: drop %d, not %d",
			(unsigned long)frame->number,
			frame->size,
			found,
			want
		);
	flow->model_drops[want]++;
	if (want != VRING_DROP_NONE)
		return;
	flow->offered.tail += buffers;
	frame->buffers = buffers;
	flow_fifo_put(&flow->expected, *frame);
}
