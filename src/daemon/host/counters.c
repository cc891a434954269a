// SPDX-License-Identifier: BSD-3-Clause
// What the programs counted, summed over CPUs, and what is there.
#include "base/cleanup.h"
#include "daemon/host/internal.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(HOST_DROP_COUNT == (int)MAPS_DROP_COUNT, "the same reasons in the same order");
_Static_assert(HOST_DROP_RATE == (int)MAPS_DROP_RATE, "the same reasons in the same order");
_Static_assert(sizeof(struct maps_counters) % 8 == 0, "as the kernel spaces CPUs' values");

const char *host_drop_text(unsigned int reason)
{
	static const char *const text[HOST_DROP_COUNT] = {
		[HOST_DROP_SHORT] = "short",
		[HOST_DROP_SOURCE] = "source_address",
		[HOST_DROP_SOURCE_IP] = "source_ip",
		[HOST_DROP_ARP] = "arp",
		[HOST_DROP_ND] = "nd",
		[HOST_DROP_MTU] = "mtu",
		[HOST_DROP_FLOOD] = "flood_rate",
		[HOST_DROP_LOCAL] = "same_port",
		[HOST_DROP_NO_PORT] = "no_port",
		[HOST_DROP_DOWN] = "port_down",
		[HOST_DROP_RATE] = "rate",
	};
	return reason < HOST_DROP_COUNT ? text[reason] : "unknown";
}

// Room for every CPU's value, zero. NULL with err.
static struct maps_counters *alloc_values(int *ret_cpus, struct rwy_err *err)
{
	int cpus = libbpf_num_possible_cpus();
	if (cpus < 1) {
		err_set(err, cpus, "cannot count CPUs: %s", strerror(-cpus));
		return NULL;
	}
	struct maps_counters *values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		err_set(err, -ENOMEM, "cannot read counters: %s", strerror(ENOMEM));
	*ret_cpus = cpus;
	return values;
}

int counters_clear(struct host *host, uint32_t slot, struct rwy_err *err)
{
	int cpus = 0;
	_cleanup_free_ struct maps_counters *values = alloc_values(&cpus, err);
	if (!values)
		return err ? err->code : -ENOMEM;
	return map_set(host, HOST_MAP_COUNTERS, &slot, values, err);
}

int host_port_counters(
	struct host *host,
	uint32_t id,
	struct host_counters *ret,
	struct rwy_err *err
)
{
	struct host_counters sum = {0};
	int cpus = 0, slot = port_slot(host, id);
	if (slot < 0)
		return err_set(err, -ENOENT, "there is no kernel port %u", id);
	_cleanup_free_ struct maps_counters *values = alloc_values(&cpus, err);
	if (!values)
		return err ? err->code : -ENOMEM;
	uint32_t key = (uint32_t)slot;
	int r = map_get(host, HOST_MAP_COUNTERS, &key, values, err);
	if (r)
		return r;
	for (int i = 0; i < cpus; i++) {
		sum.rx_frames += values[i].rx_frames;
		sum.rx_bytes += values[i].rx_bytes;
		sum.tx_frames += values[i].tx_frames;
		sum.tx_bytes += values[i].tx_bytes;
		sum.neighbor_answers += values[i].answers;
		for (int j = 0; j < HOST_DROP_COUNT; j++)
			sum.drops[j] += values[i].drops[j];
	}
	*ret = sum;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static int list_ids(
	const uint32_t *ids,
	size_t max,
	uint32_t **ret_ids,
	size_t *ret_count,
	struct rwy_err *err
)
{
	size_t count = 0;
	uint32_t *list = calloc(max, sizeof(*list));
	if (!list)
		return err_set(err, -ENOMEM, "cannot list what there is: %s", strerror(ENOMEM));
	for (size_t i = 0; i < max; i++) {
		if (ids[i])
			list[count++] = ids[i];
	}
	qsort(list, count, sizeof(*list), compare);
	*ret_ids = list;
	*ret_count = count;
	return 0;
}

int host_list_ports(struct host *host, uint32_t **ret_ids, size_t *ret_count, struct rwy_err *err)
{
	return list_ids(host->port_ids, HOST_PORTS_MAX, ret_ids, ret_count, err);
}

int host_list_networks(
	struct host *host,
	uint32_t **ret_ids,
	size_t *ret_count,
	struct rwy_err *err
)
{
	return list_ids(host->network_ids, HOST_NETWORKS_MAX, ret_ids, ret_count, err);
}
