// SPDX-License-Identifier: BSD-3-Clause
// Validation of networks and ports, with the messages that their users read. No state; any thread.
#include "daemon/model/spec.h"

#include "daemon/model/cidr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_HINT "1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or digit"

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int model_check_name(const char *kind, const char *name, struct rwy_err *err)
{
	size_t length = strlen(name);
	const char *why = NULL;
	if (!length)
		why = "the name is empty";
	else if (length >= NAME_SIZE)
		why = "the name is too long";
	else if (!is_alnum(name[0]))
		why = "the name begins with neither a letter nor a digit";
	for (size_t i = 0; i < length && !why; i++)
		if (!is_alnum(name[i]) && !strchr("._-", name[i]))
			why = "the name has a character that names cannot have";
	if (!why)
		return 0;
	err_set(err, -EINVAL, "cannot create %s '%.80s': %s", kind, name, why);
	err_hint(err, NAME_HINT);
	return -EINVAL;
}

int model_check_key(const char *key, struct rwy_err *err)
{
	if (strlen(key) == KEY_SIZE - 1 && strspn(key, "0123456789abcdef") == KEY_SIZE - 1)
		return 0;
	return err_set(err, -EINVAL, "'%.40s' is no container's key: 16 hexadecimal digits", key);
}

static int check_subnet(struct network_spec *spec, struct cidr *ret_subnet, struct rwy_err *err)
{
	struct cidr subnet;
	if (!strchr(spec->subnet, '/') || cidr_parse(spec->subnet, &subnet)) {
		err_set(err, -EINVAL, "subnet '%s' is malformed", spec->subnet);
		return err_hint(err, "write an address and a prefix, like 10.77.0.0/24");
	}
	struct cidr base = cidr_network(&subnet);
	if (!cidr_equal(&base, &subnet)) {
		char text[ADDR_TEXT_SIZE];
		cidr_format(&base, text);
		err_set(err, -EINVAL, "subnet '%s' has host bits set", spec->subnet);
		return err_hint(err, "write %s", text);
	}
	if (subnet.prefix < 1 || subnet.prefix > subnet.size * 8 - 2) {
		err_set(err, -EINVAL, "subnet '%s' has no usable size", spec->subnet);
		return err_hint(err, "use a prefix from 1 to %u", subnet.size * 8 - 2);
	}
	cidr_format(&subnet, spec->subnet);
	*ret_subnet = subnet;
	return 0;
}

static int check_gateway(struct network_spec *spec, const struct cidr *subnet, struct rwy_err *err)
{
	struct cidr gateway;
	if (strchr(spec->gateway, '/') || cidr_parse(spec->gateway, &gateway)) {
		err_set(err, -EINVAL, "gateway '%s' is malformed", spec->gateway);
		return err_hint(err, "write an address without a prefix, like 10.77.0.1");
	}
	if (!subnet) {
		err_set(err, -EINVAL, "gateway '%s' has no subnet to lie in", spec->gateway);
		return err_hint(err, "give a subnet too");
	}
	if (!cidr_contains(subnet, &gateway) || cidr_is_reserved(subnet, &gateway)) {
		err_set(err,
			-EINVAL,
			"gateway %s is no host's address of subnet %s",
			spec->gateway,
			spec->subnet);
		return err_hint(err, "choose a gateway inside the subnet");
	}
	cidr_format_address(&gateway, spec->gateway);
	return 0;
}

static int check_network_values(struct network_spec *spec, struct rwy_err *err)
{
	struct cidr subnet;
	int r = 0;
	if (spec->subnet[0])
		r = check_subnet(spec, &subnet, err);
	if (!r && spec->gateway[0])
		r = check_gateway(spec, spec->subnet[0] ? &subnet : NULL, err);
	if (r)
		return r;
	if (!spec->mtu)
		spec->mtu = MODEL_MTU_DEFAULT;
	if (spec->mtu < MODEL_MTU_MIN || spec->mtu > MODEL_MTU_MAX) {
		err_set(err, -EINVAL, "MTU %" PRIu32 " is out of range", spec->mtu);
		return err_hint(err, "use %d to %d", MODEL_MTU_MIN, MODEL_MTU_MAX);
	}
	return 0;
}

int model_check_network(struct network_spec *spec, struct rwy_err *err)
{
	struct network_spec checked = *spec;
	int r = model_check_name("network", spec->name, err);
	if (r)
		return r;
	if (check_network_values(&checked, err)) {
		err_prefix(err, "cannot create network '%s': ", spec->name);
		return -EINVAL;
	}
	*spec = checked;
	return 0;
}

