// SPDX-License-Identifier: BSD-3-Clause
// Reads what a split made, byte by byte and without the code under test, and puts the payload together again.
#pragma once

#include "packet/offload.h"
#include "tests/unit/packet/maker.h"

// What a source may have negotiated.
#define ORACLE_ALL \
	(OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_ECN | OFFLOAD_UFO | OFFLOAD_USO)

// What came out, so far.
struct oracle {
	const struct made *made;
	const struct offload_plan *plan;
	uint32_t accepted;
	uint32_t frames;
	uint32_t payload; // Segments, datagrams: bytes seen. Fragments: bytes of the datagram.
	bool is_done;	  // The last one was seen.
	uint32_t largest;
	uint32_t id;
	uint8_t *datagram;
};

// One part, in order. Fails the test where it is not right.
void oracle_check_frame(struct oracle *o, const struct frame *frame);

// Judges and splits for a receiver, and checks everything.
void oracle_check_split(struct offload_split *split, const struct made *made, uint32_t accepted);
