// SPDX-License-Identifier: BSD-3-Clause
// Reads networks: those of CreateNetwork (libnetwork's remote driver, docs/remote.md there) and those of the engine's
// lists. Unknown members are the engine's business; unknown options are refused by name, since a mistyped option that
// does nothing costs somebody an evening. Pure; any thread.
#include "base/fields.h"
#include "daemon/docker/parse.h"
#include "daemon/docker/parse_value.h"
#include "daemon/model/cidr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VLAN_MAX 4094

typedef int option_fn(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
);

static int read_mtu(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	return parse_read_number(name, text, 68, 65535, &network->spec.mtu, err);
}

static int read_network_name(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	return parse_read_name(name, text, network->spec.name, err);
}

static int read_proxy_neighbors(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	network->given |= DRIVER_GIVEN_PROXY_NEIGHBORS;
	return parse_read_switch(name, text, &network->spec.proxy_neighbors, err);
}

static int read_gateway(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	bool on = true;
	int r = parse_read_switch(name, text, &on, err);
	network->given |= DRIVER_GIVEN_GATEWAY;
	network->spec.no_gateway = !on;
	return r;
}

static int read_vlan(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	network->given |= DRIVER_GIVEN_VLAN;
	return parse_read_small(name, text, 1, VLAN_MAX, &network->spec.vlan, err);
}

// What is a device the service says, which knows the host.
static int read_uplink(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	if (!*text || strlen(text) >= sizeof(network->spec.uplink))
		return err_set(
			err,
			-EINVAL,
			"option '%s' is '%.40s', not a device's name of 1 to %zu characters",
			name,
			text,
			sizeof(network->spec.uplink) - 1
		);
	network->given |= DRIVER_GIVEN_UPLINK;
	memcpy(network->spec.uplink, text, strlen(text) + 1);
	return 0;
}

static const struct {
	const char *name;
	option_fn *read;
} network_options[] = {
	{"mtu", read_mtu},
	{"com.docker.network.driver.mtu", read_mtu},
	{OPTION_PREFIX "name", read_network_name},
	{OPTION_PREFIX "proxy-neighbors", read_proxy_neighbors},
	{OPTION_PREFIX "gateway", read_gateway},
	{OPTION_PREFIX "vlan", read_vlan},
	{"vlan", read_vlan}, // As other SR-IOV plugins have it.
	{OPTION_PREFIX "uplink", read_uplink},
};

static int read_option(
	const char *name,
	json_t *value,
	struct driver_network *network,
	struct rwy_err *err
)
{
	if (!json_is_string(value))
		return err_set(err, -EINVAL, "option '%.80s' is not a string", name);
	int r = parse_function_option(name, json_string_value(value), network, err);
	if (r != -ENOENT)
		return r;
	for (size_t i = 0; i < sizeof(network_options) / sizeof(network_options[0]); i++)
		if (strcmp(name, network_options[i].name) == 0)
			return network_options[i].read(
				name, json_string_value(value), network, err
			);
	err_set(err, -EINVAL, "option '%.80s' is unknown", name);
	return err_hint(
		err,
		"known: mtu, com.docker.network.driver.mtu, ringway.name, proxy-neighbors, gateway, "
		"vlan, uplink, driver, parent, vfs, pf-pci, trust, spoofchk, link-state, rate, "
		"allow-unsafe-noiommu"
	);
}

static int read_options(json_t *options, struct driver_network *network, struct rwy_err *err)
{
	const char *name;
	json_t *value;
	json_object_foreach(options, name, value)
	{
		int r = read_option(name, value, network, err);
		if (r)
			return r;
	}
	return 0;
}

