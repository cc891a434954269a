// SPDX-License-Identifier: BSD-3-Clause
// The host's settings that networks need. Whoever holds the service's lock, in the host's namespace.
#pragma once

#include "daemon/firewall/firewall.h"

// Forwarding, where a network that is not internal needs it, and the settings of the gateways' interfaces, which are
// not there yet or any more without harm. Forwarding is never turned off again: others may have come to need it. What
// cannot be set is logged once.
void sysctl_apply(
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count
);
