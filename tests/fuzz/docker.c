// SPDX-License-Identifier: BSD-3-Clause
// Bodies as whoever connects to the driver's socket might send them. What is taken must hold to its bounds, and a network
// that is said to Docker again must be read as the same one.
#include "base/fields.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/parse.h"

#include <stdlib.h>
#include <string.h>

#define PORTS 8

static void check_text(const char *text, size_t size)
{
	if (!memchr(text, '\0', size))
		abort();
}

static void check_spec(const struct network_spec *spec)
{
	check_text(spec->name, sizeof(spec->name));
	check_text(spec->subnet, sizeof(spec->subnet));
	check_text(spec->gateway, sizeof(spec->gateway));
	check_text(spec->subnet6, sizeof(spec->subnet6));
	check_text(spec->gateway6, sizeof(spec->gateway6));
	check_text(spec->ip_range, sizeof(spec->ip_range));
	check_text(spec->aux, sizeof(spec->aux));
	check_text(spec->uplink, sizeof(spec->uplink));
	check_text(spec->driver, sizeof(spec->driver));
	check_text(spec->functions.parent, sizeof(spec->functions.parent));
	if (spec->functions.vfs > FUNCTIONS_MAX || spec->functions.trust > 1)
		abort();
	if (spec->vlan > 4094 || (spec->mtu && (spec->mtu < 68 || spec->mtu > 65535)))
		abort();
	_cleanup_json_ json_t *body = network_engine_body("ringway", spec);
	if (!body)
		abort(); // All of its texts came out of JSON.
}

static void read_network(json_t *body)
{
	struct driver_network network;
	struct rwy_err err = {0};
	char name[NAME_SIZE];
	if (driver_parse_network(body, &network, &err) == 0)
		check_spec(&network.spec);
	else if (!err.msg[0])
		abort();
	if (driver_parse_listed(body, &network, name, NULL) == 0)
		check_spec(&network.spec);
}

static void read_endpoint(json_t *body)
{
	struct driver_endpoint endpoint;
	struct driver_ids ids;
	struct port_publish list[PORTS];
	size_t count = 0;
	if (driver_parse_endpoint(body, &endpoint, NULL) == 0) {
		check_text(endpoint.ip, sizeof(endpoint.ip));
		check_text(endpoint.ip6, sizeof(endpoint.ip6));
		check_text(endpoint.name, sizeof(endpoint.name));
		for (int i = 0; i < endpoint.function_count; i++)
			check_text(endpoint.functions[i], sizeof(endpoint.functions[i]));
		if (endpoint.attach >= DRIVER_ATTACH_COUNT || endpoint.queues > QUEUES_MAX ||
		    endpoint.vfs > QUEUES_MAX)
			abort();
	}
	for (int want = 0; want < DRIVER_IDS_COUNT; want++)
		(void)driver_parse_ids(body, (enum driver_ids_want)want, &ids, NULL);
	if (driver_parse_portmap(body, list, PORTS, &count, NULL) == 0 && count > PORTS)
		abort();
	for (size_t i = 0; i < count; i++)
		check_text(list[i].host_ip, sizeof(list[i].host_ip));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *body = json_loadb((const char *)data, size, 0, NULL);
	read_network(body);
	read_endpoint(body);
	return 0;
}
