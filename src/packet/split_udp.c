// SPDX-License-Identifier: BSD-3-Clause
// Cuts a UDP datagram into IP fragments (RFC 791, 3.2; RFC 8200, 4.5). Runs on the worker that delivers.
#include "packet/checksum.h"
#include "packet/split.h"
#include "packet/tcp.h"

#include <string.h>

#define IPV4_MORE 0x2000
#define IPV4_OPTION_COPIED 0x80
#define IPV4_OPTION_END 0
#define IPV4_OPTION_NOP 1

// RFC 791, 3.1: only options with the copied flag go into later fragments. What stays away leaves NOPs, so that the
// header keeps its size. Options that make no sense end the search.
static void strip_options(uint8_t *ip)
{
	uint32_t size = (ip[0] & 15) * 4;
	uint32_t i = IPV4_SIZE;

	while (i < size && ip[i] != IPV4_OPTION_END) {
		uint32_t option_size = 1;
		if (ip[i] != IPV4_OPTION_NOP) {
			if (i + 2 > size || ip[i + 1] < 2 || i + ip[i + 1] > size)
				return;
			option_size = ip[i + 1];
		}
		if (!(ip[i] & IPV4_OPTION_COPIED))
			memset(ip + i, IPV4_OPTION_NOP, option_size);
		i += option_size;
	}
}

// Fragments of different datagrams must not have one identifier. One that the sender did not give (RFC 6864 allows
// that for a datagram that is none yet) is made here.
static uint32_t write_ipv4(
	const struct offload_split *split,
	uint8_t *head,
	uint32_t from,
	bool is_last
)
{
	uint8_t *ip = head + split->plan->at.l3;

	if (split->part_index)
		strip_options(ip);
	if (!headers_get16(ip + 4))
		headers_put16(ip + 4, split->ip_id % UINT16_MAX + 1);
	headers_put16(ip + 6, from / 8 | (is_last ? 0 : IPV4_MORE));
	return 0;
}

// Puts a fragment header behind the headers that each fragment has. Returns its size.
static uint32_t write_ipv6(
	const struct offload_split *split,
	uint8_t *head,
	uint32_t from,
	bool is_last
)
{
	const struct headers *at = &split->plan->at;
	uint8_t *fragment = head + at->fragment_at;

	fragment[0] = head[at->fragment_named_at];
	fragment[1] = 0;
	headers_put16(fragment + 2, from | !is_last);
	headers_put32(fragment + 4, split->ip_id);
	head[at->fragment_named_at] = IP_PROTO_FRAGMENT;
	return IPV6_FRAGMENT_SIZE;
}

static void make_part(struct offload_split *split)
{
	const struct offload_plan *plan = split->plan;
	const struct headers *at = &plan->at;
	uint32_t unfragmented = headers_fragment_at(at);
	uint32_t private = split->part_index ? 0 : plan->headers - unfragmented;
	uint32_t payload = split->step - private;
	uint32_t from = split->part_index * split->step;
	uint8_t *head = split_open_part(split);
	uint32_t head_size = unfragmented;
	bool is_last = split->parts_left == 1;

	payload = split->left < payload ? split->left : payload;
	memcpy(head, plan->head, unfragmented);
	if (at->version == 6)
		head_size += write_ipv6(split, head, from, is_last);
	else
		head_size += write_ipv4(split, head, from, is_last);
	if (private) {
		memcpy(head + head_size, plan->head + unfragmented, private);
		head_size += private;
		memcpy(head + head_size - UDP_SIZE + UDP_CHECKSUM, split->udp_check, 2);
	}
	split_write_ip(at, head, head_size + payload);
	(void
	)split_close_part(split, head_size, payload); // Nothing is asked of a fragment's receiver.
}

// No receiver can sum what it has only a fragment of, so the checksum is always completed here.
static void make_checksum(struct offload_split *split)
{
	const struct offload_plan *plan = split->plan;
	struct frame whole = *split->frame;

	memcpy(split->udp_check, plan->head + plan->at.l4 + UDP_CHECKSUM, 2);
	if (!(plan->needs & OFFLOAD_CSUM))
		return;
	whole.head = plan->head;
	whole.head_size = (uint16_t)plan->head_size;
	uint16_t sum = split_stored_sum(checksum_fold(checksum_frame(&whole, plan->at.l4)));
	memcpy(split->udp_check, &sum, 2);
}

void split_begin_udp(struct offload_split *split)
{
	const struct offload_plan *plan = split->plan;

	split->step = plan->offload.gso_size & ~7u;
	if (split->frame->size - headers_fragment_at(&plan->at) <= split->step) {
		split_begin_same(split); // One fragment is none.
		return;
	}
	split->ip_id += 0x9e3779b1u; // Odd: all other numbers come before this one again.
	make_checksum(split);
	split_seek(split, headers_fragment_at(&plan->at));
	split->parts_left = (split->left + split->step - 1) / split->step;
	split_seek(split, plan->headers);
	split->make_part = make_part;
}
