// SPDX-License-Identifier: BSD-3-Clause
// The container's end where there is no engine to move it, and the gateway's in the host's namespace: moved, named,
// addressed, brought up.
#include "daemon/host/internal.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <netlink/addr.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <string.h>

// Where the container's end is set up.
struct place {
	struct nl_sock *socket;
	struct rtnl_link *link;
	int netns;
};

static bool is_peer(struct rtnl_link *link, struct rtnl_link *peer)
{
	const char *kind = rtnl_link_get_type(peer);
	return kind && !strcmp(kind, "veth") &&
		rtnl_link_get_link(peer) == rtnl_link_get_ifindex(link);
}

int port_find_peer(
	struct nl_sock *socket,
	struct rtnl_link *link,
	struct rtnl_link **ret,
	struct rwy_err *err
)
{
	struct rtnl_link *peer = NULL;
	int r = links_get_by_index(socket, (uint32_t)rtnl_link_get_link(link), &peer, err);
	if (r)
		return r == -ENODEV ? 0 : r;
	// The index is one of the namespace that the peer is in, and may be anybody's here.
	if (is_peer(link, peer)) {
		*ret = peer;
		return 0;
	}
	rtnl_link_put(peer);
	return 0;
}

static int move(
	struct host *host,
	struct rtnl_link *link,
	const struct host_inside *inside,
	struct rwy_err *err
)
{
	struct rtnl_link *peer = NULL;
	int r = port_find_peer(host->home, link, &peer, err);
	if (r)
		return r;
	if (!peer)
		return err_set(
			err,
			-ENOENT,
			"cannot move the container's end of '%s': it is in another namespace",
			rtnl_link_get_name(link)
		);
	struct rtnl_link *changes = rtnl_link_alloc();
	if (!changes) {
		rtnl_link_put(peer);
		return err_set(err, -ENOMEM, "cannot describe an interface");
	}
	rtnl_link_set_ns_fd(changes, inside->netns_fd);
	rtnl_link_set_name(changes, inside->name);
	r = links_change(host->home, peer, changes, "move", err);
	rtnl_link_put(peer);
	if (r != -EEXIST)
		return r;
	err_set(err, r, "the network namespace has an interface '%s' already", inside->name);
	return err_hint(err, "choose another name (--interface), or remove that one");
}

static int set_name(struct place *place, const char *name, struct rwy_err *err)
{
	if (!strcmp(rtnl_link_get_name(place->link), name))
		return 0;
	struct rtnl_link *changes = rtnl_link_alloc();
	if (!changes)
		return err_set(err, -ENOMEM, "cannot describe an interface");
	rtnl_link_set_name(changes, name);
	int r = links_change(place->socket, place->link, changes, "rename", err);
	if (!r)
		rtnl_link_set_name(place->link, name);
	return r;
}

static void set_ip6(const char *name, const char *what, const char *value)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "ipv6/conf/%s/%s", name, what); // It fits.
	(void)netns_sysctl(
		path, value
	); // A kernel without IPv6; setting the address tells what is wrong.
}

// An engine's namespaces may have IPv6 off for all interfaces, and one with an address wants it. The host's own
// interface has it only then: it would send frames of its own, and be reached at an address that nobody gave it. What
// containers say of routes does not count there.
static void choose_ip6(
	struct host *host,
	const struct place *place,
	const struct host_inside *inside
)
{
	bool wanted = inside->address[1][0] != '\0';
	if ((!wanted && inside->netns_fd >= 0) || netns_enter(place->netns))
		return;
	if (inside->netns_fd < 0) {
		set_ip6(inside->name, "accept_ra", "0");
		set_ip6(inside->name, "accept_redirects", "0");
	}
	set_ip6(inside->name, "disable_ipv6", wanted ? "0" : "1");
	netns_leave(host);
}

