// SPDX-License-Identifier: BSD-3-Clause
// The kernel's side of ordinary containers. The caller's thread, under its lock.
#include "daemon/host/host.h"

#include <errno.h>
#include <stdlib.h>

static int unsupported(struct rwy_err *err)
{
	return err_set(err, -EOPNOTSUPP, "kernel ports are not supported on this host");
}

int host_open(const struct host_config *config, struct host **ret, struct rwy_err *err)
{
	return unsupported(err);
}

void host_close(struct host *host)
{
}

int host_destroy_all(struct host *host, struct rwy_err *err)
{
	return unsupported(err);
}

int host_network_add(struct host *host, const struct host_network *network, struct rwy_err *err)
{
	return unsupported(err);
}

int host_network_remove(struct host *host, uint32_t id, struct rwy_err *err)
{
	return unsupported(err);
}

int host_network_set_mtu(struct host *host, uint32_t id, uint32_t mtu, struct rwy_err *err)
{
	return unsupported(err);
}

int host_trunk_open(
	struct host *host,
	uint32_t network,
	uint32_t queues,
	int *ret_fds,
	uint32_t *ret_offloads,
	struct rwy_err *err
)
{
	return unsupported(err);
}

int host_trunk_remove(struct host *host, uint32_t network, struct rwy_err *err)
{
	return unsupported(err);
}

int host_port_add(struct host *host, const struct host_port *port, struct rwy_err *err)
{
	return unsupported(err);
}

int host_port_remove(struct host *host, uint32_t id, struct rwy_err *err)
{
	return unsupported(err);
}

bool host_port_exists(struct host *host, uint32_t id)
{
	return false;
}

bool host_port_is_up(struct host *host, uint32_t id)
{
	return false;
}

int host_port_place(
	struct host *host,
	uint32_t id,
	const struct host_inside *inside,
	struct rwy_err *err
)
{
	return unsupported(err);
}

int host_station_add(
	struct host *host,
	uint32_t network,
	const uint8_t mac[MAC_SIZE],
	const char *ip,
	const char *ip6,
	struct rwy_err *err
)
{
	return unsupported(err);
}

int host_station_remove(
	struct host *host,
	uint32_t network,
	const uint8_t mac[MAC_SIZE],
	struct rwy_err *err
)
{
	return unsupported(err);
}

int host_station_keep(
	struct host *host,
	uint32_t network,
	const uint8_t (*macs)[MAC_SIZE],
	size_t count,
	struct rwy_err *err
)
{
	return unsupported(err);
}

const char *host_drop_text(unsigned int reason)
{
	static const char *const text[HOST_DROP_COUNT] = {
		[HOST_DROP_SHORT] = "short",
		[HOST_DROP_SOURCE] = "source_address",
		[HOST_DROP_MTU] = "mtu",
		[HOST_DROP_FLOOD] = "flood_rate",
		[HOST_DROP_LOCAL] = "same_port",
		[HOST_DROP_NO_PORT] = "no_port",
		[HOST_DROP_DOWN] = "port_down",
		[HOST_DROP_RATE] = "rate",
	};
	return reason < HOST_DROP_COUNT ? text[reason] : "unknown";
}

int host_port_counters(
	struct host *host,
	uint32_t id,
	struct host_counters *ret,
	struct rwy_err *err
)
{
	return unsupported(err);
}

int host_list_ports(struct host *host, uint32_t **ret_ids, size_t *ret_count, struct rwy_err *err)
{
	return unsupported(err);
}

int host_list_networks(
	struct host *host,
	uint32_t **ret_ids,
	size_t *ret_count,
	struct rwy_err *err
)
{
	return unsupported(err);
}
