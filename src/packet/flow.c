// SPDX-License-Identifier: BSD-3-Clause
// Flow hashes. Any thread; no state.
#include "packet/flow.h"

#include "vring/frame.h"

// Both addresses and the type.
uint32_t flow_hash(const uint8_t *head, uint32_t head_size)
{
	uint32_t hash = 2166136261u;

	for (uint32_t i = 0; i < head_size && i < FRAME_SIZE_MIN; i++)
		hash = (hash ^ head[i]) * 16777619u;
	return hash;
}
