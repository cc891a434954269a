// SPDX-License-Identifier: BSD-3-Clause
// Reads --network of ringway run. Pure; any thread.
#include "cli/runnet.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct rwy_err *err)
{
	return err_set(err, -ENOMEM, "cannot read the command line: no memory");
}

// Cuts the next field of comma-separated values off *at, without its quotes. The caller frees it.
// NULL at the end.
static char *next_field(const char **at)
{
	if (!*at)
		return NULL;
	char *field = malloc(strlen(*at) + 1);
	char *end = field;
	bool quoted = false;
	const char *from = *at;
	if (!field)
		return NULL;
	for (; *from && (quoted || *from != ','); from++) {
		if (*from != '"')
			*end++ = *from;
		else if (quoted && from[1] == '"')
			*end++ = *++from;
		else
			quoted = !quoted;
	}
	*end = '\0';
	*at = *from ? from + 1 : NULL;
	return field;
}

static int set_once(char **member, const char *key, const char *value, struct rwy_err *err)
{
	if (*member)
		return err_set(err, -EINVAL, "--network has '%s' twice", key);
	*member = strdup(value);
	return *member ? 0 : no_memory(err);
}

static bool is_docker_field(const char *key)
{
	static const char *const keys[] = {"alias", "ip6", "link-local-ip", "gw-priority"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

// -1: the key is no limit's.
static int limit_option(const char *key)
{
	static const char *const keys[PORT_LIMITS_OPTION_COUNT] = {"rate", "burst", "flood-rate"};
	for (int i = 0; i < PORT_LIMITS_OPTION_COUNT; i++)
		if (strcmp(keys[i], key) == 0)
			return i;
	return -1;
}

static int add_limit(char **member, const char *value, struct rwy_err *err)
{
	char *joined = NULL;
	const char *before = *member ? *member : "";
	if (asprintf(&joined, "%s%s%s", before, *before ? " " : "", value) < 0)
		return no_memory(err);
	free(*member);
	*member = joined;
	return 0;
}

// `field` is "key=value"; its '=' becomes the key's end.
static int take_pair(struct run_network *network, char *field, struct rwy_err *err)
{
	char *value = strchr(field, '=');
	*value++ = '\0';
	if (strcmp(field, "name") == 0)
		return set_once(&network->name, field, value, err);
	if (strcmp(field, "mac") == 0 || strcmp(field, "mac-address") == 0)
		return set_once(&network->mac, field, value, err);
	if (strcmp(field, "ip") == 0)
		return set_once(&network->ip, field, value, err);
	if (strcmp(field, "attach") == 0)
		return set_once(&network->attach, field, value, err);
	if (strcmp(field, "queues") == 0)
		return set_once(&network->queues, field, value, err);
	if (strcmp(field, "vfs") == 0)
		return set_once(&network->vfs, field, value, err);
	if (strcmp(field, "function") == 0)
		return set_once(&network->function, field, value, err);
	if (strcmp(field, "learning") == 0)
		return set_once(&network->learning, field, value, err);
	if (strcmp(field, "offloads") == 0)
		return set_once(&network->offloads, field, value, err);
	if (strcmp(field, "allow-spoof") == 0)
		return set_once(&network->allow_spoof, field, value, err);
	if (strcmp(field, "pin-address") == 0)
		return set_once(&network->pin_address, field, value, err);
	int limit = limit_option(field);
	if (limit >= 0)
		return add_limit(&network->limits[limit], value, err);
	if (strcmp(field, "driver-opt") == 0)
		strv_add(&network->driver_opts, value);
	else if (is_docker_field(field))
		strv_addf(&network->fields, "%s=%s", field, value);
	else
		return err_set(err, -EINVAL, "--network has no option '%s'", field);
	return network->driver_opts.failed || network->fields.failed ? no_memory(err) : 0;
}

static int take_fields(struct run_network *network, const char *text, struct rwy_err *err)
{
	for (const char *at = text; at;) {
		_cleanup_free_ char *field = next_field(&at);
		bool first = !network->name && !network->mac && !network->ip;
		int r;
		if (!field)
			return no_memory(err);
		if (strchr(field, '='))
			r = take_pair(network, field, err);
		else if (!first && strcmp(field, "allow-spoof") == 0)
			r = set_once(&network->allow_spoof, field, "on", err);
		else if (!first && strcmp(field, "pin-address") == 0)
			r = set_once(&network->pin_address, field, "on", err);
		else if (first)
			r = set_once(&network->name, "name", field, err);
		else
			r = err_set(err, -EINVAL, "--network: '%s' is no option=value", field);
		if (r)
			return r;
	}
	if (!network->name || !network->name[0])
		return err_set(err, -EINVAL, "--network '%s' names no network", text);
	return 0;
}

int run_network_add(struct run_line *line, const char *text, struct rwy_err *err)
{
	struct run_network network = {0};
	if (line->network_count == RUN_NETWORKS_MAX)
		return err_set(
			err, -EINVAL, "a container has at most %d networks", RUN_NETWORKS_MAX
		);
	int r = take_fields(&network, text, err);
	if (r) {
		run_network_fini(&network);
		return r;
	}
	line->networks[line->network_count++] = network;
	return 0;
}

static int check_number(const char *name, const char *text, struct rwy_err *err)
{
	char *end = NULL;
	errno = 0;
	if (!text)
		return 0;
	long number = strtol(text, &end, 10);
	if (end == text || *end || errno || number < 1)
		return err_set(
			err, -EINVAL, "%s must be a whole number from 1 on, not '%s'", name, text
		);
	return 0;
}

long run_number(const char *text)
{
	return text ? strtol(text, NULL, 10) : 0;
}

static int check_on_off(const char *name, const char *text, struct rwy_err *err)
{
	if (!text || strcmp(text, "on") == 0 || strcmp(text, "off") == 0)
		return 0;
	return err_set(err, -EINVAL, "%s must be on or off, not '%s'", name, text);
}

bool run_network_is_kernel(const struct run_network *network)
{
	return network->attach && strcmp(network->attach, "kernel") == 0;
}

static bool is_attached(const struct run_network *network, const char *attach)
{
	return network->attach && strcmp(network->attach, attach) == 0;
}

// What one attachment has and another has not. Where none is said, ringwayd knows which it will be.
static int check_attach(const struct run_network *network, struct rwy_err *err)
{
	bool vhost = is_attached(network, "vhost");
	bool function = is_attached(network, "vf") || is_attached(network, "vf-kernel");
	const char *wrong = NULL;
	if (!network->attach)
		return 0;
	if (!vhost && !function && !run_network_is_kernel(network))
		return err_set(
			err,
			-EINVAL,
			"attach must be vhost, kernel, vf or vf-kernel, not '%s'",
			network->attach
		);
	if (!vhost && (network->queues || network->offloads))
		return err_set(
			err,
			-EINVAL,
			"'%s' goes with attach=vhost: the %s of network '%s' has none",
			network->queues ? "queues" : "offloads",
			function ? "function" : "interface",
			network->name
		);
	if (!function && network->function)
		wrong = "function";
	if (!function && network->vfs)
		wrong = "vfs";
	if (!wrong)
		return 0;
	return err_set(
		err,
		-EINVAL,
		"'%s' goes with attach=vf: network '%s' is to give no function",
		wrong,
		network->name
	);
}

static int parse_limits(
	const struct run_network *network,
	struct port_limits_given *given,
	struct rwy_err *err
)
{
	int r = 0;
	for (int i = 0; i < PORT_LIMITS_OPTION_COUNT && !r; i++)
		if (network->limits[i])
			r = port_limits_parse(
				(enum port_limits_option)i, network->limits[i], given, err
			);
	return r;
}

struct port_limits_given run_network_limits(const struct run_network *network)
{
	struct port_limits_given given = {0};
	(void)parse_limits(network, &given, NULL); // Checked before.
	return given;
}

static int check_network(const struct run_network *network, struct rwy_err *err)
{
	struct port_limits_given given = {0};
	int r = check_attach(network, err);
	if (!r)
		r = check_on_off("learning", network->learning, err);
	if (!r)
		r = check_on_off("offloads", network->offloads, err);
	if (!r)
		r = check_on_off("allow-spoof", network->allow_spoof, err);
	if (!r)
		r = check_on_off("pin-address", network->pin_address, err);
	if (!r)
		r = parse_limits(network, &given, err);
	if (!r)
		r = check_number("queues", network->queues, err);
	return r ? r : check_number("vfs", network->vfs, err);
}

static int finish_first(struct run_line *line, struct rwy_err *err)
{
	struct run_network *first = &line->networks[0];
	if (line->ip && first->ip)
		return err_set(err, -EINVAL, "--ip, and --network with ip=, contradict each other");
	if (line->mac && first->mac)
		return err_set(
			err,
			-EINVAL,
			"--mac-address, and --network with mac=, contradict each other"
		);
	int r = line->ip ? set_once(&first->ip, "ip", line->ip, err) : 0;
	if (!r && line->mac)
		r = set_once(&first->mac, "mac", line->mac, err);
	return r;
}

// Only an ordinary interface has ports that can be published; docker would say nothing.
static int check_publish(const struct run_line *line, struct rwy_err *err)
{
	if (!line->publishes || !line->network_count)
		return 0;
	for (size_t i = 0; i < line->network_count; i++)
		if (run_network_is_kernel(&line->networks[i]))
			return 0;
	err_set(err, -EINVAL, "ports of vhost ports and functions cannot be published (-p)");
	return err_hint(err, "give the container an interface too: --network NET,attach=kernel");
}

int run_network_finish(struct run_line *line, struct rwy_err *err)
{
	int r = finish_first(line, err);
	if (!r)
		r = check_publish(line, err);
	if (!r)
		r = check_number("queues", line->queues, err);
	if (!r)
		r = check_number("vfs", line->vfs, err);
	for (size_t i = 0; !r && i < line->network_count; i++)
		r = check_network(&line->networks[i], err);
	return r;
}

void run_network_fini(struct run_network *network)
{
	free(network->name);
	free(network->mac);
	free(network->ip);
	free(network->attach);
	free(network->queues);
	free(network->vfs);
	free(network->function);
	free(network->learning);
	free(network->offloads);
	free(network->allow_spoof);
	free(network->pin_address);
	for (int i = 0; i < PORT_LIMITS_OPTION_COUNT; i++)
		free(network->limits[i]);
	strv_fini(&network->fields);
	strv_fini(&network->driver_opts);
}
