// SPDX-License-Identifier: BSD-3-Clause
// What a port must be like. No state; any thread.
#include "daemon/model/cidr.h"
#include "daemon/model/functions.h"
#include "daemon/model/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// The same address as one that nobody gets. A malformed one was refused with the network.
static int check_aux(const struct network_spec *network, const struct cidr *ip, struct rwy_err *err)
{
	const char *at = network->aux;
	char entry[AUX_TEXT_SIZE];
	while (model_next_aux(&at, entry)) {
		struct cidr aux;
		char *text = strchr(entry, '=');
		if (!text || cidr_parse(text + 1, &aux) || !cidr_equal(&aux, ip))
			continue;
		*text = '\0';
		return err_set(
			err, -EINVAL, "address %s is kept for '%s' by the network", text + 1, entry
		);
	}
	return 0;
}

static int check_in_subnet(
	const char *text,
	const char *subnet_text,
	struct cidr *ip,
	struct rwy_err *err
)
{
	struct cidr subnet;
	if (!subnet_text[0] || cidr_parse(subnet_text, &subnet))
		return 0;
	if (!cidr_contains(&subnet, ip) || cidr_is_reserved(&subnet, ip))
		return err_set(
			err,
			-EINVAL,
			"address %s is no host's address of subnet %s",
			text,
			subnet_text
		);
	if (strchr(text, '/') && ip->prefix != subnet.prefix)
		return err_set(
			err,
			-EINVAL,
			"address %s has another prefix than subnet %s",
			text,
			subnet_text
		);
	ip->prefix = subnet.prefix;
	return 0;
}

static int check_ip(
	char text[ADDR_TEXT_SIZE],
	const struct network_spec *network,
	bool of_network,
	struct rwy_err *err
)
{
	struct cidr ip;
	struct cidr gateway;
	if (cidr_parse(text, &ip)) {
		err_set(err, -EINVAL, "address '%s' is malformed", text);
		return err_hint(err, "write it like 10.77.0.2");
	}
	const char *subnet = ip.size == 16 ? network->subnet6 : network->subnet;
	const char *gateway_text = ip.size == 16 ? network->gateway6 : network->gateway;
	if (!subnet[0] && (network->subnet[0] || network->subnet6[0]))
		return err_set(
			err,
			-EINVAL,
			"address %s is no host's address of subnet %s",
			text,
			network->subnet[0] ? network->subnet : network->subnet6
		);
	int r = check_in_subnet(text, subnet, &ip, err);
	if (!r && !of_network)
		r = check_aux(network, &ip, err);
	if (r)
		return r;
	if (!of_network && gateway_text[0] && cidr_parse(gateway_text, &gateway) == 0 &&
	    cidr_equal(&gateway, &ip))
		return err_set(err, -EINVAL, "address %s is the gateway's", text);
	cidr_format(&ip, text);
	return 0;
}

static int check_addresses(
	struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
)
{
	// Either family may be written as the address of a port.
	if (strchr(spec->ip, ':')) {
		if (spec->ip6[0])
			return err_set(
				err,
				-EINVAL,
				"it has two IPv6 addresses, %s and %s",
				spec->ip,
				spec->ip6
			);
		(void)memcpy(spec->ip6, spec->ip, sizeof(spec->ip6));
		(void)memset(spec->ip, 0, sizeof(spec->ip));
	}
	if (spec->ip6[0] && !strchr(spec->ip6, ':'))
		return err_set(err, -EINVAL, "IPv6 address '%s' is malformed", spec->ip6);
	int r = spec->ip[0] ? check_ip(spec->ip, network, spec->of_network, err) : 0;
	if (!r && spec->ip6[0])
		r = check_ip(spec->ip6, network, spec->of_network, err);
	if (!r && spec->pin_address && !spec->ip[0] && !spec->ip6[0]) {
		err_set(err, -EINVAL, "there is no address to pin");
		return err_hint(err, "give the port an address too");
	}
	return r;
}