// Addresses that nobody gets, "name=address" with commas between, as network_spec has them.
static int read_aux(json_t *addresses, struct driver_network *network, struct rwy_err *err)
{
	const char *name;
	json_t *value;
	json_object_foreach(addresses, name, value)
	{
		const char *text = json_string_value(value);
		char *aux = network->spec.aux;
		size_t used = strlen(aux), room = sizeof(network->spec.aux) - used;
		if (!text || !*name || strpbrk(name, ",="))
			return err_set(
				err,
				-EINVAL,
				"auxiliary address '%.40s' has no name of letters and digits",
				name
			);
		int n = snprintf(
			aux + used,
			room,
			"%s%s=%.*s",
			used ? "," : "",
			name,
			(int)strcspn(text, "/"),
			text
		);
		if (n < 0 || (size_t)n >= room)
			return err_set(
				err,
				-EINVAL,
				"the auxiliary addresses are longer than %zu characters",
				sizeof(network->spec.aux) - 1
			);
	}
	return 0;
}

// Where the members of a pool stand in a driver call and in a list.
struct pool_words {
	const char *subnet, *aux;
};

static const struct pool_words call_words = {"Pool", "AuxAddresses"};
static const struct pool_words list_words = {"Subnet", "AuxiliaryAddresses"};

// One pool of addresses. A pool of no address ("0.0.0.0/0") is that of Docker's null address management.
static int read_pool(
	json_t *pool,
	const struct pool_words *words,
	struct driver_network *network,
	struct rwy_err *err
)
{
	struct network_spec *spec = &network->spec;
	char subnet[ADDR_TEXT_SIZE] = "", gateway[ADDR_TEXT_SIZE] = "";
	json_t *aux = NULL;
	if (!json_is_object(pool))
		return err_set(err, -EINVAL, "a pool of addresses is not an object");
	int r = parse_get_string(pool, words->subnet, subnet, sizeof(subnet), err);
	if (!r)
		r = parse_get_string(pool, "Gateway", gateway, sizeof(gateway), err);
	if (!r)
		r = parse_get_object(pool, words->aux, &aux, err);
	if (r || !subnet[0] || strcmp(subnet, "0.0.0.0/0") == 0 || strcmp(subnet, "::/0") == 0)
		return r;
	gateway[strcspn(gateway, "/")] = '\0';
	bool v6 = strchr(subnet, ':') != NULL;
	if (v6 ? spec->subnet6[0] : spec->subnet[0]) {
		err_set(err,
			-EINVAL,
			"it has more than one subnet of IPv%d: %s and %s",
			v6 ? 6 : 4,
			v6 ? spec->subnet6 : spec->subnet,
			subnet);
		return err_hint(err, "give one --subnet of each family");
	}
	memcpy(v6 ? spec->subnet6 : spec->subnet, subnet, sizeof(subnet));
	memcpy(v6 ? spec->gateway6 : spec->gateway, gateway, sizeof(gateway));
	return read_aux(aux, network, err);
}

static int read_pools(
	json_t *pools,
	const struct pool_words *words,
	struct driver_network *network,
	struct rwy_err *err
)
{
	size_t i;
	json_t *pool;
	int r = 0;
	json_array_foreach(pools, i, pool)
	{
		if (!r)
			r = read_pool(pool, words, network, err);
	}
	return r;
}

// No host's address is in a network of functions. Docker picks a gateway all the same, which containers get as their default
// route, as on its own networks of a NIC, unless ringway.gateway=off says that there is none.
static void settle_gateway(struct driver_network *network)
{
	struct network_spec *spec = &network->spec;
	if (!driver_network_is_sriov(spec))
		return;
	if (spec->no_gateway)
		spec->gateway[0] = spec->gateway6[0] = '\0';
	spec->no_gateway = true;
}

int driver_parse_network(json_t *body, struct driver_network *ret_network, struct rwy_err *err)
{
	struct driver_network network = {.spec.functions = NETWORK_FUNCTIONS_NONE};
	json_t *options = NULL, *generic = NULL, *v4 = NULL, *v6 = NULL;
	int r = parse_get_id(body, "NetworkID", network.id, err);
	if (!r)
		r = parse_get_object(body, "Options", &options, err);
	if (!r)
		r = parse_get_object(options, "com.docker.network.generic", &generic, err);
	if (!r)
		r = read_options(generic, &network, err);
	if (!r)
		r = parse_get_array(body, "IPv4Data", &v4, err);
	if (!r)
		r = parse_get_array(body, "IPv6Data", &v6, err);
	if (!r)
		r = read_pools(v4, &call_words, &network, err);
	if (!r)
		r = read_pools(v6, &call_words, &network, err);
	if (r)
		return err_prefix(err, "cannot create network '%.12s': ", network.id);
	network.spec.internal =
		json_is_true(json_object_get(options, "com.docker.network.internal"));
	settle_gateway(&network);
	*ret_network = network;
	return 0;
}