static int add_address(struct place *place, const char *text, int family, struct rwy_err *err)
{
	struct nl_addr *local = NULL;
	struct rtnl_addr *address = NULL;
	int n = nl_addr_parse(text, family, &local);
	if (!n)
		address = rtnl_addr_alloc();
	if (!n && address) {
		rtnl_addr_set_ifindex(address, rtnl_link_get_ifindex(place->link));
		n = rtnl_addr_set_local(address, local);
		// The network's own bookkeeping has given it to nobody else.
		if (family == AF_INET6)
			rtnl_addr_set_flags(address, IFA_F_NODAD);
	}
	if (!n && address)
		n = rtnl_addr_add(place->socket, address, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_addr_put(address);
	nl_addr_put(local);
	int r = !n && !address ? -ENOMEM : links_errno(n);
	if (!r || r == -EEXIST)
		return 0;
	return err_set(
		err,
		r,
		"cannot give interface '%s' the address %s: %s",
		rtnl_link_get_name(place->link),
		text,
		n ? nl_geterror(n) : strerror(-r)
	);
}

static int add_route(struct place *place, const char *text, int family, struct rwy_err *err)
{
	struct nl_addr *any = NULL, *gateway = NULL;
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	int n = nl_addr_parse(text, family, &gateway);
	if (!n)
		n = nl_addr_parse(family == AF_INET ? "0.0.0.0/0" : "::/0", family, &any);
	if (!n && route && hop) {
		rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(place->link));
		rtnl_route_nh_set_gateway(hop, gateway);
		rtnl_route_set_family(route, (uint8_t)family);
		n = rtnl_route_set_dst(route, any);
		rtnl_route_add_nexthop(route, hop); // It is the route's from here on.
		hop = NULL;
		if (!n)
			n = rtnl_route_add(place->socket, route, NLM_F_CREATE | NLM_F_EXCL);
	}
	int r = !n && (!route || hop) ? -ENOMEM : links_errno(n);
	if (hop)
		rtnl_route_nh_free(hop);
	rtnl_route_put(route);
	nl_addr_put(any);
	nl_addr_put(gateway);
	if (!r || r == -EEXIST)
		return 0;
	return err_set(
		err,
		r,
		"cannot route by the gateway %s on interface '%s': %s",
		text,
		rtnl_link_get_name(place->link),
		n ? nl_geterror(n) : strerror(-r)
	);
}

static int configure(
	struct host *host,
	struct place *place,
	const struct host_inside *inside,
	struct rwy_err *err
)
{
	static const int family[2] = {AF_INET, AF_INET6};
	int r = set_name(place, inside->name, err);
	if (!r)
		choose_ip6(host, place, inside);
	for (int i = 0; !r && i < 2; i++) {
		if (inside->address[i][0])
			r = add_address(place, inside->address[i], family[i], err);
	}
	if (r || !inside->up)
		return r;
	r = links_set_up(place->socket, place->link, err);
	for (int i = 0; !r && i < 2; i++) {
		if (inside->gateway[i][0])
			r = add_route(place, inside->gateway[i], family[i], err);
	}
	return r;
}

static int place_at(
	struct host *host,
	struct rtnl_link *link,
	const struct host_inside *inside,
	struct rwy_err *err
)
{
	struct place place = {.netns = inside->netns_fd < 0 ? host->home_netns : inside->netns_fd};
	place.socket = links_socket(host, place.netns, err);
	if (!place.socket)
		return err ? err->code : -EIO;
	int r = port_find_peer(place.socket, link, &place.link, err);
	if (!r && !place.link && inside->netns_fd >= 0) {
		r = move(host, link, inside, err);
		if (!r)
			r = links_get_by_name(place.socket, inside->name, &place.link, err);
	}
	if (r == -ENODEV || (!r && !place.link))
		r =
			err_set(err,
				-ENOENT,
				"cannot find the container's end of '%s' in its namespace",
				rtnl_link_get_name(link));
	if (!r)
		r = links_set_mtu(place.socket, place.link, rtnl_link_get_mtu(link), err);
	if (!r)
		r = configure(host, &place, inside, err);
	rtnl_link_put(place.link);
	nl_socket_free(place.socket);
	return r;
}

int host_port_place(
	struct host *host,
	uint32_t id,
	const struct host_inside *inside,
	struct rwy_err *err
)
{
	char name[IFNAMSIZ];
	struct rtnl_link *link = NULL;
	port_name(name, id);
	int r = links_get_by_name(host->own, name, &link, err);
	if (r == -ENODEV)
		return err_set(err, -ENOENT, "there is no kernel port %u", id);
	if (r)
		return r;
	r = place_at(host, link, inside, err);
	rtnl_link_put(link);
	return r;
}
