// SPDX-License-Identifier: BSD-3-Clause
// Reads endpoints: the body of CreateEndpoint with its options, and the ids that all other calls consist of. Unknown
// options of ours are refused by name. Pure; any thread.
#include "base/cpumask.h"
#include "daemon/docker/parse.h"
#include "daemon/docker/parse_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_MIB_MAX 1048576
#define UID_LAST 4294967294U // (uid_t)-1 is nobody's.

static int read_option_mac(const char *text, struct driver_endpoint *endpoint, struct rwy_err *err)
{
	uint8_t mac[MAC_SIZE] = {0};
	int r = parse_read_mac("option 'ringway.mac'", text, mac, err);
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

static int read_offloads(
	const char *name,
	const char *text,
	struct driver_endpoint *endpoint,
	struct rwy_err *err
)
{
	bool on = true;
	int r = parse_read_switch(name, text, &on, err);
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

static const char *const attach_words[DRIVER_ATTACH_COUNT] = {
	[DRIVER_ATTACH_KERNEL] = "kernel",
	[DRIVER_ATTACH_VHOST] = "vhost",
	[DRIVER_ATTACH_VF] = "vf",
	[DRIVER_ATTACH_VF_KERNEL] = "vf-kernel",
};

const char *driver_attach_text(enum driver_attach attach, const char *network_driver)
{
	if (attach != DRIVER_ATTACH_DEFAULT)
		return attach_words[attach];
	return strcmp(network_driver, "sriov") == 0 ? "vf-kernel" : "kernel";
}

static int read_attach(const char *text, struct driver_endpoint *endpoint, struct rwy_err *err)
{
	for (int i = DRIVER_ATTACH_DEFAULT + 1; i < DRIVER_ATTACH_COUNT; i++) {
		if (strcmp(text, attach_words[i]) != 0)
			continue;
		endpoint->attach = (enum driver_attach)i;
		return 0;
	}
	err_set(err, -EINVAL, "endpoint option 'ringway.attach' is '%.40s'", text);
	return err_hint(
		err,
		"kernel is an ordinary interface, vhost a socket, vf a NIC's function, vf-kernel "
		"its interface"
	);
}

static int read_cpus(const char *text, struct driver_endpoint *endpoint, struct rwy_err *err)
{
	int r = cpumask_parse(text, &endpoint->cpus, err);
	return r ? err_prefix(err, "option 'ringway.cpus': ") : 0;
}

// Addresses with blanks between.
static int read_functions(const char *text, struct driver_endpoint *endpoint, struct rwy_err *err)
{
	const char *at = text;
	uint16_t count = 0;
	do {
		char word[32];
		size_t length = strcspn(at, " ");
		if (count == QUEUES_MAX)
			return err_set(
				err,
				-EINVAL,
				"option 'ringway.function' has more than %d addresses",
				QUEUES_MAX
			);
		(void)snprintf(word, sizeof(word), "%.*s", (int)length, at); // Cut: no address.
		int r = parse_read_function(
			"option 'ringway.function'", word, endpoint->functions[count++], err
		);
		if (r)
			return r;
		at += length;
	} while (*at++ == ' ');
	endpoint->function_count = count;
	return 0;
}

// Options of functions. -ENOENT: the word is none.
static int read_function_option(
	const char *name,
	const char *text,
	struct driver_endpoint *endpoint,
	struct rwy_err *err
)
{
	const char *word = name + strlen(OPTION_PREFIX);
	if (strcmp(word, "function") == 0)
		return read_functions(text, endpoint, err);
	if (strcmp(word, "vfs") == 0)
		return parse_read_small(name, text, 1, QUEUES_MAX, &endpoint->vfs, err);
	if (strcmp(word, "uid") == 0)
		return parse_read_number(name, text, 0, UID_LAST, &endpoint->owner_uid, err);
	if (strcmp(word, "cpus") == 0)
		return read_cpus(text, endpoint, err);
	return -ENOENT;
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
		return read_attach(text, endpoint, err);
	if (strcmp(word, "key") == 0)
		return read_key(text, endpoint, err);
	if (strcmp(word, "index") == 0)
		return parse_read_small(name, text, 0, QUEUES_MAX - 1, &endpoint->index, err);
	if (strcmp(word, "name") == 0)
		return parse_read_name(name, text, endpoint->name, err);
	if (strcmp(word, "mac") == 0)
		return read_option_mac(text, endpoint, err);
	if (strcmp(word, "queues") == 0)
		return parse_read_small(name, text, 1, QUEUES_MAX, &endpoint->queues, err);
	if (strcmp(word, "learning") == 0)
		return parse_read_switch(name, text, &endpoint->learning, err);
	if (strcmp(word, "allow-spoof") == 0)
		return parse_read_switch(name, text, &endpoint->allow_spoof, err);
	if (strcmp(word, "pin-address") == 0) {
		endpoint->pin_given = true;
		return parse_read_switch(name, text, &endpoint->pin_address, err);
	}
	if (strcmp(word, "offloads") == 0)
		return read_offloads(name, text, endpoint, err);
	if (strcmp(word, "memory") == 0)
		return parse_read_number(
			name, text, 16, MEMORY_MIB_MAX, &endpoint->memory_mib, err
		);
	int r = read_limit(word, text, endpoint, err);
	if (r == -ENOENT)
		r = read_function_option(name, text, endpoint, err);
	if (r != -ENOENT)
		return r;
	err_set(err, -EINVAL, "endpoint option '%.80s' is unknown", name);
	return err_hint(
		err,
		"known: ringway.attach, key, index, name, mac, queues, learning, allow-spoof, "
		"pin-address, offloads, rate, burst, flood-rate, memory, function, vfs, uid, cpus"
	);
}

#define OF(attach) (1U << (attach))
#define FOR_SOCKETS "DPDK applications with a socket (ringway.attach=vhost)"
#define FOR_DPDK "DPDK applications, not for an interface, which the engine moves"
#define FOR_FUNCTIONS "functions (ringway.attach=vf or vf-kernel)"

// What one attachment has and another has not: saying nothing would look as if it did something.
static int check_attach(const struct driver_endpoint *endpoint, struct rwy_err *err)
{
	const unsigned int vhost = OF(DRIVER_ATTACH_VHOST), vf = OF(DRIVER_ATTACH_VF);
	const unsigned int function = vf | OF(DRIVER_ATTACH_VF_KERNEL) | OF(DRIVER_ATTACH_DEFAULT);
	const struct {
		const char *option;
		bool given;
		unsigned int of;
		const char *what;
	} options[] = {
		{"queues", endpoint->queues != 0, vhost, FOR_SOCKETS},
		{"offloads", endpoint->no_offloads, vhost, FOR_SOCKETS},
		{"memory", endpoint->memory_mib != 0, vhost | vf, FOR_DPDK},
		{"uid", endpoint->owner_uid != 0, vf, FOR_DPDK},
		{"vfs", endpoint->vfs > 1, vf, FOR_DPDK},
		{"function", endpoint->function_count != 0, function, FOR_FUNCTIONS},
		{"cpus", endpoint->cpus != 0, function, FOR_FUNCTIONS},
	};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!options[i].given || (options[i].of & OF(endpoint->attach)))
			continue;
		err_set(err,
			-EINVAL,
			"endpoint option 'ringway.%s' is for %s",
			options[i].option,
			options[i].what);
		return err_hint(err, "leave it out, or use `ringway run`");
	}
	return 0;
}

