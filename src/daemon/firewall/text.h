// SPDX-License-Identifier: BSD-3-Clause
// The nftables script of an instance. Pure; any thread.
#pragma once

#include "daemon/firewall/firewall.h"

// One script for nft, in one transaction: `table` with everything in it, instead of what was there; without
// networks, no table. Published ports of networks that are not given or are internal are left out. The caller
// frees it. NULL with err: -EINVAL, -ENOMEM.
char *firewall_text(
	const char *table,
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count,
	struct rwy_err *err
);
