// SPDX-License-Identifier: BSD-3-Clause
// What a network must be like. No state; any thread.
#include "daemon/model/cidr.h"
#include "daemon/model/functions.h"
#include "daemon/model/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Addresses that no interface of a network can have, or that the host needs for itself.
static int check_use(const struct cidr *subnet, const char *text, struct rwy_err *err)
{
	static const struct {
		const char *range, *what;
	} special[] = {
		{"127.0.0.0/8", "the loopback interface"},
		{"224.0.0.0/4", "multicast"},
		{"fe80::/10", "single links"},
		{"ff00::/8", "multicast"},
	};
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		struct cidr range;
		if (cidr_parse(special[i].range, &range) || !cidr_overlaps(subnet, &range))
			continue;
		err_set(err,
			-EINVAL,
			"subnet '%s' is kept for %s (%s)",
			text,
			special[i].what,
			special[i].range);
		return err_hint(err, "choose private addresses, like 10.77.0.0/24");
	}
	return 0;
}

static int check_subnet(char *text, struct cidr *ret_subnet, struct rwy_err *err)
{
	struct cidr subnet;
	if (!strchr(text, '/') || cidr_parse(text, &subnet)) {
		err_set(err, -EINVAL, "subnet '%s' is malformed", text);
		return err_hint(err, "write an address and a prefix, like 10.77.0.0/24");
	}
	struct cidr base = cidr_network(&subnet);
	if (!cidr_equal(&base, &subnet)) {
		char net[ADDR_TEXT_SIZE];
		cidr_format(&base, net);
		err_set(err, -EINVAL, "subnet '%s' has host bits set", text);
		return err_hint(err, "write %s", net);
	}
	if (subnet.prefix < 1 || subnet.prefix > subnet.size * 8 - 2) {
		err_set(err, -EINVAL, "subnet '%s' has no usable size", text);
		return err_hint(err, "use a prefix from 1 to %u", subnet.size * 8 - 2);
	}
	cidr_format(&subnet, text);
	*ret_subnet = subnet;
	return check_use(&subnet, text, err);
}

static int check_gateway(
	char *text,
	const char *subnet_text,
	const struct cidr *subnet,
	struct rwy_err *err
)
{
	struct cidr gateway;
	if (strchr(text, '/') || cidr_parse(text, &gateway)) {
		err_set(err, -EINVAL, "gateway '%s' is malformed", text);
		return err_hint(err, "write an address without a prefix, like 10.77.0.1");
	}
	if (!subnet_text[0]) {
		err_set(err, -EINVAL, "gateway '%s' has no subnet to lie in", text);
		return err_hint(err, "give a subnet too");
	}
	if (!cidr_contains(subnet, &gateway) || cidr_is_reserved(subnet, &gateway)) {
		err_set(err,
			-EINVAL,
			"gateway %s is no host's address of subnet %s",
			text,
			subnet_text);
		return err_hint(err, "choose a gateway inside the subnet");
	}
	cidr_format_address(&gateway, text);
	return 0;
}

// An IPv6 text in the place of IPv4 goes to that of IPv6, if it is free; the reverse is refused.
static int sort_family(
	char text[ADDR_TEXT_SIZE],
	char text6[ADDR_TEXT_SIZE],
	const char *what,
	struct rwy_err *err
)
{
	if (text6[0] && !strchr(text6, ':'))
		return err_set(err, -EINVAL, "IPv6 %s '%s' is malformed", what, text6);
	if (!strchr(text, ':'))
		return 0;
	if (text6[0])
		return err_set(err, -EINVAL, "it has two IPv6 %ss, %s and %s", what, text6, text);
	(void)memcpy(text6, text, ADDR_TEXT_SIZE);
	(void)memset(text, 0, ADDR_TEXT_SIZE);
	return 0;
}

static int check_family(char *subnet_text, char *gateway, struct rwy_err *err)
{
	struct cidr subnet = {0};
	int r = 0;
	if (subnet_text[0])
		r = check_subnet(subnet_text, &subnet, err);
	if (!r && gateway[0])
		r = check_gateway(gateway, subnet_text, &subnet, err);
	return r;
}

static const char *subnet_of(const struct network_spec *spec, const struct cidr *address)
{
	return address->size == 16 ? spec->subnet6 : spec->subnet;
}

static int check_range(struct network_spec *spec, struct rwy_err *err)
{
	struct cidr range;
	struct cidr subnet;
	if (!strchr(spec->ip_range, '/') || cidr_parse(spec->ip_range, &range)) {
		err_set(err, -EINVAL, "address range '%s' is malformed", spec->ip_range);
		return err_hint(err, "write an address and a prefix, like 10.77.0.128/25");
	}
	if (cidr_parse(subnet_of(spec, &range), &subnet) || range.prefix < subnet.prefix ||
	    !cidr_contains(&subnet, &range)) {
		err_set(err, -EINVAL, "address range '%s' is not inside a subnet", spec->ip_range);
		return err_hint(err, "choose a part of the network's subnet");
	}
	cidr_format(&range, spec->ip_range);
	return 0;
}

static int check_aux_entry(const struct network_spec *spec, const char *entry, struct rwy_err *err)
{
	struct cidr address;
	struct cidr subnet;
	const char *text = strchr(entry, '=');
	if (!text || text == entry || strchr(text + 1, '/') || cidr_parse(text + 1, &address)) {
		err_set(err, -EINVAL, "auxiliary address '%s' is malformed", entry);
		return err_hint(err, "write a name and an address, like router=10.77.0.254");
	}
	if (cidr_parse(subnet_of(spec, &address), &subnet) || !cidr_contains(&subnet, &address) ||
	    cidr_is_reserved(&subnet, &address)) {
		err_set(err, -EINVAL, "auxiliary address '%s' is not inside a subnet", entry);
		return err_hint(err, "choose an address of the network's subnet");
	}
	return 0;
}

