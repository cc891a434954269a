// SPDX-License-Identifier: BSD-3-Clause
// The container's end where there is no engine to move it, and the gateway's in the host's namespace: moved, named,
// addressed, brought up.
#include "daemon/host/internal.h"

#include <errno.h>
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
	int r = netlink_get_link_by_index(socket, (uint32_t)rtnl_link_get_link(link), &peer, err);
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
	r = netlink_move_link(host->home, peer, inside->netns_fd, inside->name, err);
	rtnl_link_put(peer);
	return r;
}

static void set_ip6(const char *name, const char *what, const char *value)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "ipv6/conf/%s/%s", name, what); // It fits.
	(void)netlink_sysctl(
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
	if ((!wanted && inside->netns_fd >= 0) || netlink_enter(place->netns))
		return;
	if (inside->netns_fd < 0) {
		set_ip6(inside->name, "accept_ra", "0");
		set_ip6(inside->name, "accept_redirects", "0");
	}
	set_ip6(inside->name, "disable_ipv6", wanted ? "0" : "1");
	netlink_leave(host->home_netns);
}

static int configure(
	struct host *host,
	struct place *place,
	const struct host_inside *inside,
	struct rwy_err *err
)
{
	static const int family[2] = {AF_INET, AF_INET6};
	int r = netlink_set_name(place->socket, place->link, inside->name, err);
	if (!r)
		choose_ip6(host, place, inside);
	for (int i = 0; !r && i < 2; i++) {
		if (inside->address[i][0])
			r = netlink_add_address(
				place->socket, place->link, inside->address[i], family[i], err
			);
	}
	if (r || !inside->up)
		return r;
	r = netlink_set_up(place->socket, place->link, true, err);
	for (int i = 0; !r && i < 2; i++) {
		if (inside->gateway[i][0])
			r = netlink_add_default_route(
				place->socket, place->link, inside->gateway[i], family[i], err
			);
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
	place.socket = netlink_open(place.netns, host->home_netns, err);
	if (!place.socket)
		return err ? err->code : -EIO;
	int r = port_find_peer(place.socket, link, &place.link, err);
	if (!r && !place.link && inside->netns_fd >= 0) {
		r = move(host, link, inside, err);
		if (!r)
			r = netlink_get_link(place.socket, inside->name, &place.link, err);
	}
	if (r == -ENODEV || (!r && !place.link))
		r =
			err_set(err,
				-ENOENT,
				"cannot find the container's end of '%s' in its namespace",
				rtnl_link_get_name(link));
	if (!r)
		r = netlink_set_mtu(place.socket, place.link, rtnl_link_get_mtu(link), err);
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
	int r = netlink_get_link(host->own, name, &link, err);
	if (r == -ENODEV)
		return err_set(err, -ENOENT, "there is no kernel port %u", id);
	if (r)
		return r;
	r = place_at(host, link, inside, err);
	rtnl_link_put(link);
	return r;
}
