// SPDX-License-Identifier: BSD-3-Clause
// What the host does with an interface: routes, addresses, what it belongs to and what is built on it. The kernel is asked for
// each by the interface, and a long table of routes is never held in memory. No state.
#include "daemon/functions/internal.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct uses {
	uint32_t ifindex;
	char address[INET6_ADDRSTRLEN + 4]; // One that it has; empty: none.
	bool default_route;
	bool route;
};

static int note_address(struct nl_msg *msg, void *arg)
{
	struct uses *uses = arg;
	struct nlmsghdr *head = nlmsg_hdr(msg);
	if (head->nlmsg_type != RTM_NEWADDR || !nlmsg_valid_hdr(head, sizeof(struct ifaddrmsg)))
		return NL_OK;
	const struct ifaddrmsg *body = nlmsg_data(head);
	if (body->ifa_index != uses->ifindex || uses->address[0])
		return NL_OK;
	// Every interface that is up has one of these.
	if (body->ifa_family == AF_INET6 && body->ifa_scope == RT_SCOPE_LINK)
		return NL_OK;
	struct nlattr *data = nlmsg_find_attr(head, sizeof(*body), IFA_LOCAL);
	if (!data)
		data = nlmsg_find_attr(head, sizeof(*body), IFA_ADDRESS);
	char text[INET6_ADDRSTRLEN] = "?";
	int size = body->ifa_family == AF_INET ? 4 : 16;
	if (data && nla_len(data) == size)
		(void)inet_ntop(body->ifa_family, nla_data(data), text, sizeof(text)); // It fits.
	(void)snprintf(								       // It fits.
		uses->address,
		sizeof(uses->address),
		"%s/%u",
		text,
		body->ifa_prefixlen
	);
	return NL_OK;
}

static bool is_by(struct nlmsghdr *head, uint32_t ifindex)
{
	struct nlattr *oif = nlmsg_find_attr(head, sizeof(struct rtmsg), RTA_OIF);
	if (oif && nla_len(oif) == sizeof(uint32_t) && nla_get_u32(oif) == ifindex)
		return true;
	struct nlattr *hops = nlmsg_find_attr(head, sizeof(struct rtmsg), RTA_MULTIPATH);
	if (!hops)
		return false;
	const struct rtnexthop *hop = nla_data(hops);
	for (int left = nla_len(hops); RTNH_OK(hop, left);
	     left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		if ((uint32_t)hop->rtnh_ifindex == ifindex)
			return true;
	}
	return false;
}

static int note_route(struct nl_msg *msg, void *arg)
{
	struct uses *uses = arg;
	struct nlmsghdr *head = nlmsg_hdr(msg);
	if (head->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(head, sizeof(struct rtmsg)))
		return NL_OK;
	const struct rtmsg *body = nlmsg_data(head);
	if (body->rtm_table != RT_TABLE_MAIN || body->rtm_type != RTN_UNICAST ||
	    !is_by(head, uses->ifindex))
		return NL_OK;
	if (body->rtm_dst_len == 0) {
		uses->default_route = true;
		return NL_OK;
	}
	// fe80::/10 is every interface's that is up.
	struct nlattr *to = nlmsg_find_attr(head, sizeof(*body), RTA_DST);
	if (body->rtm_family == AF_INET6 && to && nla_len(to) == (int)sizeof(struct in6_addr) &&
	    IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)nla_data(to)))
		return NL_OK;
	uses->route = true;
	return NL_OK;
}