bool model_next_aux(const char **at, char ret_entry[AUX_TEXT_SIZE])
{
	*at += strspn(*at, ",");
	size_t length = strcspn(*at, ",");
	if (!length || length >= AUX_TEXT_SIZE)
		return false;
	(void)memcpy(ret_entry, *at, length);
	ret_entry[length] = '\0';
	*at += length;
	return true;
}

static int check_aux(const struct network_spec *spec, struct rwy_err *err)
{
	const char *at = spec->aux;
	char entry[AUX_TEXT_SIZE];
	int r = 0;
	while (!r && model_next_aux(&at, entry))
		r = check_aux_entry(spec, entry, err);
	return r;
}

static int check_mtu(struct network_spec *spec, struct rwy_err *err)
{
	if (!spec->mtu)
		spec->mtu = MODEL_MTU_DEFAULT;
	if (spec->mtu < MODEL_MTU_MIN || spec->mtu > MODEL_MTU_MAX) {
		err_set(err, -EINVAL, "MTU %" PRIu32 " is out of range", spec->mtu);
		return err_hint(err, "use %d to %d", MODEL_MTU_MIN, MODEL_MTU_MAX);
	}
	if (spec->subnet6[0] && spec->mtu < MODEL_MTU_MIN_IPV6) {
		err_set(err, -EINVAL, "MTU %" PRIu32 " is too small for IPv6", spec->mtu);
		return err_hint(err, "use %d or more", MODEL_MTU_MIN_IPV6);
	}
	return 0;
}

int model_sort_network(struct network_spec *spec, struct rwy_err *err)
{
	int r = sort_family(spec->subnet, spec->subnet6, "subnet", err);
	return r ? r : sort_family(spec->gateway, spec->gateway6, "gateway", err);
}

static int check_values(struct network_spec *spec, struct rwy_err *err)
{
	int r = model_sort_network(spec, err);
	if (!r)
		r = check_family(spec->subnet, spec->gateway, err);
	if (!r)
		r = check_family(spec->subnet6, spec->gateway6, err);
	if (!r && spec->ip_range[0])
		r = check_range(spec, err);
	if (!r)
		r = check_aux(spec, err);
	if (!r)
		r = check_mtu(spec, err);
	if (!r)
		r = model_check_vlan(spec->vlan, err);
	if (!r)
		r = model_check_functions(spec, err);
	if (!r && spec->vlan && !spec->uplink[0] && !spec->functions.parent[0]) {
		err_set(err, -EINVAL, "VLAN %u needs an uplink to be on", spec->vlan);
		return err_hint(err, "give the uplink's device too");
	}
	return r;
}

int model_check_network(struct network_spec *spec, struct rwy_err *err)
{
	struct network_spec checked = *spec;
	int r = model_check_name("network", spec->name, err);
	if (r)
		return r;
	if (check_values(&checked, err)) {
		err_prefix(err, "cannot create network '%s': ", spec->name);
		return -EINVAL;
	}
	*spec = checked;
	return 0;
}

static bool is_aux(const struct network_spec *spec, const struct cidr *address)
{
	const char *at = spec->aux;
	char entry[AUX_TEXT_SIZE];
	struct cidr aux;
	while (model_next_aux(&at, entry))
		if (cidr_parse(strchr(entry, '=') + 1, &aux) == 0 && cidr_equal(&aux, address))
			return true;
	return false;
}

// The first host's address that is not kept for somebody else.
static void choose_gateway(
	const struct network_spec *spec,
	const char *subnet_text,
	char ret_gateway[ADDR_TEXT_SIZE]
)
{
	struct cidr subnet;
	if (ret_gateway[0] || cidr_parse(subnet_text, &subnet))
		return;
	struct cidr address = subnet;
	uint8_t *last = &address.bytes[address.size - 1];
	do
		++*last;
	while (is_aux(spec, &address) && *last != UINT8_MAX);
	if (cidr_contains(&subnet, &address) && !cidr_is_reserved(&subnet, &address))
		cidr_format_address(&address, ret_gateway);
}

void model_choose_gateways(struct network_spec *spec)
{
	if (spec->no_gateway || spec->ip_range[0])
		return;
	choose_gateway(spec, spec->subnet, spec->gateway);
	choose_gateway(spec, spec->subnet6, spec->gateway6);
}

static bool subnets_overlap(const char *text, const char *other)
{
	struct cidr a;
	struct cidr b;
	return text[0] && other[0] && cidr_parse(text, &a) == 0 && cidr_parse(other, &b) == 0 &&
		cidr_overlaps(&a, &b);
}

int model_check_overlap(
	const struct network_spec *spec,
	const struct network_spec *other,
	struct rwy_err *err
)
{
	bool four = subnets_overlap(spec->subnet, other->subnet);
	if (!four && !subnets_overlap(spec->subnet6, other->subnet6))
		return 0;
	err_set(err,
		-EEXIST,
		"cannot create network '%s': subnet %s overlaps %s of network '%s'",
		spec->name,
		four ? spec->subnet : spec->subnet6,
		four ? other->subnet : other->subnet6,
		other->name);
	err_hint(err, "choose another subnet");
	return -EEXIST;
}
