// SPDX-License-Identifier: BSD-3-Clause
// Makes frames by recipe. See maker.h.
#include "tests/unit/packet/maker.h"

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

static uint32_t add(struct made *made, const void *from, uint32_t size)
{
	uint32_t at = made->size;

	memcpy(made->data + at, from, size);
	made->size += size;
	return at;
}

static void store16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void add_noise(struct made *made, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		made->data[made->size + i] = (uint8_t)(random() >> 8);
	made->size += size;
}

static void add_ether(struct made *made)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	add(made, macs, 12);
	for (uint32_t i = 0; i < made->recipe.tags; i++) {
		bool is_outer = made->recipe.tags == 2 && i == 0;
		const uint8_t tag[4] = {is_outer ? 0x88 : 0x81, is_outer ? 0xa8 : 0, 0x20, 7};
		add(made, tag, 4);
	}
	const uint8_t type[2][2] = {{0x08, 0x00}, {0x86, 0xdd}};
	add(made, type[made->recipe.version == 6], 2);
	made->l3 = made->size;
}

// Options: one that fragments copy, then such that they do not, then ends.
static void add_ipv4(struct made *made, uint8_t proto, uint32_t rest)
{
	const struct recipe *r = &made->recipe;
	uint8_t ip[60] = {[1] = 0x02, [8] = 64, [9] = proto};
	uint32_t size = 20 + r->ip_option_words * 4;

	ip[0] = (uint8_t)(0x40 | size / 4);
	store16(ip + 2, size + rest);
	store16(ip + 4, r->ip_id);
	ip[6] = r->udp ? 0 : 0x40;
	for (uint32_t i = 0; i < 8; i++)
		ip[12 + i] = (uint8_t)(random() >> 8);
	if (r->ip_option_words) {
		const uint8_t copied[4] = {0x82, 4, 0xaa, 0xbb};
		memcpy(ip + 20, copied, 4);
	}
	if (r->ip_option_words > 1)
		ip[24] = 1;
	if (r->ip_option_words > 2) {
		const uint8_t not_copied[4] = {0x07, 7, 4, 0};
		memcpy(ip + 25, not_copied, 4);
	}
	store16(ip + 10, (uint16_t)~maker_sum(0, ip, size));
	memcpy(made->addresses, ip + 12, 8);
	add(made, ip, size);
	made->fragment_at = made->size;
}

static void add_extension(struct made *made, uint32_t *named_at, uint8_t proto, uint32_t size)
{
	uint8_t extension[24] = {0, (uint8_t)(size / 8 - 1), 1, (uint8_t)(size - 4)};

	made->data[*named_at] = proto;
	*named_at = add(made, extension, size);
}

static void add_routing(struct made *made, uint32_t *named_at, uint8_t left)
{
	add_extension(made, named_at, 43, 24);
	uint8_t *routing = made->data + *named_at;
	routing[2] = 0;
	routing[3] = left;
	for (uint32_t i = 0; i < 16; i++)
		routing[8 + i] = (uint8_t)(random() >> 8);
	if (left) // RFC 8200, 8.1: the last address is the pseudo header's.
		memcpy(made->addresses + 16, routing + 8, 16);
	made->fragment_at = made->size;
}

static void add_ipv6(struct made *made, uint8_t proto, uint32_t rest)
{
	const struct recipe *r = &made->recipe;
	uint8_t ip[40] = {0x60, [7] = 64};
	uint32_t named_at = made->size + 6;

	for (uint32_t i = 0; i < 32; i++)
		ip[8 + i] = (uint8_t)(random() >> 8);
	memcpy(made->addresses, ip + 8, 32);
	add(made, ip, 40);
	made->fragment_at = made->size;
	if (r->extensions == MAKER_EXT_OPTIONS || r->extensions == MAKER_EXT_ROUTED) {
		add_extension(made, &named_at, 0, 8);
		made->fragment_at = made->size;
	}
	if (r->extensions >= MAKER_EXT_ROUTED)
		add_routing(made, &named_at, r->extensions == MAKER_EXT_ROUTING);
	if (r->extensions == MAKER_EXT_OPTIONS || r->extensions == MAKER_EXT_ROUTED)
		add_extension(made, &named_at, 60, 16);
	made->data[named_at] = proto;
	store16(made->data + made->l3 + 4, made->size - made->l3 - 40 + rest);
}

static void add_tcp(struct made *made)
{
	const struct recipe *r = &made->recipe;
	uint8_t tcp[60] = {0x12, 0x34, 0x56, 0x78};
	uint32_t options = r->tcp_option_words * 4;

	store16(tcp + 4, r->sequence >> 16);
	store16(tcp + 6, r->sequence);
	tcp[12] = (uint8_t)((5 + r->tcp_option_words) << 4);
	tcp[13] = r->tcp_flags;
	tcp[14] = 0x7f;
	memset(tcp + 20, 1, options);
	add(made, tcp, 20 + options);
}

