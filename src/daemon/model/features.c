// SPDX-License-Identifier: BSD-3-Clause
// The feature bits of virtio (VIRTIO 1.2, 5.1.3 and 6) and vhost-user that a network port can have, named as the
// specification does, in lower case. No state; any thread.
#include "daemon/model/features.h"

#include <stdio.h>

static const char *const names[64] = {
	[0] = "csum",
	[1] = "guest_csum",
	[2] = "ctrl_guest_offloads",
	[3] = "mtu",
	[5] = "mac",
	[7] = "guest_tso4",
	[8] = "guest_tso6",
	[9] = "guest_ecn",
	[10] = "guest_ufo",
	[11] = "host_tso4",
	[12] = "host_tso6",
	[13] = "host_ecn",
	[14] = "host_ufo",
	[15] = "mrg_rxbuf",
	[16] = "status",
	[17] = "ctrl_vq",
	[18] = "ctrl_rx",
	[19] = "ctrl_vlan",
	[21] = "guest_announce",
	[22] = "mq",
	[23] = "ctrl_mac_addr",
	[26] = "log_all", // vhost: VHOST_F_LOG_ALL.
	[27] = "any_layout",
	[28] = "indirect_desc",
	[29] = "event_idx",
	[30] = "protocol_features", // vhost-user: VHOST_USER_F_PROTOCOL_FEATURES.
	[32] = "version_1",
	[33] = "access_platform",
	[34] = "packed",
	[35] = "in_order",
	[36] = "order_platform",
	[37] = "sr_iov",
	[38] = "notification_data",
	[40] = "ring_reset",
	[54] = "guest_uso4",
	[55] = "guest_uso6",
	[56] = "host_uso",
	[57] = "hash_report",
	[59] = "guest_hdrlen",
	[60] = "rss",
	[61] = "rsc_ext",
	[62] = "standby",
	[63] = "speed_duplex",
};

json_t *features_json(uint64_t features)
{
	json_t *list = json_array();
	for (unsigned int bit = 0; bit < 64; bit++) {
		char number[8];
		if (!(features >> bit & 1))
			continue;
		(void)snprintf(number, sizeof(number), "bit%u", bit); // It fits.
		if (json_array_append_new(list, json_string(names[bit] ? names[bit] : number)) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}
