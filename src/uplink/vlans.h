// SPDX-License-Identifier: BSD-3-Clause
// Which port serves which VLAN: what the worker looks at for each frame. The control thread makes a new table for each
// change; the worker only reads.
#pragma once

#include "uplink/frame.h"
#include "wire/uplink.h"

#include <stdint.h>

#define VLANS_NONE 0xff

struct vlans {
	uint8_t port_of[FRAME_VLAN_MASK + 1]; // Index of the port of a VLAN, or VLANS_NONE.
};

static inline void vlans_clear(struct vlans *vlans)
{
	for (uint32_t i = 0; i <= FRAME_VLAN_MASK; i++)
		vlans->port_of[i] = VLANS_NONE;
}

// The port of a frame, or UPLINK_PORTS_MAX with the reason why there is none.
static inline uint32_t vlans_find(
	const struct vlans *vlans,
	enum frame_tag tag,
	uint16_t tci,
	enum uplink_drop_reason *ret_reason
)
{
	uint16_t vlan = tag == FRAME_TAGGED ? frame_vlan(tci) : 0;
	uint32_t port = tag == FRAME_TAG_FOREIGN ? VLANS_NONE : vlans->port_of[vlan];
	if (port < UPLINK_PORTS_MAX)
		return port;
	*ret_reason =
		vlan || tag == FRAME_TAG_FOREIGN ? UPLINK_DROP_UNKNOWN_VLAN : UPLINK_DROP_UNTAGGED;
	return UPLINK_PORTS_MAX;
}
