// SPDX-License-Identifier: BSD-3-Clause
// Reads the bodies of driver calls (libnetwork's remote driver, docs/remote.md there) and the engine's
// lists of networks. Unknown members are the engine's business; unknown options are refused by name, since
// a mistyped option that does nothing costs somebody an evening. Pure; any thread.
#include "daemon/docker/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_PREFIX "ringway."
#define MEMORY_MIB_MAX 1048576

// Copies a string member. Absent, null and empty are the same to Docker (Go's zero values).
static int get_string(
	json_t *object,
	const char *member,
	char *ret_text,
	size_t size,
	struct rwy_err *err
)
{
	json_t *value = json_object_get(object, member);
	if (value && !json_is_string(value) && !json_is_null(value))
		return err_set(err, -EINVAL, "'%s' is not a string", member);
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	if (strlen(text) >= size)
		return err_set(
			err, -EINVAL, "'%s' is longer than %zu characters", member, size - 1
		);
	memcpy(ret_text, text, strlen(text) + 1);
	return 0;
}

static int get_id(
	json_t *object,
	const char *member,
	char ret_id[DOCKER_ID_SIZE],
	struct rwy_err *err
)
{
	char id[DOCKER_ID_SIZE] = "";
	int r = get_string(object, member, id, sizeof(id), err);
	if (r)
		return r;
	if (!*id)
		return err_set(err, -EINVAL, "'%s' is missing", member);
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p))
			return err_set(
				err, -EINVAL, "'%s' is not an identifier of Docker's", member
			);
	memcpy(ret_id, id, sizeof(id));
	return 0;
}

// An object member; absent and null give NULL and success.
static int get_object(json_t *object, const char *member, json_t **ret_value, struct rwy_err *err)
{
	json_t *value = json_object_get(object, member);
	if (json_is_null(value))
		value = NULL;
	if (value && !json_is_object(value))
		return err_set(err, -EINVAL, "'%s' is not an object", member);
	*ret_value = value;
	return 0;
}

static int read_number(
	const char *name,
	const char *text,
	uint32_t min,
	uint32_t max,
	uint32_t *ret_value,
	struct rwy_err *err
)
{
	char *end = NULL;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	// strtoul() takes signs and blanks, a number of ours has none.
	bool digits = isdigit((unsigned char)*text) && !*end;
	if (!digits || errno || value < min || value > max)
		return err_set(
			err,
			-EINVAL,
			"option '%s' is '%s', not a number from %u to %u",
			name,
			text,
			min,
			max
		);
	*ret_value = (uint32_t)value;
	return 0;
}

bool driver_name_is_valid(const char *name)
{
	size_t length = strlen(name);
	if (!length || length >= NAME_SIZE || !isalnum((unsigned char)*name))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return false;
	return true;
}

bool driver_key_is_valid(const char *key)
{
	return strlen(key) == KEY_SIZE - 1 && strspn(key, "0123456789abcdef") == KEY_SIZE - 1;
}

static int read_name(const char *option, const char *text, char *ret_name, struct rwy_err *err)
{
	if (!driver_name_is_valid(text)) {
		err_set(err, -EINVAL, "option '%s' is '%.80s', not a name", option, text);
		return err_hint(
			err,
			"1 to 63 letters, digits, '.', '_', '-', beginning with a letter or digit"
		);
	}
	memcpy(ret_name, text, strlen(text) + 1);
	return 0;
}

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
		return read_number(name, text, 68, 65535, &network->mtu, err);
	if (strcmp(name, OPTION_PREFIX "name") == 0)
		return read_name(name, text, network->name, err);
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
	int r = get_string(pool, subnet_member, network->subnet, sizeof(network->subnet), err);
	if (!r)
		r = get_string(pool, "Gateway", network->gateway, sizeof(network->gateway), err);
	if (r)
		return r;
	if (strcmp(network->subnet, "0.0.0.0/0") == 0)
		network->subnet[0] = '\0';
	if (!network->subnet[0])
		network->gateway[0] = '\0';
	network->gateway[strcspn(network->gateway, "/")] = '\0';
	return 0;
}

static int get_array(json_t *object, const char *member, json_t **ret_value, struct rwy_err *err)
{
	json_t *value = json_object_get(object, member);
	if (value && !json_is_array(value) && !json_is_null(value))
		return err_set(err, -EINVAL, "'%s' is not an array", member);
	*ret_value = json_is_array(value) ? value : NULL;
	return 0;
}