int model_check_ifname(const char *name, struct rwy_err *err)
{
	size_t length = strlen(name);
	bool good = length > 0 && length < IFNAME_SIZE && strcmp(name, ".") != 0 &&
		strcmp(name, "..") != 0 && strcmp(name, "all") != 0 && strcmp(name, "default") != 0;
	for (size_t i = 0; i < length && good; i++)
		good = name[i] > ' ' && name[i] < 0x7f && !strchr("/:%", name[i]);
	if (good)
		return 0;
	err_set(err, -EINVAL, "'%.40s' is no interface's name", name);
	return err_hint(err, "1 to 15 characters without '/', ':', '%%' and blanks, like eth0");
}

int model_check_vlan(uint16_t vlan, struct rwy_err *err)
{
	if (vlan <= MODEL_VLAN_MAX)
		return 0;
	err_set(err, -EINVAL, "VLAN %u is out of range", vlan);
	return err_hint(err, "use 1 to %d", MODEL_VLAN_MAX);
}

enum attach {
	ATTACH_VHOST = 1,
	ATTACH_KERNEL = 2,
	ATTACH_ETHER = 4,
	ATTACH_VF = 8,
	ATTACH_VF_KERNEL = 16
};

#define ATTACH_SWITCHED (ATTACH_VHOST | ATTACH_KERNEL)
#define ATTACH_FUNCTION (ATTACH_VF | ATTACH_VF_KERNEL)
#define ATTACH_INTERFACE (ATTACH_KERNEL | ATTACH_VF_KERNEL)

static unsigned int attach_of(const char *text)
{
	static const struct {
		const char *name;
		enum attach attach;
	} names[] = {
		{"vhost", ATTACH_VHOST},
		{"kernel", ATTACH_KERNEL},
		{"ether", ATTACH_ETHER},
		{"vf", ATTACH_VF},
		{"vf-kernel", ATTACH_VF_KERNEL},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i].name) == 0)
			return names[i].attach;
	return 0;
}

// What only some attachments have.
static int check_parts(const struct port_spec *spec, unsigned int attach, struct rwy_err *err)
{
	static const char either[] = "vhost and kernel";
	static const char functions[] = "vf and vf-kernel";
	static const char container[] = "vhost, kernel, vf and vf-kernel";
	static const char interfaces[] = "kernel and vf-kernel";
	const struct {
		const char *what;
		bool given;
		unsigned int of;
		const char *names;
	} parts[] = {
		{"queues", spec->queues > 1, ATTACH_VHOST | ATTACH_ETHER, "vhost and ether"},
		{"offloads", spec->no_offloads, ATTACH_VHOST, "vhost"},
		{"a path to connect to", spec->connect[0] != '\0', ATTACH_VHOST, "vhost"},
		{"a container's place",
		 spec->key[0] != '\0',
		 ATTACH_SWITCHED | ATTACH_FUNCTION,
		 container},
		{"a namespace", spec->netns[0] != '\0', ATTACH_INTERFACE, interfaces},
		{"an interface's name", spec->ifname[0] != '\0', ATTACH_INTERFACE, interfaces},
		{"a pinned address", spec->pin_address, ATTACH_SWITCHED, either},
		{"a source address that is checked", spec->allow_spoof, ATTACH_SWITCHED, either},
		{"learning of addresses",
		 spec->learning,
		 ATTACH_SWITCHED | ATTACH_ETHER,
		 "vhost, kernel and ether"},
		{"a device", spec->device[0] != '\0', ATTACH_ETHER, "ether"},
		{"a VLAN", spec->vlan != 0, ATTACH_ETHER, "ether"},
		{"an address",
		 spec->ip[0] || spec->ip6[0],
		 ATTACH_SWITCHED | ATTACH_FUNCTION,
		 container},
		{"a function", spec->function[0] != '\0', ATTACH_FUNCTION, functions},
		{"a number of functions", spec->vfs > 1, ATTACH_FUNCTION, functions},
		{"CPUs", spec->cpus != 0, ATTACH_FUNCTION, functions},
		{"an owner of its node", spec->owner_uid != 0, ATTACH_VF, "vf"},
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].given && !(parts[i].of & attach)) {
			err_set(err, -EINVAL, "%s: %s ports have none", parts[i].what, spec->attach
			);
			return err_hint(err, "only %s ports have", parts[i].names);
		}
	return 0;
}