// The range that an engine picks addresses from, which driver calls do not tell.
static int read_range(json_t *pools, struct driver_network *network, struct rwy_err *err)
{
	size_t i;
	json_t *pool;
	json_array_foreach(pools, i, pool)
	{
		char range[ADDR_TEXT_SIZE] = "";
		int r = parse_get_string(pool, "IPRange", range, sizeof(range), err);
		if (r)
			return r;
		// A network of ours has one; that of IPv4 comes first.
		if (range[0] && (!network->spec.ip_range[0] || !strchr(range, ':')))
			memcpy(network->spec.ip_range, range, sizeof(range));
	}
	return 0;
}

// The engine keeps a subnet of IPv6 also where it was not to use it.
static json_t *pools_in_use(json_t *config, bool v6)
{
	json_t *used = json_array();
	size_t i;
	json_t *pool;
	json_array_foreach(config, i, pool)
	{
		const char *subnet = json_string_value(json_object_get(pool, "Subnet"));
		if (v6 || !subnet || !strchr(subnet, ':'))
			(void)json_array_append(used, pool); // Without memory it has no subnet.
	}
	return used;
}

// The engine lists a gateway that somebody named, but not one that it picked itself: that is the first address of the
// range, or else of the subnet, since it is picked before all others.
static void pick_gateway(const char *subnet, const char *range, char ret_gateway[ADDR_TEXT_SIZE])
{
	struct cidr net, address;
	if (ret_gateway[0] || cidr_parse(subnet, &net))
		return;
	bool ranged = cidr_parse(range, &address) == 0 && cidr_contains(&net, &address);
	if (!ranged)
		address = net;
	if (cidr_equal(&net, &address))
		address.bytes[address.size - 1] |= 1;
	if (!cidr_is_reserved(&net, &address))
		cidr_format_address(&address, ret_gateway);
}

static int read_listed_pools(json_t *object, struct driver_network *network, struct rwy_err *err)
{
	json_t *ipam = NULL, *config = NULL;
	int r = parse_get_object(object, "IPAM", &ipam, err);
	if (!r)
		r = parse_get_array(ipam, "Config", &config, err);
	if (r)
		return r;
	_cleanup_json_ json_t *used =
		pools_in_use(config, json_is_true(json_object_get(object, "EnableIPv6")));
	r = read_pools(used, &list_words, network, err);
	return r ? r : read_range(used, network, err);
}

int driver_parse_listed(
	json_t *object,
	struct driver_network *ret_network,
	char *ret_name,
	struct rwy_err *err
)
{
	struct driver_network network = {.spec.functions = NETWORK_FUNCTIONS_NONE};
	json_t *options = NULL;
	int r = parse_get_id(object, "Id", network.id, err);
	if (!r)
		r = parse_get_object(object, "Options", &options, err);
	if (!r)
		r = read_options(options, &network, err);
	if (!r)
		r = read_listed_pools(object, &network, err);
	if (r)
		return err_prefix(err, "cannot use Docker's network '%.12s': ", network.id);
	struct network_spec *spec = &network.spec;
	spec->internal = json_is_true(json_object_get(object, "Internal"));
	if (!spec->internal) {
		pick_gateway(spec->subnet, spec->ip_range, spec->gateway);
		pick_gateway(spec->subnet6, spec->ip_range, spec->gateway6);
	}
	settle_gateway(&network);
	*ret_network = network;
	const char *name = json_string_value(json_object_get(object, "Name"));
	ret_name[0] = '\0';
	if (name && driver_name_is_valid(name))
		memcpy(ret_name, name, strlen(name) + 1);
	return 0;
}