static struct nl_msg *question(int type, const void *body, size_t size)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP);
	if (msg && nlmsg_append(msg, (void *)body, size, NLMSG_ALIGNTO)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int read_addresses(struct nl_sock *socket, struct uses *uses)
{
	const struct ifaddrmsg body = {.ifa_index = uses->ifindex};
	struct nl_msg *msg = question(RTM_GETADDR, &body, sizeof(body));
	return msg ? netlink_ask(socket, msg, note_address, uses) : -ENOMEM;
}

static int read_routes(struct nl_sock *socket, struct uses *uses, int family)
{
	const struct rtmsg body = {.rtm_family = (unsigned char)family, .rtm_table = RT_TABLE_MAIN};
	struct nl_msg *msg = question(RTM_GETROUTE, &body, sizeof(body));
	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, RTA_OIF, uses->ifindex)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	int r = netlink_ask(socket, msg, note_route, uses);
	return r == -EOPNOTSUPP || r == -ENOENT ? 0 : r; // A kernel without this family or table.
}

static int read_uses(
	struct nl_sock *socket,
	const char *address,
	struct uses *uses,
	struct rwy_err *err
)
{
	static const int on = 1;
	// The kernel sends the asked for alone; an older one sends all, and then it is sorted out here.
	(void
	)setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	int r = read_addresses(socket, uses);
	if (!r)
		r = read_routes(socket, uses, AF_INET);
	if (!r)
		r = read_routes(socket, uses, AF_INET6);
	if (!r)
		return 0;
	return err_set(err, r, "cannot find out who uses function %s: %s", address, strerror(-r));
}

static int check_master(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const char *address,
	struct rwy_err *err
)
{
	struct rtnl_link *master = NULL;
	int index = rtnl_link_get_master(link);
	if (!index)
		return 0;
	int r = netlink_get_link_by_index(socket, (uint32_t)index, &master, err);
	if (r && r != -ENODEV)
		return r;
	const char *kind = master ? rtnl_link_get_type(master) : NULL;
	(void)err_set(
		err,
		-EBUSY,
		"function %s is in use: its interface '%s' belongs to %s '%s'",
		address,
		rtnl_link_get_name(link),
		kind ? kind : "interface",
		master ? rtnl_link_get_name(master) : "?"
	);
	(void)err_hint(
		err,
		"take it out first (ip link set %s nomaster), or give another function",
		rtnl_link_get_name(link)
	);
	rtnl_link_put(master);
	return -EBUSY;
}

static int judge_uses(
	const struct uses *uses,
	struct rtnl_link *link,
	const char *address,
	struct rwy_err *err
)
{
	const char *name = rtnl_link_get_name(link);
	if (uses->default_route) {
		(void)err_set(
			err,
			-EBUSY,
			"function %s is in use: its interface '%s' carries the host's default route",
			address,
			name
		);
		(void)err_hint(err, "the host would lose its network: give another function");
		return -EBUSY;
	}
	if (uses->address[0]) {
		(void)err_set(
			err,
			-EBUSY,
			"function %s is in use: its interface '%s' has the address %s",
			address,
			name,
			uses->address
		);
		(void)err_hint(err, "remove it (ip addr flush dev %s), or give another", name);
		return -EBUSY;
	}
	if (!uses->route || !(rtnl_link_get_flags(link) & IFF_UP))
		return 0;
	(void)err_set(
		err,
		-EBUSY,
		"function %s is in use: the host has routes by its interface '%s'",
		address,
		name
	);
	(void)err_hint(err, "remove them (ip route flush dev %s), or give another", name);
	return -EBUSY;
}

int uses_check_interface(
	struct nl_sock *socket,
	const char *address,
	const char *name,
	struct rwy_err *err
)
{
	struct rtnl_link *link = NULL;
	struct uses uses = {0};
	int r = netlink_get_link(socket, name, &link, err);
	if (r == -ENODEV)
		return err_set(
			err,
			-EBUSY,
			"function %s is in use: its interface '%s' is in another network namespace",
			address,
			name
		);
	if (r)
		return r;
	uses.ifindex = (uint32_t)rtnl_link_get_ifindex(link);
	r = read_uses(socket, address, &uses, err);
	if (!r)
		r = judge_uses(&uses, link, address, err);
	if (!r)
		r = check_master(socket, link, address, err);
	rtnl_link_put(link);
	return r;
}