// A network of ours has one subnet: the first of IPv4, or else the first of IPv6.
static int read_pools(json_t *body, struct driver_network *network, struct rwy_err *err)
{
	json_t *v4 = NULL, *v6 = NULL;
	int r = get_array(body, "IPv4Data", &v4, err);
	if (!r)
		r = get_array(body, "IPv6Data", &v6, err);
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
	int r = get_id(body, "NetworkID", network.id, err);
	if (!r)
		r = get_object(body, "Options", &options, err);
	if (!r)
		r = get_object(options, "com.docker.network.generic", &generic, err);
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
	int r = get_id(object, "Id", network.id, err);
	if (!r)
		r = get_object(object, "Options", &options, err);
	if (!r)
		r = read_network_options(options, &network, err);
	if (!r)
		r = get_object(object, "IPAM", &ipam, err);
	if (!r)
		r = get_array(ipam, "Config", &config, err);
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

static int read_mac(
	const char *what,
	const char *text,
	uint8_t ret_mac[MAC_SIZE],
	struct rwy_err *err
)
{
	uint8_t mac[MAC_SIZE] = {0};
	if (mac_parse(text, mac) || mac_is_zero(mac))
		return err_set(err, -EINVAL, "%s '%.40s' is not a MAC address", what, text);
	if (mac_is_multicast(mac)) {
		err_set(err, -EINVAL, "MAC address %s is a multicast address", text);
		return err_hint(err, "the first octet must be even, for example 02:..");
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

static int read_option_mac(const char *text, struct driver_endpoint *endpoint, struct rwy_err *err)
{
	uint8_t mac[MAC_SIZE] = {0};
	int r = read_mac("option 'ringway.mac'", text, mac, err);
	if (r)
		return r;
	// Docker fails an endpoint whose driver changes the address that it gave itself.
	if (endpoint->mac_given && memcmp(mac, endpoint->mac, MAC_SIZE) != 0) {
		err_set(err, -EINVAL, "option 'ringway.mac' and Docker's MAC address differ");
		return err_hint(err, "give one of the two");
	}
	memcpy(endpoint->mac, mac, sizeof(mac));
	return 0;
}

static int read_switch(const char *name, const char *text, bool *ret_on, struct rwy_err *err)
{
	bool on = strcmp(text, "on") == 0;
	if (!on && strcmp(text, "off") != 0)
		return err_set(err, -EINVAL, "option '%s' is '%.40s', not on or off", name, text);
	*ret_on = on;
	return 0;
}

static int read_offloads(
	const char *name,
	const char *text,
	struct driver_endpoint *endpoint,
	struct rwy_err *err
)
{
	bool on = true;
	int r = read_switch(name, text, &on, err);
	endpoint->no_offloads = !on;
	return r;
}

// -ENOENT: the word is no limit's.
static int read_limit(
	const char *word,
	const char *text,
	struct driver_endpoint *endpoint,
	struct rwy_err *err
)
{
	static const char *const words[PORT_LIMITS_OPTION_COUNT] = {"rate", "burst", "flood-rate"};
	for (int i = 0; i < PORT_LIMITS_OPTION_COUNT; i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		if (port_limits_parse((enum port_limits_option)i, text, &endpoint->limits, err))
			return err_prefix(err, "option '" OPTION_PREFIX "%s': ", word);
		return 0;
	}
	return -ENOENT;
}

static int read_key(const char *text, struct driver_endpoint *endpoint, struct rwy_err *err)
{
	if (!driver_key_is_valid(text))
		return err_set(
			err,
			-EINVAL,
			"option 'ringway.key' is '%.40s', not a key of 16 hexadecimal digits",
			text
		);
	memcpy(endpoint->key, text, KEY_SIZE);
	return 0;
}

static int read_small(
	const char *name,
	const char *text,
	uint32_t min,
	uint32_t max,
	uint16_t *ret_value,
	struct rwy_err *err
)
{
	uint32_t value = 0;
	int r = read_number(name, text, min, max, &value, err);
	if (!r)
		*ret_value = (uint16_t)value;
	return r;
}

static int read_endpoint_option(
	const char *name,
	const char *text,
	struct driver_endpoint *endpoint,
	struct rwy_err *err
)
{
	const char *word = name + strlen(OPTION_PREFIX);
	if (strcmp(word, "attach") == 0)
		return 0; // Looked at before all others.
	if (strcmp(word, "key") == 0)
		return read_key(text, endpoint, err);
	if (strcmp(word, "index") == 0)
		return read_small(name, text, 0, QUEUES_MAX - 1, &endpoint->index, err);
	if (strcmp(word, "name") == 0)
		return read_name(name, text, endpoint->name, err);
	if (strcmp(word, "mac") == 0)
		return read_option_mac(text, endpoint, err);
	if (strcmp(word, "queues") == 0)
		return read_small(name, text, 1, QUEUES_MAX, &endpoint->queues, err);
	if (strcmp(word, "learning") == 0)
		return read_switch(name, text, &endpoint->learning, err);
	if (strcmp(word, "offloads") == 0)
		return read_offloads(name, text, endpoint, err);
	if (strcmp(word, "memory") == 0)
		return read_number(name, text, 16, MEMORY_MIB_MAX, &endpoint->memory_mib, err);
	int r = read_limit(word, text, endpoint, err);
	if (r != -ENOENT)
		return r;
	err_set(err, -EINVAL, "endpoint option '%.80s' is unknown", name);
	return err_hint(
		err,
		"known: ringway.attach, key, index, name, mac, queues, learning, offloads, rate, burst, "
		"flood-rate, memory"
	);
}

// Kernel interfaces will be the default one day; until then asking for nothing must not give a container that
// has no network without a word.
static int check_attach(json_t *options, struct rwy_err *err)
{
	json_t *attach = json_object_get(options, OPTION_PREFIX "attach");
	if (json_is_string(attach) && strcmp(json_string_value(attach), "vhost") == 0)
		return 0;
	if (attach)
		err_set(err,
			-EINVAL,
			"endpoint option 'ringway.attach' is '%.40s'; only vhost is there",
			json_is_string(attach) ? json_string_value(attach) : "no string");
	else
		err_set(err, -EINVAL, "kernel interfaces are not there yet");
	return err_hint(
		err, "use `ringway run`, or --network name=NET,driver-opt=ringway.attach=vhost"
	);
}

static int read_endpoint_options(
	json_t *options,
	struct driver_endpoint *endpoint,
	struct rwy_err *err
)
{
	int r = check_attach(options, err);
	const char *name;
	json_t *value;
	json_object_foreach(options, name, value)
	{
		if (r)
			break;
		if (strncmp(name, OPTION_PREFIX, strlen(OPTION_PREFIX)) != 0)
			continue; // Docker's own (exposed ports, ..) and other people's.
		r = json_is_string(value)
			? read_endpoint_option(name, json_string_value(value), endpoint, err)
			: err_set(err, -EINVAL, "option '%.80s' is not a string", name);
	}
	return r;
}

static int read_interface(json_t *body, struct driver_endpoint *endpoint, struct rwy_err *err)
{
	json_t *interface = NULL;
	char mac[64] = "";
	int r = get_object(body, "Interface", &interface, err);
	if (!r)
		r = get_string(interface, "Address", endpoint->ip, sizeof(endpoint->ip), err);
	if (!r && !endpoint->ip[0])
		r = get_string(interface, "AddressIPv6", endpoint->ip, sizeof(endpoint->ip), err);
	if (!r)
		r = get_string(interface, "MacAddress", mac, sizeof(mac), err);
	endpoint->mac_given = mac[0] != '\0';
	if (!r && endpoint->mac_given)
		r = read_mac("Docker's", mac, endpoint->mac, err);
	return r;
}

int driver_parse_endpoint(json_t *body, struct driver_endpoint *ret_endpoint, struct rwy_err *err)
{
	struct driver_endpoint endpoint = {0};
	json_t *options = NULL;
	int r = get_id(body, "NetworkID", endpoint.network_id, err);
	if (!r)
		r = get_id(body, "EndpointID", endpoint.id, err);
	if (!r)
		r = read_interface(body, &endpoint, err);
	if (!r)
		r = get_object(body, "Options", &options, err);
	if (!r)
		r = read_endpoint_options(options, &endpoint, err);
	if (r)
		return err_prefix(err, "cannot create endpoint '%.12s': ", endpoint.id);
	*ret_endpoint = endpoint;
	return 0;
}

int driver_parse_ids(
	json_t *body,
	enum driver_ids_want want,
	struct driver_ids *ret_ids,
	struct rwy_err *err
)
{
	struct driver_ids ids = {0};
	int r = get_id(body, "NetworkID", ids.network_id, err);
	if (!r && want != DRIVER_IDS_NETWORK)
		r = get_id(body, "EndpointID", ids.endpoint_id, err);
	if (!r && want == DRIVER_IDS_SANDBOX)
		r = get_string(body, "SandboxKey", ids.sandbox, sizeof(ids.sandbox), err);
	if (r)
		return err_prefix(err, "cannot read the engine's call: ");
	*ret_ids = ids;
	return 0;
}
