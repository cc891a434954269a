// SPDX-License-Identifier: BSD-3-Clause
// Counters as docs/api.md has them, of the switch's ports, of kernel ports and of uplinks. Any thread, under the lock.
#include "daemon/core/kernel.h"
#include "daemon/core/stats.h"

// A JSON integer of a counter; those beyond 2^63 do not happen in this universe's lifetime.
json_t *counters_integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *traffic(uint64_t frames, uint64_t bytes)
{
	return json_pack(
		"{s:o, s:o}", "frames", counters_integer(frames), "bytes", counters_integer(bytes)
	);
}

json_t *counters_of_switch(const struct wire_port_stats *stats)
{
	uint64_t dropped = 0;
	json_t *drops = json_object();
	for (uint32_t i = 0; i < stats->drop_count; i++) {
		const struct wire_drop *drop = &stats->drops[i];
		dropped += drop->count;
		// Out of memory: a reason is missing.
		(void)json_object_set_new(drops, drop->reason, counters_integer(drop->count));
	}
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o}",
		"rx",
		traffic(stats->rx_frames, stats->rx_bytes),
		"tx",
		traffic(stats->tx_frames, stats->tx_bytes),
		"drops",
		drops,
		"dropped",
		counters_integer(dropped),
		"neighbor_answers",
		counters_integer(stats->neighbor_answers)
	);
}

json_t *counters_of_kernel(const struct daemon *d, const struct port *port)
{
	struct host_counters counters = {0};
	uint64_t dropped = 0;
	// Without the host's layer, or while the port waits to be made, nothing is counted.
	if (d->host)
		(void)host_port_counters(d->host, port->info.id, &counters, NULL);
	json_t *drops = json_object();
	for (unsigned int i = 0; i < HOST_DROP_COUNT; i++) {
		dropped += counters.drops[i];
		// Out of memory: a reason is missing.
		(void
		)json_object_set_new(drops, host_drop_text(i), counters_integer(counters.drops[i]));
	}
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o}",
		"rx",
		traffic(counters.rx_frames, counters.rx_bytes),
		"tx",
		traffic(counters.tx_frames, counters.tx_bytes),
		"drops",
		drops,
		"dropped",
		counters_integer(dropped),
		"neighbor_answers",
		counters_integer(counters.neighbor_answers)
	);
}

json_t *counters_of_uplink(const struct daemon *d, const struct port *port)
{
	struct uplink_counters counters = {0};
	json_t *drops = json_object();
	if (!d->uplinks || uplinks_stats(d->uplinks, port->info.id, &counters))
		(void)snprintf(counters.reason, sizeof(counters.reason), "%s", d->uplinks_reason);
	for (uint32_t i = 0; i < counters.drop_count; i++)
		// Out of memory: a reason is missing.
		(void)json_object_set_new(
			drops, counters.drops[i].reason, counters_integer(counters.drops[i].frames)
		);
	json_t *uplink = json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:o, s:o, s:o}",
		"device",
		port->info.spec.device,
		"driver",
		counters.driver,
		"state",
		uplink_state_text(counters.state),
		"pid",
		(json_int_t)counters.pid,
		"restarts",
		(json_int_t)counters.restarts,
		"link",
		counters.link_up ? "up" : "down",
		"mbps",
		(json_int_t)counters.link_mbps,
		"rx",
		traffic(counters.rx_frames, counters.rx_bytes),
		"tx",
		traffic(counters.tx_frames, counters.tx_bytes),
		"drops",
		drops
	);
	if (uplink && counters.reason[0])
		(void)json_object_set_new(uplink, "reason", json_string(counters.reason));
	return uplink;
}
