// SPDX-License-Identifier: BSD-3-Clause
// How a network of ours is said to Docker, so that `ringway network create` and `docker network create` make the same;
// and the MAC that goes with an address. Pure; any thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "base/functionrate.h"
#include "daemon/docker/internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char family_of(const char *address)
{
	return strchr(address, ':') ? '6' : '4';
}

json_t *network_aux_json(const char *aux, char family)
{
	_cleanup_free_ char *copy = strdup(aux);
	json_t *object = copy ? json_object() : NULL;
	char *rest = copy;
	for (char *entry = strsep(&rest, ","); object && entry; entry = strsep(&rest, ",")) {
		char *address = strchr(entry, '=');
		if (!address)
			continue; // The empty list is one empty entry.
		*address++ = '\0';
		if (family && family_of(address) != family)
			continue;
		if (json_object_set_new(object, entry, json_string(address))) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

static int set_text(json_t *object, const char *name, const char *text)
{
	return *text ? json_object_set_new(object, name, json_string(text)) : 0;
}

static int set_number(json_t *object, const char *name, uint32_t value)
{
	char text[16];
	(void)snprintf(text, sizeof(text), "%u", value); // It fits: ten digits at most.
	return set_text(object, name, text);
}

static int add_pool(
	json_t *config,
	const char *subnet,
	const char *gateway,
	const struct network_spec *spec
)
{
	if (!subnet[0])
		return 0;
	char family = family_of(subnet);
	bool ranged = spec->ip_range[0] && family_of(spec->ip_range) == family;
	json_t *pool = json_object();
	json_t *aux = network_aux_json(spec->aux, family);
	int r = set_text(pool, "Subnet", subnet);
	r |= set_text(pool, "Gateway", gateway);
	r |= set_text(pool, "IPRange", ranged ? spec->ip_range : "");
	if (json_object_size(aux))
		r |= json_object_set(pool, "AuxiliaryAddresses", aux);
	r |= aux ? 0 : -1;
	json_decref(aux);
	return json_array_append_new(config, pool) | r;
}

static int set_tristate(json_t *object, const char *name, int value)
{
	return set_text(object, name, value < 0 ? "" : value ? "on" : "off");
}

static int add_functions(json_t *options, const struct network_functions *functions)
{
	struct function_rate rate = {functions->rate_min, functions->rate_max};
	char text[FUNCTION_RATE_TEXT_SIZE];
	if (!functions->parent[0])
		return 0;
	function_rate_format(&rate, text);
	int r = set_text(options, "ringway.parent", functions->parent);
	r |= set_number(options, "ringway.vfs", functions->vfs);
	r |= set_tristate(options, "ringway.trust", functions->trust);
	r |= set_tristate(options, "ringway.spoofchk", functions->spoof_check);
	r |= set_text(options, "ringway.link-state", driver_link_state_text(functions->link_state));
	r |= set_text(options, "ringway.rate", text);
	return r |
		set_text(options, "ringway.allow-unsafe-noiommu", functions->noiommu ? "on" : "");
}

static json_t *make_options(const struct network_spec *spec)
{
	json_t *options = json_object();
	bool sriov = driver_network_is_sriov(spec);
	// Docker picks a gateway in any case; of functions it is told to have none where there is none.
	bool no_gateway = sriov ? !spec->gateway[0] && !spec->gateway6[0] : spec->no_gateway;
	int r = set_text(options, "ringway.name", spec->name);
	r |= set_number(options, "mtu", spec->mtu);
	r |= set_text(options, "ringway.proxy-neighbors", spec->proxy_neighbors ? "on" : "");
	r |= set_text(options, "ringway.gateway", no_gateway ? "off" : "");
	r |= set_text(options, "ringway.driver", sriov ? "sriov" : "");
	r |= add_functions(options, &spec->functions);
	r |= set_text(options, "ringway.uplink", spec->uplink);
	if (spec->vlan)
		r |= set_number(options, "ringway.vlan", spec->vlan);
	if (!r)
		return options;
	json_decref(options);
	return NULL;
}

json_t *network_engine_body(const char *driver, const struct network_spec *spec)
{
	_cleanup_json_ json_t *config = json_array();
	if (add_pool(config, spec->subnet, spec->gateway, spec) ||
	    add_pool(config, spec->subnet6, spec->gateway6, spec))
		return NULL;
	return json_pack(
		"{s:s, s:b, s:s, s:b, s:b, s:{s:O}, s:o}",
		"Name",
		spec->name,
		"CheckDuplicate",
		1,
		"Driver",
		driver,
		"Internal",
		spec->internal,
		"EnableIPv6",
		spec->subnet6[0] != '\0',
		"IPAM",
		"Config",
		config,
		"Options",
		make_options(spec)
	);
}

bool docker_mac_of_address(const char *ip, uint8_t ret_mac[MAC_SIZE])
{
	uint8_t mac[MAC_SIZE] = {0x02, 'r'};
	char address[ADDR_TEXT_SIZE];
	(void)snprintf(address, sizeof(address), "%.*s", (int)strcspn(ip, "/"), ip); // Cut: none.
	if (inet_pton(AF_INET, address, mac + 2) != 1)
		return false;
	memcpy(ret_mac, mac, sizeof(mac));
	return true;
}
