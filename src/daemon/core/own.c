// SPDX-License-Identifier: BSD-3-Clause
// Ports that networks have of their own: the host's interface with the gateway's addresses, and the port that leads to
// the uplink. Any thread, under the lock.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/kernel.h"
#include "daemon/model/cidr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct port *find_own(const struct daemon *d, const struct network *network, bool gateway)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry)
		if (port->network == network && port->info.spec.of_network &&
		    port_is_kernel(port) == gateway)
			return port;
	return NULL;
}

struct port *own_gateway(const struct daemon *d, const struct network *network)
{
	return find_own(d, network, true);
}

// NETWORK.gateway; where that is too long, or is taken, by the network's number.
static void make_name(
	struct daemon *d,
	const struct network *network,
	const char *what,
	char ret_name[NAME_SIZE]
)
{
	int size = snprintf(ret_name, NAME_SIZE, "%s.%s", network->info.spec.name, what);
	if (size >= NAME_SIZE || daemon_find_port(d, ret_name) ||
	    daemon_find_container(d, ret_name))
		(void
		)snprintf(ret_name, NAME_SIZE, "network-%u.%s", network->info.id, what); // Fits.
}

// "10.0.0.1" of "10.0.0.0/24" -> "10.0.0.1/24"
static void with_prefix(const char *address, const char *subnet, char ret_text[ADDR_TEXT_SIZE])
{
	const char *prefix = strchr(subnet, '/');
	ret_text[0] = '\0';
	if (address[0] && prefix) // An address alone and a prefix always fit.
		(void)snprintf(ret_text, ADDR_TEXT_SIZE, "%.45s%.4s", address, prefix);
}

// The host cannot have two interfaces to the same subnet: one of them would take what is for the other, and a gateway
// may have the address of a router that the host needs. *own*: the gateway's interface, if there is one already.
static int check_host(
	struct daemon *d,
	const char *subnet_text,
	const char *own,
	struct rwy_err *err
)
{
	_cleanup_free_ struct host_address *list = NULL;
	struct cidr subnet;
	struct cidr taken;
	size_t count = 0;
	if (cidr_parse(subnet_text, &subnet))
		return 0;
	int r = host_list_addresses(d->host, &list, &count, err);
	for (size_t i = 0; !r && i < count; i++) {
		if (strcmp(list[i].interface, own) == 0 || cidr_parse(list[i].text, &taken) ||
		    !cidr_overlaps(&subnet, &taken))
			continue;
		r =
			err_set(err,
				-EEXIST,
				"subnet %s overlaps %s of the host's interface '%s'",
				subnet_text,
				list[i].text,
				list[i].interface);
		err_hint(
			err,
			"choose another subnet, or keep the host off the network: --no-gateway, in "
			"Docker -o ringway.gateway=off"
		);
	}
	return r;
}

// Nobody asked for the port: what failed is the network.
static int make_own(struct daemon *d, const struct port_spec *spec, bool wait, struct rwy_err *err)
{
	struct port_info made;
	int r = port_make(d, spec, -1, wait, &made, err);
	return r ? err_strip(err, "cannot create port '%s': ", spec->name) : 0;
}

static int ensure_gateway(struct daemon *d, struct network *network, struct rwy_err *err)
{
	const struct network_spec *of = &network->info.spec;
	struct port_spec spec = {.attach = "kernel", .of_network = true};
	if (!d->host || of->no_gateway || (!of->gateway[0] && !of->gateway6[0]))
		return 0;
	with_prefix(of->gateway, of->subnet, spec.ip);
	with_prefix(of->gateway6, of->subnet6, spec.ip6);
	struct port *port = find_own(d, network, true);
	if (port && strcmp(port->info.spec.ip, spec.ip) == 0 &&
	    strcmp(port->info.spec.ip6, spec.ip6) == 0)
		return 0;
	const char *own = port ? port->info.ifname_host : "";
	int r = of->gateway[0] ? check_host(d, of->subnet, own, err) : 0;
	if (!r && of->gateway6[0])
		r = check_host(d, of->subnet6, own, err);
	if (r)
		return r;
	if (port) { // It has one family more now.
		(void)memcpy(spec.mac, port->info.spec.mac, MAC_SIZE);
		r = port_remove(d, port, err);
		if (r)
			return r;
	}
	make_name(d, network, "gateway", spec.name);
	(void)memcpy(spec.network, of->name, NAME_SIZE);
	r = make_own(d, &spec, false, err);
	if (r)
		return r;
	r = publish_apply(d, err);
	port = find_own(d, network, true);
	if (r && port)
		(void)port_remove(d, port, NULL); // The first failure counts.
	return r;
}

static int ensure_uplink(struct daemon *d, struct network *network, bool wait, struct rwy_err *err)
{
	const struct network_spec *of = &network->info.spec;
	struct port_spec spec = {
		.attach = "ether", .of_network = true, .learning = true, .vlan = of->vlan};
	if (!of->uplink[0] || find_own(d, network, false))
		return 0;
	make_name(d, network, "uplink", spec.name);
	(void)memcpy(spec.network, of->name, NAME_SIZE);
	(void)memcpy(spec.device, of->uplink, PATH_TEXT_SIZE);
	return make_own(d, &spec, wait, err);
}

int own_ensure(struct daemon *d, struct network *network, bool wait, struct rwy_err *err)
{
	int r = ensure_gateway(d, network, err);
	return r ? r : ensure_uplink(d, network, wait, err);
}

void own_remove(struct daemon *d, struct network *network)
{
	for (int gateway = 0; gateway < 2; gateway++) {
		struct port *port = find_own(d, network, gateway);
		if (port) // The network's row has the intent, so that nothing can fail.
			(void)port_remove(d, port, NULL);
	}
}

int own_rename(struct daemon *d, struct network *network, struct rwy_err *err)
{
	struct port *gateway = find_own(d, network, true);
	struct port *uplink = find_own(d, network, false);
	int r = 0;
	if (gateway) {
		char name[NAME_SIZE];
		make_name(d, network, "gateway", name);
		r = store_port_set_name(d->store, gateway->info.id, name, err);
		if (!r)
			(void)memcpy(gateway->info.spec.name, name, NAME_SIZE);
	}
	// Its socket's path has its name in it, so that it is made anew.
	if (!r && uplink)
		r = port_remove(d, uplink, err);
	if (!r && uplink)
		r = ensure_uplink(d, network, false, err);
	return r;
}