static int read_endpoint_options(
	json_t *options,
	struct driver_endpoint *endpoint,
	struct rwy_err *err
)
{
	int r = 0;
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
	if (!r)
		r = check_attach(endpoint, err);
	if (r || endpoint->function_count <= (endpoint->vfs ? endpoint->vfs : 1))
		return r;
	return err_set(
		err,
		-EINVAL,
		"option 'ringway.function' has %u addresses, of %u functions",
		endpoint->function_count,
		endpoint->vfs ? endpoint->vfs : 1
	);
}

static int read_interface(json_t *body, struct driver_endpoint *endpoint, struct rwy_err *err)
{
	json_t *interface = NULL;
	char mac[64] = "";
	int r = parse_get_object(body, "Interface", &interface, err);
	if (!r)
		r = parse_get_string(interface, "Address", endpoint->ip, sizeof(endpoint->ip), err);
	if (!r)
		r = parse_get_string(
			interface, "AddressIPv6", endpoint->ip6, sizeof(endpoint->ip6), err
		);
	if (!r)
		r = parse_get_string(interface, "MacAddress", mac, sizeof(mac), err);
	endpoint->mac_given = mac[0] != '\0';
	if (!r && endpoint->mac_given)
		r = parse_read_mac("Docker's", mac, endpoint->mac, err);
	return r;
}

int driver_parse_endpoint(json_t *body, struct driver_endpoint *ret_endpoint, struct rwy_err *err)
{
	struct driver_endpoint endpoint = {0};
	json_t *options = NULL;
	int r = parse_get_id(body, "NetworkID", endpoint.network_id, err);
	if (!r)
		r = parse_get_id(body, "EndpointID", endpoint.id, err);
	if (!r)
		r = read_interface(body, &endpoint, err);
	if (!r)
		r = parse_get_object(body, "Options", &options, err);
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
	int r = parse_get_id(body, "NetworkID", ids.network_id, err);
	if (!r && want != DRIVER_IDS_NETWORK)
		r = parse_get_id(body, "EndpointID", ids.endpoint_id, err);
	if (!r && want == DRIVER_IDS_SANDBOX)
		r = parse_get_string(body, "SandboxKey", ids.sandbox, sizeof(ids.sandbox), err);
	if (r)
		return err_prefix(err, "cannot read the engine's call: ");
	*ret_ids = ids;
	return 0;
}
