// SPDX-License-Identifier: BSD-3-Clause
// Reads networks: those of CreateNetwork (libnetwork's remote driver, docs/remote.md there) and those of the engine's
// lists. Unknown members are the engine's business; unknown options are refused by name, since a mistyped option that
// does nothing costs somebody an evening. Pure; any thread.
#include "daemon/docker/parse.h"
#include "daemon/docker/parse_value.h"

#include <errno.h>
#include <string.h>

static int read_network_option(
	const char *name,
	json_t *value,
	struct driver_network *network,
	struct rwy_err *err
)
{
	if (!json_is_string(value))
		return err_set(err, -EINVAL, "option '%s' is not a string", name);
	const char *text = json_string_value(value);
	if (strcmp(name, "mtu") == 0 || strcmp(name, "com.docker.network.driver.mtu") == 0)
		return parse_read_number(name, text, 68, 65535, &network->mtu, err);
	if (strcmp(name, OPTION_PREFIX "name") == 0)
		return parse_read_name(name, text, network->name, err);
	err_set(err, -EINVAL, "option '%.80s' is unknown", name);
	return err_hint(err, "known: mtu, com.docker.network.driver.mtu, ringway.name");
}

static int read_network_options(
	json_t *options,
	struct driver_network *network,
	struct rwy_err *err
)
{
	const char *name;
	json_t *value;
	json_object_foreach(options, name, value)
	{
		int r = read_network_option(name, value, network, err);
		if (r)
			return r;
	}
	return 0;
}

// One pool of addresses. A pool of no address ("0.0.0.0/0") is that of Docker's null address management.
static int read_pool(
	json_t *pool,
	const char *subnet_member,
	struct driver_network *network,
	struct rwy_err *err
)
{
	if (!json_is_object(pool))
		return err_set(err, -EINVAL, "a pool of addresses is not an object");
	int r = parse_get_string(
		pool, subnet_member, network->subnet, sizeof(network->subnet), err
	);
	if (!r)
		r = parse_get_string(
			pool, "Gateway", network->gateway, sizeof(network->gateway), err
		);
	if (r)
		return r;
	if (strcmp(network->subnet, "0.0.0.0/0") == 0)
		network->subnet[0] = '\0';
	if (!network->subnet[0])
		network->gateway[0] = '\0';
	network->gateway[strcspn(network->gateway, "/")] = '\0';
	return 0;
}

// A network of ours has one subnet: the first of IPv4, or else the first of IPv6.
static int read_pools(json_t *body, struct driver_network *network, struct rwy_err *err)
{
	json_t *v4 = NULL, *v6 = NULL;
	int r = parse_get_array(body, "IPv4Data", &v4, err);
	if (!r)
		r = parse_get_array(body, "IPv6Data", &v6, err);
	if (r)
		return r;
	if (json_array_size(v4) > 1) {
		err_set(err, -EINVAL, "it has %zu subnets", json_array_size(v4));
		return err_hint(err, "give one --subnet");
	}
	if (json_array_size(v4))
		return read_pool(json_array_get(v4, 0), "Pool", network, err);
	if (json_array_size(v6))
		return read_pool(json_array_get(v6, 0), "Pool", network, err);
	return 0;
}

int driver_parse_network(json_t *body, struct driver_network *ret_network, struct rwy_err *err)
{
	struct driver_network network = {0};
	json_t *options = NULL, *generic = NULL;
	int r = parse_get_id(body, "NetworkID", network.id, err);
	if (!r)
		r = parse_get_object(body, "Options", &options, err);
	if (!r)
		r = parse_get_object(options, "com.docker.network.generic", &generic, err);
	if (!r)
		r = read_network_options(generic, &network, err);
	if (!r)
		r = read_pools(body, &network, err);
	if (r)
		return err_prefix(err, "cannot create network '%.12s': ", network.id);
	*ret_network = network;
	return 0;
}

int driver_parse_listed(
	json_t *object,
	struct driver_network *ret_network,
	char *ret_name,
	struct rwy_err *err
)
{
	struct driver_network network = {0};
	json_t *options = NULL, *ipam = NULL, *config = NULL;
	int r = parse_get_id(object, "Id", network.id, err);
	if (!r)
		r = parse_get_object(object, "Options", &options, err);
	if (!r)
		r = read_network_options(options, &network, err);
	if (!r)
		r = parse_get_object(object, "IPAM", &ipam, err);
	if (!r)
		r = parse_get_array(ipam, "Config", &config, err);
	if (!r && json_array_size(config))
		r = read_pool(json_array_get(config, 0), "Subnet", &network, err);
	if (r)
		return err_prefix(err, "cannot use Docker's network '%.12s': ", network.id);
	*ret_network = network;
	const char *name = json_string_value(json_object_get(object, "Name"));
	ret_name[0] = '\0';
	if (name && driver_name_is_valid(name))
		memcpy(ret_name, name, strlen(name) + 1);
	return 0;
}
