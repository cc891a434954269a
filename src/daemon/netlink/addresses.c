// SPDX-License-Identifier: BSD-3-Clause
// Addresses and default routes of interfaces, by route netlink. No state.
#include "daemon/netlink/rtnetlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <netlink/addr.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

int netlink_add_address(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const char *text,
	int family,
	struct rwy_err *err
)
{
	struct nl_addr *local = NULL;
	struct rtnl_addr *address = NULL;
	int n = nl_addr_parse(text, family, &local);
	if (!n)
		address = rtnl_addr_alloc();
	if (!n && address) {
		rtnl_addr_set_ifindex(address, rtnl_link_get_ifindex(link));
		n = rtnl_addr_set_local(address, local);
		// The network's own bookkeeping has given it to nobody else.
		if (family == AF_INET6)
			rtnl_addr_set_flags(address, IFA_F_NODAD);
	}
	if (!n && address)
		n = rtnl_addr_add(socket, address, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_addr_put(address);
	nl_addr_put(local);
	int r = !n && !address ? -ENOMEM : netlink_errno(n);
	if (!r || r == -EEXIST)
		return 0;
	return err_set(
		err,
		r,
		"cannot give interface '%s' the address %s: %s",
		rtnl_link_get_name(link),
		text,
		n ? nl_geterror(n) : strerror(-r)
	);
}

int netlink_add_default_route(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const char *gateway,
	int family,
	struct rwy_err *err
)
{
	struct nl_addr *any = NULL, *via = NULL;
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	int n = nl_addr_parse(gateway, family, &via);
	if (!n)
		n = nl_addr_parse(family == AF_INET ? "0.0.0.0/0" : "::/0", family, &any);
	if (!n && route && hop) {
		rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(link));
		rtnl_route_nh_set_gateway(hop, via);
		rtnl_route_set_family(route, (uint8_t)family);
		n = rtnl_route_set_dst(route, any);
		rtnl_route_add_nexthop(route, hop); // It is the route's from here on.
		hop = NULL;
		if (!n)
			n = rtnl_route_add(socket, route, NLM_F_CREATE | NLM_F_EXCL);
	}
	int r = !n && (!route || hop) ? -ENOMEM : netlink_errno(n);
	if (hop)
		rtnl_route_nh_free(hop);
	rtnl_route_put(route);
	nl_addr_put(any);
	nl_addr_put(via);
	if (!r || r == -EEXIST)
		return 0;
	return err_set(
		err,
		r,
		"cannot route by the gateway %s on interface '%s': %s",
		gateway,
		rtnl_link_get_name(link),
		n ? nl_geterror(n) : strerror(-r)
	);
}
