// SPDX-License-Identifier: BSD-3-Clause
// The oracle of split frames. See oracle.h.
#include "tests/unit/packet/oracle.h"

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

// Lengths, and the IPv4 header's own checksum.
static void check_ip(const struct made *made, const uint8_t *flat, uint32_t size)
{
	const uint8_t *ip = flat + made->l3;

	assert_memory_equal(flat, made->data, made->l3);
	if (made->recipe.version == 6) {
		assert_int_equal(get16(ip + 4), size - made->l3 - 40);
		return;
	}
	assert_int_equal(get16(ip + 2), size - made->l3);
	assert_int_equal(maker_sum(0, ip, 20 + made->recipe.ip_option_words * 4), 0xffff);
}

// The IP header and what follows it up to `end`, apart from the fields that may differ.
static void check_ip_same(const struct made *made, const uint8_t *flat, uint32_t end)
{
	const uint8_t *was = made->data + made->l3;
	const uint8_t *is = flat + made->l3;
	uint32_t from = made->recipe.version == 6 ? 6 : 12;

	if (made->recipe.version == 6) {
		assert_memory_equal(is, was, 4);
	} else {
		assert_memory_equal(is, was, 2);
		assert_memory_equal(is + 8, was + 8, 2);
	}
	assert_memory_equal(is + from, was + from, end - made->l3 - from);
}

static void check_checksum(struct oracle *o, const struct frame *frame, uint8_t *flat)
{
	uint8_t *l4 = flat + o->made->l4;
	uint32_t size = frame->size - o->made->l4;
	uint32_t field = o->made->recipe.udp ? 6 : 16;

	if (o->accepted & OFFLOAD_CSUM) {
		assert_int_equal(frame->offload.flags, FRAME_F_NEEDS_CSUM);
		assert_int_equal(frame->offload.csum_start, o->made->l4);
		assert_int_equal(frame->offload.csum_offset, field);
		// As the receiver does it.
		uint16_t sum = (uint16_t)~maker_sum(0, l4, size);
		l4[field] = (uint8_t)(sum >> 8);
		l4[field + 1] = (uint8_t)sum;
	} else {
		assert_int_equal(offload_needs(&frame->offload), 0);
		assert_int_equal(frame->offload.flags, 0);
	}
	assert_int_equal(maker_pseudo_sum(o->made, l4, size), 0xffff);
	if (o->made->recipe.udp && !(o->accepted & OFFLOAD_CSUM))
		assert_int_not_equal(get16(l4 + field), 0);
}

static void check_tcp(const struct oracle *o, const uint8_t *tcp, bool is_last)
{
	const struct made *made = o->made;
	const uint8_t *was = made->data + made->l4;
	uint8_t flags = made->recipe.tcp_flags;

	if (o->frames)
		flags &= 0x7f;
	if (!is_last)
		flags &= 0xf6;
	assert_int_equal(tcp[13], flags);
	assert_int_equal(get32(tcp + 4), made->recipe.sequence + o->payload);
	assert_memory_equal(tcp, was, 4);
	assert_memory_equal(tcp + 8, was + 8, 5);
	assert_memory_equal(tcp + 14, was + 14, 2);
	assert_memory_equal(tcp + 18, was + 18, made->headers - made->l4 - 18);
}

// A TCP segment of a large one, or a UDP datagram of a large one.
static void check_segment(struct oracle *o, const struct frame *frame, uint8_t *flat)
{
	const struct made *made = o->made;
	uint32_t payload = frame->size - made->headers;
	uint32_t total = made->size - made->headers;
	uint32_t mss = made->recipe.gso_size;

	assert_int_equal(payload, total - o->payload < mss ? total - o->payload : mss);
	assert_int_equal(frame->offload.gso_type, 0);
	check_ip(made, flat, frame->size);
	check_ip_same(made, flat, made->l4);
	if (made->recipe.version == 4) {
		assert_int_equal(
			get16(flat + made->l3 + 4), (made->recipe.ip_id + o->frames) & 0xffff
		);
		assert_memory_equal(flat + made->l3 + 6, made->data + made->l3 + 6, 2);
	}
	if (made->recipe.udp) {
		assert_memory_equal(flat + made->l4, made->data + made->l4, 4);
		assert_int_equal(get16(flat + made->l4 + 4), 8 + payload);
	} else {
		check_tcp(o, flat + made->l4, o->payload + payload == total);
	}
	check_checksum(o, frame, flat);
	assert_memory_equal(flat + made->headers, made->data + made->headers + o->payload, payload);
	o->payload += payload;
	o->is_done = o->payload == total;
}

static void check_options_of_later(const struct made *made, const uint8_t *flat)
{
	const uint8_t *options = flat + made->l3 + 20;
	static const uint8_t copied[4] = {0x82, 4, 0xaa, 0xbb};

	if (made->recipe.ip_option_words)
		assert_memory_equal(options, copied, 4);
	if (made->recipe.ip_option_words > 3) // The other one has seven bytes, all NOP by now.
		for (uint32_t i = 4; i < 12; i++)
			assert_int_equal(options[i], 1);
}

