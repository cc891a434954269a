// SPDX-License-Identifier: BSD-3-Clause
// Cuts a TCP segment into segments, or a UDP datagram into datagrams, of the size that its sender asked for. Runs on the
// worker that delivers.
#include "packet/checksum.h"
#include "packet/split.h"
#include "packet/tcp.h"

#include <string.h>

// Flags belong to the first or to the last segment: RFC 793 (FIN after all data, PSH for its end), RFC 3168, 6.1.2
// (CWR once, or the receiver takes each for an answer of its own).
static uint8_t part_flags(uint8_t flags, bool is_first, bool is_last)
{
	if (!is_first)
		flags &= (uint8_t)~TCP_CWR;
	if (!is_last)
		flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	return flags;
}

static void write_tcp(const struct offload_split *split, uint8_t *tcp, bool is_last)
{
	uint32_t sequence = headers_get32(tcp + TCP_SEQUENCE);

	headers_put32(tcp + TCP_SEQUENCE, sequence + split->part_index * split->step);
	tcp[TCP_FLAGS] = part_flags(tcp[TCP_FLAGS], !split->part_index, is_last);
}

static void write_transport(
	const struct offload_split *split,
	uint8_t *head,
	uint32_t payload,
	bool is_last
)
{
	const struct offload_plan *plan = split->plan;

	if (plan->at.proto == IP_PROTO_UDP)
		headers_put16(head + plan->at.l4 + UDP_LENGTH, UDP_SIZE + payload);
	else
		write_tcp(split, head + plan->at.l4, is_last);
}

// virtio 1.1, 5.1.6.2: the field holds the pseudo header's sum, and who completes it sums from csum_start on.
static void write_checksum(const struct offload_split *split, struct frame *part, uint8_t *head)
{
	const struct headers *at = &split->plan->at;
	uint32_t field = split->plan->offload.csum_offset;
	uint8_t length[4];
	uint16_t sum;

	headers_put32(length, part->size - at->l4);
	sum = checksum_fold(checksum_add(split->pseudo, length, 4));
	memcpy(head + at->l4 + field, &sum, 2);
	if (split->accepted & OFFLOAD_CSUM) {
		part->offload.flags = FRAME_F_NEEDS_CSUM;
		part->offload.csum_start = at->l4;
		part->offload.csum_offset = (uint16_t)field;
		return;
	}
	sum = split_stored_sum(checksum_fold(checksum_frame(part, at->l4)));
	memcpy(head + at->l4 + field, &sum, 2);
}

static void make_part(struct offload_split *split)
{
	const struct offload_plan *plan = split->plan;
	const struct headers *at = &plan->at;
	uint32_t payload = split->left < split->step ? split->left : split->step;
	uint8_t *head = split_open_part(split);
	uint8_t *ip = head + at->l3;

	memcpy(head, plan->head, plan->headers);
	if (at->version == 4)
		headers_put16(ip + 4, headers_get16(ip + 4) + split->part_index);
	split_write_ip(at, head, plan->headers + payload);
	write_transport(split, head, payload, payload == split->left);
	struct frame *part = split_close_part(split, plan->headers, payload);
	write_checksum(split, part, head);
}

// The pseudo header's sum without its length. A routing header that is under way hides the last destination, which is in
// the sum that the sender wrote (RFC 8200, 8.1), so that one is used without the length it had.
static uint64_t pseudo_sum(const struct frame *frame, const struct offload_plan *plan)
{
	const uint8_t *ip = plan->head + plan->at.l3;
	uint8_t proto = plan->at.proto;
	uint8_t length[4];

	if (plan->at.version == 4)
		return checksum_pseudo(ip + 12, 8, proto, 0);
	if (!plan->at.is_routed)
		return checksum_pseudo(ip + 8, 32, proto, 0);
	headers_put32(length, ~(frame->size - plan->at.l4));
	uint64_t sum = checksum_add(0, plan->head + plan->at.l4 + plan->offload.csum_offset, 2);
	return checksum_add(sum, length, 4);
}

void split_begin_segments(struct offload_split *split)
{
	const struct offload_plan *plan = split->plan;

	split->step = plan->offload.gso_size;
	split->pseudo = pseudo_sum(split->frame, plan);
	split_seek(split, plan->headers);
	split->parts_left = (split->left + split->step - 1) / split->step;
	if (!split->left)
		split->parts_left = 1;
	split->make_part = make_part;
}
