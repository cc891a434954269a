// SPDX-License-Identifier: BSD-3-Clause
// Judges checksum and segmentation requests. Any thread; no state. The request and the private head were read once
// when the frame was taken; more of the headers is read once here, and nobody reads them again from guest memory
// to decide.
#include "packet/head.h"
#include "packet/offload.h"
#include "packet/tcp.h"

#include <errno.h>

#define ICMPV6_CHECKSUM 2

// What a checksum written into it could turn into something that was not judged: whose addresses ARP is about, which header
// comes next, what an ICMPv6 message is.
static bool checksum_has_place(const struct headers *at, const struct frame_offload *o)
{
	switch (at->type) {
	case ETHER_TYPE_IPV4:
		return at->version && o->csum_start >= at->l4;
	case ETHER_TYPE_IPV6:
		if (!at->version || headers_is_extension(at->proto))
			return false;
		if (at->proto == IP_PROTO_ICMPV6 && o->csum_offset != ICMPV6_CHECKSUM)
			return false;
		return at->proto == IP_PROTO_ICMPV6 ? o->csum_start == at->l4
						    : o->csum_start >= at->l4;
	case ETHER_TYPE_ARP:
	case ETHER_TYPE_RARP:
	case ETHER_TYPE_VLAN:
	case ETHER_TYPE_QINQ:
		return false;
	default:
		return o->csum_start >= at->l3;
	}
}

// virtio 1.1, 5.1.6.2.1: from csum_start on, into the two bytes at csum_offset. Neither may touch what the frame was
// judged by: addresses, tags and IP header.
static int judge_checksum(const struct frame *frame, struct offload_plan *plan)
{
	const struct frame_offload *o = &frame->offload;
	struct headers at;

	headers_parse(frame->head, frame->head_size, &at);
	if (frame->size > frame->head_size && (!at.version || headers_is_extension(at.proto))) {
		plan->head_size = head_copy(frame, plan->head, OFFLOAD_HEADERS_MAX);
		headers_parse(plan->head, plan->head_size, &at);
	}
	if (!checksum_has_place(&at, o))
		return -EINVAL;
	if (o->csum_start + (uint32_t)o->csum_offset + 2 > frame->size)
		return -EINVAL;
	plan->offload.csum_start = o->csum_start;
	plan->offload.csum_offset = o->csum_offset;
	return 0;
}

// The checksum of a segmentation is the one of its protocol.
static int judge_transport_checksum(
	const struct frame *frame,
	uint32_t offset,
	struct offload_plan *plan
)
{
	if (frame->offload.csum_start != plan->at.l4 || frame->offload.csum_offset != offset)
		return -EINVAL;
	plan->offload.csum_start = plan->at.l4;
	plan->offload.csum_offset = (uint16_t)offset;
	return 0;
}

// Version and protocol, the headers whole in plan->head, and a length that IP can say.
static int judge_ip(
	const struct frame *frame,
	uint8_t version,
	uint8_t proto,
	struct offload_plan *plan
)
{
	const struct headers *at = &plan->at;

	plan->head_size = head_copy(frame, plan->head, OFFLOAD_HEADERS_MAX);
	headers_parse(plan->head, plan->head_size, &plan->at);
	if (!at->version || (version && at->version != version))
		return -EINVAL;
	if (at->proto != proto || at->is_fragment)
		return -EINVAL;
	uint32_t counted_from = at->l3 + (at->version == 6 ? IPV6_SIZE : 0);
	return frame->size - counted_from > UINT16_MAX ? -EINVAL : 0;
}

// Parts of gso_size bytes behind the same headers.
static int judge_segments(const struct frame *frame, struct offload_plan *plan)
{
	uint32_t step = frame->offload.gso_size;

	if (plan->head_size < plan->headers)
		return -EINVAL;
	uint32_t payload = frame->size - plan->headers;
	if (payload > (uint64_t)step * OFFLOAD_SEGMENTS_MAX)
		return -EINVAL;
	plan->wire_size = plan->headers + (payload < step ? payload : step);
	return 0;
}

