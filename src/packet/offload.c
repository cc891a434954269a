// SPDX-License-Identifier: BSD-3-Clause
// Offload requests. None is negotiated yet, so each is refused here. Any thread; no state.
#include "packet/offload.h"

#include <errno.h>
#include <stdlib.h>

struct offload_split {
	uint32_t count;
};

int offload_judge(const struct frame *frame, uint32_t allowed, struct offload_plan *ret_plan)
{
	return -EINVAL;
}

struct offload_split *offload_split_new(void)
{
	return calloc(1, sizeof(struct offload_split));
}

void offload_split_free(struct offload_split *split)
{
	free(split);
}

// NOLINTNEXTLINE(readability-non-const-parameter): written once splitting is there.
void offload_split_begin(
	struct offload_split *split,
	const struct frame *frame,
	const struct offload_plan *plan,
	uint32_t accepted
)
{
	split->count = 0;
}

uint32_t offload_split_next(
	struct offload_split *split,
	const struct frame *ret_frames[FRAME_BURST_MAX]
)
{
	return split->count;
}