int model_check_overlap(
	const struct network_spec *spec,
	const struct network_spec *other,
	struct rwy_err *err
)
{
	struct cidr a;
	struct cidr b;
	if (!spec->subnet[0] || !other->subnet[0] || cidr_parse(spec->subnet, &a) ||
	    cidr_parse(other->subnet, &b) || !cidr_overlaps(&a, &b))
		return 0;
	err_set(err,
		-EEXIST,
		"cannot create network '%s': subnet %s overlaps %s of network '%s'",
		spec->name,
		spec->subnet,
		other->subnet,
		other->name);
	err_hint(err, "choose another subnet");
	return -EEXIST;
}

static int check_port_ip(
	struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
)
{
	struct cidr subnet;
	struct cidr ip;
	struct cidr gateway;
	if (cidr_parse(spec->ip, &ip)) {
		err_set(err, -EINVAL, "address '%s' is malformed", spec->ip);
		return err_hint(err, "write it like 10.77.0.2");
	}
	if (network->subnet[0] && cidr_parse(network->subnet, &subnet) == 0) {
		if (!cidr_contains(&subnet, &ip) || cidr_is_reserved(&subnet, &ip))
			return err_set(
				err,
				-EINVAL,
				"address %s is no host's address of subnet %s",
				spec->ip,
				network->subnet
			);
		if (strchr(spec->ip, '/') && ip.prefix != subnet.prefix)
			return err_set(
				err,
				-EINVAL,
				"address %s has another prefix than subnet %s",
				spec->ip,
				network->subnet
			);
		ip.prefix = subnet.prefix;
	}
	if (network->gateway[0] && cidr_parse(network->gateway, &gateway) == 0 &&
	    cidr_equal(&gateway, &ip))
		return err_set(err, -EINVAL, "address %s is the gateway's", spec->ip);
	cidr_format(&ip, spec->ip);
	return 0;
}

static int check_port_values(
	struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
)
{
	if (strcmp(spec->attach, "vhost") != 0) {
		err_set(err, -EINVAL, "attachment '%s' is not known", spec->attach);
		return err_hint(err, "use vhost");
	}
	if (!mac_is_zero(spec->mac) && mac_is_multicast(spec->mac)) {
		char text[MAC_TEXT_SIZE];
		mac_format(spec->mac, text);
		err_set(err, -EINVAL, "MAC %s is a multicast address", text);
		return err_hint(err, "the first octet must be even, like 02:00:00:00:00:01");
	}
	if (!spec->queues)
		spec->queues = 1;
	if (spec->queues > QUEUES_MAX) {
		err_set(err, -EINVAL, "%u queues are too many", spec->queues);
		return err_hint(err, "use 1 to %d", QUEUES_MAX);
	}
	if (spec->key[0] && spec->index >= MODEL_PLACES)
		return err_set(
			err, -EINVAL, "index %u is not from 0 to %d", spec->index, MODEL_PLACES - 1
		);
	if (spec->connect[0] && spec->connect[0] != '/')
		return err_set(err, -EINVAL, "path '%s' to connect to is relative", spec->connect);
	int r = port_limits_check(&spec->limits, err);
	if (r)
		return r;
	return spec->ip[0] ? check_port_ip(spec, network, err) : 0;
}

int model_check_port(
	struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
)
{
	struct port_spec checked = *spec;
	int r = model_check_name("port", spec->name, err);
	if (r)
		return r;
	if (check_port_values(&checked, network, err)) {
		err_prefix(err, "cannot create port '%s': ", spec->name);
		return -EINVAL;
	}
	*spec = checked;
	return 0;
}

int model_check_clash(
	const struct port_spec *spec,
	const struct port_spec *other,
	struct rwy_err *err
)
{
	struct cidr a;
	struct cidr b;
	if (!mac_is_zero(spec->mac) && memcmp(spec->mac, other->mac, MAC_SIZE) == 0) {
		char text[MAC_TEXT_SIZE];
		mac_format(spec->mac, text);
		err_set(err,
			-EEXIST,
			"cannot create port '%s': MAC %s is taken by port '%s'",
			spec->name,
			text,
			other->name);
		return err_hint(err, "leave the MAC out to get a free one");
	}
	if (!spec->ip[0] || !other->ip[0] || cidr_parse(spec->ip, &a) ||
	    cidr_parse(other->ip, &b) || !cidr_equal(&a, &b))
		return 0;
	return err_set(
		err,
		-EEXIST,
		"cannot create port '%s': address %s is taken by port '%s'",
		spec->name,
		spec->ip,
		other->name
	);
}
