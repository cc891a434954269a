// SPDX-License-Identifier: BSD-3-Clause
// Rates from two samples of the API's stats. Pure; any thread.
#include "cli/rates.h"

#include <string.h>

static double counter(json_t *object, const char *group, const char *name)
{
	json_t *holder = group ? json_object_get(object, group) : object;
	return (double)json_integer_value(json_object_get(holder, name));
}

static json_t *find_port(json_t *sample, const char *name)
{
	json_t *port;
	size_t i;
	json_array_foreach(json_object_get(sample, "ports"), i, port)
	{
		const char *other = json_string_value(json_object_get(port, "name"));
		if (name && other && strcmp(name, other) == 0)
			return port;
	}
	return NULL;
}

double rates_seconds(json_t *before, json_t *after)
{
	json_int_t from = json_integer_value(json_object_get(before, "time_ns"));
	json_int_t to = json_integer_value(json_object_get(after, "time_ns"));
	return to > from ? (double)(to - from) / 1e9 : 0;
}

static double rise(json_t *before, json_t *after, const char *group, const char *name)
{
	double from = counter(before, group, name);
	double to = counter(after, group, name);
	return to >= from ? to - from : to;
}

struct port_rate rates_port(json_t *before, json_t *after, json_t *port)
{
	const char *name = json_string_value(json_object_get(port, "name"));
	double seconds = rates_seconds(before, after);
	json_t *old = find_port(before, name);
	if (seconds <= 0)
		return (struct port_rate){0};
	return (struct port_rate){
		.rx_frames = rise(old, port, "rx", "frames") / seconds,
		.rx_gbits = rise(old, port, "rx", "bytes") * 8 / 1e9 / seconds,
		.tx_frames = rise(old, port, "tx", "frames") / seconds,
		.tx_gbits = rise(old, port, "tx", "bytes") * 8 / 1e9 / seconds,
		.drops = rise(old, port, NULL, "dropped") / seconds,
	};
}

static json_t *find_worker(json_t *sample, size_t index)
{
	json_t *sw = json_object_get(sample, "switch");
	return json_array_get(json_object_get(sw, "workers"), index);
}

double rates_worker_busy(json_t *before, json_t *after, size_t index)
{
	json_t *old = find_worker(before, index);
	json_t *now = find_worker(after, index);
	double busy = rise(old, now, NULL, "busy_cycles");
	// A worker that sleeps counts nothing, so the clock is the better whole.
	double all = counter(after, NULL, "tsc_hz") * rates_seconds(before, after);
	if (!now || !old)
		return -1;
	if (all <= 0)
		all = busy + rise(old, now, NULL, "idle_cycles");
	if (all <= 0)
		return -1;
	return busy < all ? 100 * busy / all : 100;
}

double rates_switch_cpu(json_t *before, json_t *after)
{
	json_t *old = json_object_get(before, "switch");
	json_t *now = json_object_get(after, "switch");
	double seconds = rates_seconds(before, after);
	if (seconds <= 0 || !old || !now || counter(old, NULL, "pid") != counter(now, NULL, "pid"))
		return -1;
	return rise(old, now, NULL, "cpu_ns") / 1e9 / seconds * 100;
}
