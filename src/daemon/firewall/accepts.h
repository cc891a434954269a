// SPDX-License-Identifier: BSD-3-Clause
// Accepts in the rules of iptables, for where those drop what is forwarded by default. Whoever holds the service's lock.
#pragma once

#include "daemon/firewall/firewall.h"

// Pure. From what `iptables -S` says of the filter table to what iptables-restore --noflush has to be told so that exactly
// the given interfaces have tagged accepts, in the place where they count: in DOCKER-USER if Docker's rules are
// there, in FORWARD if that drops what no rule accepts, nowhere otherwise. They come after all rules that somebody
// else put there, and before the one that ends the chain. *ret_script is NULL when all is as it should be; the
// caller frees it. 0 or -ENOMEM.
int accepts_plan(
	const char *listing,
	const char *tag,
	const char (*interfaces)[FIREWALL_INTERFACE_SIZE],
	size_t interface_count,
	char **ret_script
);

// Does so for both families. Returns how many of them had to be changed, or a negative errno with err. A machine without
// iptables needs none.
int accepts_apply(
	const char *tag,
	const char (*interfaces)[FIREWALL_INTERFACE_SIZE],
	size_t interface_count,
	struct rwy_err *err
);

// Whether the iptables of this machine writes nftables' rules, so that the rule set's generation tells of its changes.
bool accepts_are_nftables(void);