// Returns the offset of a fragment's data.
static uint32_t check_fragment_header(struct oracle *o, const uint8_t *flat, bool *ret_more)
{
	const struct made *made = o->made;
	uint32_t from;
	uint32_t id;

	if (made->recipe.version == 4) {
		const uint8_t *ip = flat + made->l3;
		*ret_more = ip[6] & 0x20;
		from = (get16(ip + 6) & 0x1fff) * 8;
		assert_int_equal(ip[6] & 0xc0, 0);
		id = get16(ip + 4);
		assert_true(id && (!made->recipe.ip_id || id == made->recipe.ip_id));
		if (from)
			check_options_of_later(made, flat);
		else
			assert_memory_equal(
				ip + 12, made->data + made->l3 + 12, made->l4 - made->l3 - 12
			);
	} else {
		const uint8_t *header = flat + made->fragment_at;
		*ret_more = header[3] & 1;
		from = get16(header + 2) & ~7u;
		assert_int_equal(header[1], 0);
		assert_int_equal(header[3] & 6, 0);
		id = get32(header + 4);
	}
	if (!o->frames)
		o->id = id;
	assert_int_equal(id, o->id);
	assert_int_equal(from, o->payload);
	return from;
}

// The chain of next headers is the old one with the fragment header before the part that is cut.
static void check_chain(const struct made *made, const uint8_t *flat)
{
	uint8_t *expected = malloc(made->fragment_at);
	uint32_t named_at = made->l3 + 6;

	assert_non_null(expected);
	memcpy(expected, made->data, made->fragment_at);
	for (uint32_t at = made->l3 + 40; at < made->fragment_at; at += (expected[at + 1] + 1u) * 8)
		named_at = at;
	assert_int_equal(flat[made->fragment_at], expected[named_at]);
	expected[named_at] = 44;
	memcpy(expected + made->l3 + 4, flat + made->l3 + 4, 2);
	assert_memory_equal(flat, expected, made->fragment_at);
	free(expected);
}

static void check_fragment(struct oracle *o, const struct frame *frame, uint8_t *flat)
{
	const struct made *made = o->made;
	uint32_t data_at = made->fragment_at + (made->recipe.version == 6 ? 8 : 0);
	uint32_t size = frame->size - data_at;
	bool more;

	assert_int_equal(frame->offload.flags | frame->offload.gso_type, 0);
	check_ip(made, flat, frame->size);
	uint32_t from = check_fragment_header(o, flat, &more);
	if (made->recipe.version == 6)
		check_chain(made, flat);
	assert_true(size <= made->recipe.gso_size);
	assert_true(!more || size % 8 == 0);
	assert_true(from || size >= made->headers - made->fragment_at);
	assert_non_null(o->datagram);
	memcpy(o->datagram + from, flat + data_at, size);
	o->payload += size;
	o->is_done = !more;
}

// The datagram as its receiver has it.
static void check_datagram(const struct oracle *o)
{
	const struct made *made = o->made;
	uint32_t l4 = made->l4 - made->fragment_at;
	uint8_t *udp = o->datagram + l4;
	const uint8_t *was = made->data + made->l4;

	assert_int_equal(o->payload, made->size - made->fragment_at);
	assert_memory_equal(o->datagram, made->data + made->fragment_at, l4 + 6);
	assert_memory_equal(udp + 8, was + 8, made->recipe.payload);
	if (made->recipe.no_checksum_request)
		assert_memory_equal(udp + 6, was + 6, 2);
	else
		assert_int_equal(maker_pseudo_sum(made, udp, made->size - made->l4), 0xffff);
}

void oracle_check_frame(struct oracle *o, const struct frame *frame)
{
	uint8_t *flat = maker_flatten(frame);

	assert_false(o->is_done);
	assert_true(
		frame->head_size >= (frame->size < FRAME_HEAD_SIZE ? frame->size : FRAME_HEAD_SIZE)
	);
	assert_true(frame->size <= o->plan->wire_size);
	o->largest = frame->size > o->largest ? frame->size : o->largest;
	if (o->made->recipe.gso_type == FRAME_GSO_UDP)
		check_fragment(o, frame, flat);
	else
		check_segment(o, frame, flat);
	o->frames++;
	free(flat);
}

void oracle_check_split(struct offload_split *split, const struct made *made, uint32_t accepted)
{
	const struct frame *frames[FRAME_BURST_MAX];
	struct offload_plan plan;
	struct oracle o = {.made = made, .plan = &plan, .accepted = accepted};
	uint32_t count;

	assert_int_equal(offload_judge(&made->frame, ORACLE_ALL, &plan), 0);
	o.datagram = malloc(FRAME_SIZE_MAX);
	assert_non_null(o.datagram);
	offload_split_begin(split, &made->frame, &plan, accepted);
	while ((count = offload_split_next(split, frames))) {
		assert_true(count <= FRAME_BURST_MAX);
		for (uint32_t i = 0; i < count; i++)
			oracle_check_frame(&o, frames[i]);
	}
	assert_true(o.is_done);
	assert_int_equal(o.largest, plan.wire_size);
	if (made->recipe.gso_type == FRAME_GSO_UDP)
		check_datagram(&o);
	free(o.datagram);
}
