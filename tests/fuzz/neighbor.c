// SPDX-License-Identifier: BSD-3-Clause
// A frame to many, as a hostile front end likes it. The first bit says that a solicitation's checksum is put right, which a
// fuzzer does not find. What is taken for a request has an answer that names the asker, the target and the owner, and is
// taken for no request itself.
#include "packet/neighbor.h"

#include "packet/checksum.h"

#include <stdlib.h>
#include <string.h>

static void insist(bool holds)
{
	if (!holds)
		abort();
}

// As the sender of an ICMPv6 message does, where there is room for one.
static void put_checksum(uint8_t *bytes, uint32_t size)
{
	uint32_t nd_size = size < 78 ? 0 : (uint32_t)bytes[18] << 8 | bytes[19];

	if (nd_size < 24 || nd_size > size - 54)
		return;
	bytes[56] = bytes[57] = 0;
	uint64_t sum = checksum_pseudo(bytes + 22, 32, 58, nd_size);
	uint16_t stored = (uint16_t)~checksum_fold(checksum_add(sum, bytes + 54, nd_size));
	memcpy(bytes + 56, &stored, 2);
}

static void check(const struct frame *frame)
{
	static const uint8_t owner[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};
	struct neighbor_request request, again;
	uint8_t answer[NEIGHBOR_ANSWER_SIZE_MAX];

	if (!neighbor_recognize(frame, &request))
		return;
	insist(request.version == 4 || request.version == 6);
	insist(memcmp(request.asker_mac, frame->head + MAC_SIZE, MAC_SIZE) == 0);
	uint32_t size = neighbor_answer(&request, owner, answer);
	insist(size == (request.version == 4 ? 42 : 86));
	insist(memcmp(answer + MAC_SIZE, owner, MAC_SIZE) == 0);
	insist(request.version == 4 || memcmp(answer + 22, request.target, 16) == 0);
	insist(!neighbor_parse(answer, size, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 + FRAME_SIZE_MIN || size > 1024)
		return 0;
	uint32_t frame_size = (uint32_t)size - 2;
	uint32_t cut = data[1] < frame_size ? data[1] : frame_size;
	uint8_t head[FRAME_HEAD_SIZE];
	uint8_t *bytes = malloc(frame_size);
	insist(bytes);
	memcpy(bytes, data + 2, frame_size);
	if (data[0] & 1)
		put_checksum(bytes, frame_size);
	// Two allocations, so that a byte touched outside of either is seen.
	struct frame_seg segs[2] = {
		{malloc(cut ? cut : 1), cut},
		{malloc(frame_size - cut ? frame_size - cut : 1), frame_size - cut},
	};
	insist(segs[0].addr && segs[1].addr);
	memcpy(segs[0].addr, bytes, cut);
	memcpy(segs[1].addr, bytes + cut, frame_size - cut);
	struct frame frame = {.head = head, .segs = segs, .size = frame_size, .seg_count = 2};
	frame.head_size = (uint16_t)(frame_size < FRAME_HEAD_SIZE ? frame_size : FRAME_HEAD_SIZE);
	memcpy(head, bytes, frame.head_size);
	check(&frame);
	free(segs[0].addr);
	free(segs[1].addr);
	free(bytes);
	return 0;
}