static int judge_tcp(const struct frame *frame, uint8_t version, struct offload_plan *plan)
{
	int r = judge_ip(frame, version, IP_PROTO_TCP, plan);

	if (r)
		return r;
	if (!(plan->needs & OFFLOAD_CSUM) || judge_transport_checksum(frame, TCP_CHECKSUM, plan))
		return -EINVAL;
	if (plan->head_size < plan->at.l4 + TCP_SIZE)
		return -EINVAL;
	uint32_t tcp_size = (plan->head[plan->at.l4 + TCP_DATA_OFFSET] >> 4) * 4u;
	plan->headers = plan->at.l4 + tcp_size;
	return tcp_size < TCP_SIZE ? -EINVAL : judge_segments(frame, plan);
}

// virtio 1.3, 5.1.6.2 (VIRTIO_NET_HDR_GSO_UDP_L4): gso_size counts what follows UDP's header, for either IP version.
static int judge_datagrams(const struct frame *frame, struct offload_plan *plan)
{
	int r = judge_ip(frame, 0, IP_PROTO_UDP, plan);

	if (r || plan->needs & OFFLOAD_ECN)
		return -EINVAL;
	if (!(plan->needs & OFFLOAD_CSUM) || judge_transport_checksum(frame, UDP_CHECKSUM, plan))
		return -EINVAL;
	plan->headers = plan->at.l4 + UDP_SIZE;
	return judge_segments(frame, plan);
}

// UFO: gso_size counts what follows the IP headers (UDP's header is in the first fragment only), in units of 8.
// RFC 7112: the first fragment holds all headers.
static int judge_udp(const struct frame *frame, struct offload_plan *plan)
{
	uint32_t step = frame->offload.gso_size & ~7u;
	const struct headers *at = &plan->at;
	int r = judge_ip(frame, 0, IP_PROTO_UDP, plan);

	if (r || plan->needs & OFFLOAD_ECN)
		return -EINVAL;
	if (plan->needs & OFFLOAD_CSUM && judge_transport_checksum(frame, UDP_CHECKSUM, plan))
		return -EINVAL;
	plan->headers = at->l4 + UDP_SIZE;
	if (plan->head_size < plan->headers)
		return -EINVAL;
	uint32_t from = headers_fragment_at(at);
	uint32_t size = frame->size - from;
	if (step < plan->headers - from || size > (uint64_t)step * OFFLOAD_SEGMENTS_MAX)
		return -EINVAL;
	plan->wire_size = frame->size;
	if (size > step)
		plan->wire_size = from + (at->version == 6 ? IPV6_FRAGMENT_SIZE : 0) + step;
	return 0;
}

static int judge_segmentation(const struct frame *frame, struct offload_plan *plan)
{
	int r = -EINVAL;

	if (!frame->offload.gso_size)
		return -EINVAL;
	switch (frame->offload.gso_type & ~FRAME_GSO_ECN) {
	case FRAME_GSO_TCPV4:
		r = judge_tcp(frame, 4, plan);
		break;
	case FRAME_GSO_TCPV6:
		r = judge_tcp(frame, 6, plan);
		break;
	case FRAME_GSO_UDP:
		r = judge_udp(frame, plan);
		break;
	case FRAME_GSO_UDP_L4:
		r = judge_datagrams(frame, plan);
		break;
	default:
		break;
	}
	plan->offload.gso_type = frame->offload.gso_type;
	plan->offload.gso_size = frame->offload.gso_size;
	plan->offload.hdr_len = (uint16_t)plan->headers;
	return r;
}

int offload_judge(const struct frame *frame, uint32_t allowed, struct offload_plan *ret_plan)
{
	ret_plan->needs = offload_needs(&frame->offload);
	ret_plan->headers = 0;
	ret_plan->wire_size = frame->size;
	ret_plan->offload = (struct frame_offload){
		.flags = frame->offload.flags & FRAME_F_NEEDS_CSUM,
	};
	if (ret_plan->needs & ~allowed)
		return -EINVAL;
	// Never so of frames that were taken; the private memory of a split is made for these.
	if (frame->head_size > OFFLOAD_HEADERS_MAX || frame->seg_count > FRAME_SEGS_MAX)
		return -EINVAL;
	if (frame->offload.gso_type != FRAME_GSO_NONE)
		return judge_segmentation(frame, ret_plan);
	return ret_plan->needs ? judge_checksum(frame, ret_plan) : 0;
}
