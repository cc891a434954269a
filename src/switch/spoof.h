// SPDX-License-Identifier: BSD-3-Clause
// Whether what a frame says of the IP addresses that it comes from is true. A pinned port may only speak for its own; no
// port but one that may spoof speaks for those of another port that ringwayd has told the switch of (stations).
#pragma once

#include "packet/source.h"
#include "switch/port.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

// Control thread, before the port is published. -EINVAL: an address is none.
int spoof_init(struct spoof_check *check, const struct wire_port *spec);

// Workers. DROP_COUNT: it is. May make the frame's private head longer, so that all it was judged by is private.
enum drop_reason spoof_judge(struct worker *worker, const struct port *port, struct frame *frame);

// Whether a frame with this type, as its bytes are in memory, has to be judged by itself.
static inline bool spoof_is_due(const struct spoof_check *check, uint16_t type)
{
	if (__builtin_expect(type == __builtin_bswap16(0x0800), 1))
		return check->pins;
	return check->mode != SPOOF_CHECK_NONE;
}
