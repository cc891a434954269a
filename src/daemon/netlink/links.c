// SPDX-License-Identifier: BSD-3-Clause
// Interfaces, by route netlink. A socket belongs to the namespace that it was opened in, and nobody has to go there for a
// request. No state.
#include "daemon/netlink/rtnetlink.h"

#include <errno.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct rwy_err *err)
{
	return err_set(err, -ENOMEM, "cannot describe an interface: %s", strerror(ENOMEM));
}

static int get(
	struct nl_sock *socket,
	uint32_t ifindex,
	const char *name,
	struct rtnl_link **ret,
	struct rwy_err *err
)
{
	int n = rtnl_link_get_kernel(socket, (int)ifindex, name, ret);
	int r = netlink_errno(n);
	if (!r || r == -ENODEV)
		return r;
	if (name)
		return err_set(err, r, "cannot look for interface '%s': %s", name, nl_geterror(n));
	return err_set(err, r, "cannot look for interface %u: %s", ifindex, nl_geterror(n));
}

int netlink_get_link(
	struct nl_sock *socket,
	const char *name,
	struct rtnl_link **ret,
	struct rwy_err *err
)
{
	return get(socket, 0, name, ret, err);
}

int netlink_get_link_by_index(
	struct nl_sock *socket,
	uint32_t ifindex,
	struct rtnl_link **ret,
	struct rwy_err *err
)
{
	return get(socket, ifindex, NULL, ret, err);
}

int netlink_change_link(
	struct nl_sock *socket,
	struct rtnl_link *link,
	struct rtnl_link *changes,
	const char *what,
	struct rwy_err *err
)
{
	int n = rtnl_link_change(socket, link, changes, 0);
	rtnl_link_put(changes);
	if (!n)
		return 0;
	return err_set(
		err,
		netlink_errno(n),
		"cannot %s interface '%s': %s",
		what,
		rtnl_link_get_name(link),
		nl_geterror(n)
	);
}

int netlink_set_mtu(
	struct nl_sock *socket,
	struct rtnl_link *link,
	uint32_t mtu,
	struct rwy_err *err
)
{
	if (rtnl_link_get_mtu(link) == mtu)
		return 0;
	struct rtnl_link *changes = rtnl_link_alloc();
	if (!changes)
		return no_memory(err);
	rtnl_link_set_mtu(changes, mtu);
	return netlink_change_link(socket, link, changes, "set the MTU of", err);
}

int netlink_set_mac(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const uint8_t mac[MAC_SIZE],
	struct rwy_err *err
)
{
	struct nl_addr *has = rtnl_link_get_addr(link);
	if (has && nl_addr_get_len(has) == MAC_SIZE &&
	    !memcmp(nl_addr_get_binary_addr(has), mac, MAC_SIZE))
		return 0;
	struct rtnl_link *changes = rtnl_link_alloc();
	struct nl_addr *address = nl_addr_build(AF_LLC, mac, MAC_SIZE);
	if (!changes || !address) {
		rtnl_link_put(changes);
		nl_addr_put(address);
		return no_memory(err);
	}
	rtnl_link_set_addr(changes, address);
	nl_addr_put(address);
	return netlink_change_link(socket, link, changes, "set the MAC address of", err);
}

int netlink_set_up(struct nl_sock *socket, struct rtnl_link *link, bool up, struct rwy_err *err)
{
	if (!!(rtnl_link_get_flags(link) & IFF_UP) == up)
		return 0;
	struct rtnl_link *changes = rtnl_link_alloc();
	if (!changes)
		return no_memory(err);
	if (up)
		rtnl_link_set_flags(changes, IFF_UP);
	else
		rtnl_link_unset_flags(changes, IFF_UP);
	return netlink_change_link(socket, link, changes, up ? "bring up" : "bring down", err);
}

int netlink_set_name(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const char *name,
	struct rwy_err *err
)
{
	if (!strcmp(rtnl_link_get_name(link), name))
		return 0;
	struct rtnl_link *changes = rtnl_link_alloc();
	if (!changes)
		return no_memory(err);
	rtnl_link_set_name(changes, name);
	int r = netlink_change_link(socket, link, changes, "rename", err);
	if (!r)
		rtnl_link_set_name(link, name);
	return r;
}

int netlink_move_link(
	struct nl_sock *socket,
	struct rtnl_link *link,
	int netns,
	const char *name,
	struct rwy_err *err
)
{
	struct rtnl_link *changes = rtnl_link_alloc();
	if (!changes)
		return no_memory(err);
	rtnl_link_set_ns_fd(changes, netns);
	rtnl_link_set_name(changes, name);
	int r = netlink_change_link(socket, link, changes, "move", err);
	if (r != -EEXIST)
		return r;
	(void)err_set(err, r, "the network namespace has an interface '%s' already", name);
	(void)err_hint(err, "choose another name (--interface), or remove that one");
	return r;
}

int netlink_delete_link(struct nl_sock *socket, const char *name, struct rwy_err *err)
{
	struct rtnl_link *link = NULL;
	int r = netlink_get_link(socket, name, &link, err);
	if (r)
		return r == -ENODEV ? 0 : r;
	int n = rtnl_link_delete(socket, link);
	rtnl_link_put(link);
	r = netlink_errno(n);
	if (!r || r == -ENODEV) // It went meanwhile, with its other end or by another hand.
		return 0;
	return err_set(err, r, "cannot remove interface '%s': %s", name, nl_geterror(n));
}