uint16_t maker_sum(uint32_t sum, const uint8_t *data, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t pseudo_only(const struct made *made, uint32_t size)
{
	uint8_t rest[4] = {0, (uint8_t)(made->recipe.udp ? 17 : 6)};

	store16(rest + 2, size);
	uint16_t sum = maker_sum(0, made->addresses, made->recipe.version == 6 ? 32 : 8);
	return maker_sum(sum, rest, 4);
}

uint16_t maker_pseudo_sum(const struct made *made, const uint8_t *l4, uint32_t size)
{
	return maker_sum(pseudo_only(made, size), l4, size);
}

void maker_cut(struct made *made)
{
	uint32_t seg_max = made->recipe.seg_max;

	for (uint32_t i = 0; i < made->frame.seg_count; i++)
		free(made->segs[i].addr);
	made->frame.seg_count = 0;
	for (uint32_t at = 0; at < made->size;) {
		uint32_t size = made->size - at;
		bool is_last = made->frame.seg_count == MAKER_SEGS_MAX - 1;
		if (seg_max && !is_last && size > seg_max)
			size = (uint32_t)random() % (seg_max + 1); // Empty ones, too.
		uint8_t *copy = malloc(size ? size : 1);
		assert_non_null(copy);
		memcpy(copy, made->data + at, size);
		made->segs[made->frame.seg_count++] = (struct frame_seg){copy, size};
		at += size;
	}
	made->frame.size = made->size;
	made->frame.head_size =
		made->size < FRAME_HEAD_SIZE ? (uint16_t)made->size : FRAME_HEAD_SIZE;
	memcpy(made->head, made->data, made->frame.head_size);
}

struct made *maker_make(const struct recipe *recipe)
{
	struct made *made = calloc(1, sizeof(*made));
	uint8_t proto = recipe->udp ? 17 : 6;
	uint32_t l4_size = recipe->udp ? 8 : 20 + recipe->tcp_option_words * 4;

	assert_non_null(made);
	made->recipe = *recipe;
	made->data = calloc(1, FRAME_SIZE_MAX + 512);
	assert_non_null(made->data);
	add_ether(made);
	if (recipe->version == 6)
		add_ipv6(made, proto, l4_size + recipe->payload);
	else
		add_ipv4(made, proto, l4_size + recipe->payload);
	made->l4 = made->size;
	if (recipe->udp) {
		uint8_t udp[8] = {0x12, 0x34, 0x56, 0x78};
		store16(udp + 4, 8 + recipe->payload);
		add(made, udp, 8);
	} else {
		add_tcp(made);
	}
	made->headers = made->size;
	add_noise(made, recipe->payload);
	uint32_t offset = recipe->udp ? 6 : 16;
	if (!recipe->no_checksum_request)
		store16(made->data + made->l4 + offset, pseudo_only(made, made->size - made->l4));
	made->frame = (struct frame){.head = made->head, .segs = made->segs};
	maker_cut(made);
	made->frame.offload = (struct frame_offload){
		.flags = recipe->no_checksum_request ? 0 : FRAME_F_NEEDS_CSUM,
		.gso_type = recipe->gso_type,
		.gso_size = recipe->gso_size,
		.hdr_len = (uint16_t)random(),
		.csum_start = (uint16_t)made->l4,
		.csum_offset = (uint16_t)offset,
	};
	return made;
}

void maker_free(struct made *made)
{
	for (uint32_t i = 0; i < made->frame.seg_count; i++)
		free(made->segs[i].addr);
	free(made->data);
	free(made);
}

uint8_t *maker_flatten(const struct frame *frame)
{
	uint8_t *flat = malloc(frame->size);
	uint32_t at = frame->head_size;
	uint32_t skip = frame->head_size;
	uint64_t all = 0;

	assert_non_null(flat);
	assert_true(frame->head_size <= frame->size);
	memcpy(flat, frame->head, frame->head_size);
	for (uint32_t i = 0; i < frame->seg_count; i++) {
		const struct frame_seg *seg = &frame->segs[i];
		all += seg->size;
		uint32_t from = skip < seg->size ? skip : seg->size;
		skip -= from;
		assert_true(at + seg->size - from <= frame->size);
		memcpy(flat + at, seg->addr + from, seg->size - from);
		at += seg->size - from;
	}
	assert_int_equal(all, frame->size);
	assert_int_equal(at, frame->size);
	return flat;
}
