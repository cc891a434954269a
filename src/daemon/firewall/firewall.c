// SPDX-License-Identifier: BSD-3-Clause
// The host's rules of one instance. Whoever holds the service's lock.
#include "daemon/firewall/firewall.h"

#include <errno.h>

int firewall_open(const char *run_dir, struct firewall **ret, struct rwy_err *err)
{
	return err_set(err, -EOPNOTSUPP, "published ports are not built yet");
}

void firewall_close(struct firewall *firewall)
{
}

int firewall_set(
	struct firewall *firewall,
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count,
	struct rwy_err *err
)
{
	return err_set(err, -EOPNOTSUPP, "published ports are not built yet");
}

int firewall_check(struct firewall *firewall, struct rwy_err *err)
{
	return 0;
}

int firewall_reserve(struct firewall *firewall, struct firewall_publish *io, struct rwy_err *err)
{
	return err_set(err, -EOPNOTSUPP, "published ports are not built yet");
}

void firewall_release(struct firewall *firewall, uint32_t port_id)
{
}