static int check_attach(const struct port_spec *spec, struct rwy_err *err)
{
	unsigned int attach = attach_of(spec->attach);
	if (!attach) {
		err_set(err, -EINVAL, "attachment '%s' is not known", spec->attach);
		return err_hint(err, "use vhost, kernel, ether, vf or vf-kernel");
	}
	int r = check_parts(spec, attach, err);
	if (!r && attach == ATTACH_ETHER && !spec->device[0]) {
		err_set(err, -EINVAL, "there is no device to attach to");
		return err_hint(err, "give one, like eth1, xdp:eth1 or 0000:01:00.0");
	}
	return r;
}

static int check_sources(const struct port_spec *spec, struct rwy_err *err)
{
	if (!spec->allow_spoof || !spec->pin_address)
		return 0;
	err_set(err, -EINVAL, "it may send from any address and is pinned to its own");
	return err_hint(err, "choose one: allow-spoof or pin-address");
}

bool model_pins_address(const struct port_spec *spec)
{
	return attach_of(spec->attach) == ATTACH_KERNEL && (spec->ip[0] || spec->ip6[0]) &&
		!spec->learning && !spec->allow_spoof;
}

static int check_paths(struct port_spec *spec, struct rwy_err *err)
{
	if (spec->connect[0] && spec->connect[0] != '/')
		return err_set(err, -EINVAL, "path '%s' to connect to is relative", spec->connect);
	if (spec->netns[0] && spec->netns[0] != '/') {
		err_set(err, -EINVAL, "the namespace's path '%s' is relative", spec->netns);
		return err_hint(err, "give a process id or a path like /run/netns/NAME");
	}
	if (spec->netns[0] && !spec->ifname[0])
		(void)snprintf(spec->ifname, sizeof(spec->ifname), "eth0"); // It fits.
	return spec->ifname[0] ? model_check_ifname(spec->ifname, err) : 0;
}

static int check_numbers(struct port_spec *spec, struct rwy_err *err)
{
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
	int r = model_check_vlan(spec->vlan, err);
	return r ? r : port_limits_check(&spec->limits, err);
}

static int check_values(
	struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
)
{
	int r = check_numbers(spec, err);
	if (!r)
		r = check_attach(spec, err);
	if (!r)
		r = model_check_function_port(spec, network, err);
	if (!r)
		r = check_sources(spec, err);
	if (!r)
		r = check_paths(spec, err);
	return r ? r : check_addresses(spec, network, err);
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
	if (check_values(&checked, network, err)) {
		err_prefix(err, "cannot create port '%s': ", spec->name);
		return -EINVAL;
	}
	*spec = checked;
	return 0;
}

static bool same_address(const char *text, const char *other)
{
	struct cidr a;
	struct cidr b;
	return text[0] && other[0] && cidr_parse(text, &a) == 0 && cidr_parse(other, &b) == 0 &&
		cidr_equal(&a, &b);
}

int model_check_clash(
	const struct port_spec *spec,
	const struct port_spec *other,
	struct rwy_err *err
)
{
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
	bool four = same_address(spec->ip, other->ip);
	if (!four && !same_address(spec->ip6, other->ip6))
		return 0;
	err_set(err,
		-EEXIST,
		"cannot create port '%s': address %s is taken by port '%s'",
		spec->name,
		four ? spec->ip : spec->ip6,
		other->name);
	return err_hint(err, "choose another address; `ringway port ls` shows those taken");
}
