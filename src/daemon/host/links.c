// SPDX-License-Identifier: BSD-3-Clause
// Interfaces, by route netlink. A socket belongs to the namespace that it was opened in, so one a namespace is kept, and
// nobody has to go there for a request.
#include "daemon/host/internal.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>
#include <stdlib.h>
#include <string.h>

int links_errno(int nl_error)
{
	switch (abs(nl_error)) {
	case NLE_SUCCESS:
		return 0;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return -ENODEV;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_RANGE:
		return -ERANGE;
	case NLE_INVAL:
		return -EINVAL;
	default:
		return -EIO;
	}
}

struct nl_sock *links_socket(struct host *host, int netns, struct rwy_err *err)
{
	struct nl_sock *socket = nl_socket_alloc();
	if (!socket) {
		err_set(err, -ENOMEM, "cannot make a netlink socket: %s", strerror(ENOMEM));
		return NULL;
	}
	int r = netns_enter(netns);
	if (!r) {
		r = links_errno(nl_connect(socket, NETLINK_ROUTE));
		netns_leave(host);
	}
	if (!r)
		return socket;
	nl_socket_free(socket);
	err_set(err, r, "cannot open netlink: %s", strerror(-r));
	return NULL;
}

void links_close(struct host *host)
{
	if (host->own)
		nl_socket_free(host->own);
	if (host->home)
		nl_socket_free(host->home);
	if (host->watch)
		nl_socket_free(host->watch);
	host->own = host->home = host->watch = NULL;
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
	int r = links_errno(n);
	if (!r || r == -ENODEV)
		return r;
	if (name)
		return err_set(err, r, "cannot look for interface '%s': %s", name, nl_geterror(n));
	return err_set(err, r, "cannot look for interface %u: %s", ifindex, nl_geterror(n));
}

int links_get_by_name(
	struct nl_sock *socket,
	const char *name,
	struct rtnl_link **ret,
	struct rwy_err *err
)
{
	return get(socket, 0, name, ret, err);
}

int links_get_by_index(
	struct nl_sock *socket,
	uint32_t ifindex,
	struct rtnl_link **ret,
	struct rwy_err *err
)
{
	return get(socket, ifindex, NULL, ret, err);
}

int links_change(
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
		links_errno(n),
		"cannot %s interface '%s': %s",
		what,
		rtnl_link_get_name(link),
		nl_geterror(n)
	);
}

static int no_memory(struct rwy_err *err)
{
	return err_set(err, -ENOMEM, "cannot describe an interface: %s", strerror(ENOMEM));
}

// A change that changes nothing, so that nobody finds out half-way.
static int try_rights(struct host *host, struct rwy_err *err)
{
	struct rtnl_link *link = NULL;
	struct rtnl_link *changes = rtnl_link_alloc();
	if (!changes)
		return no_memory(err);
	int r = links_get_by_name(host->own, "lo", &link, err);
	if (r) {
		rtnl_link_put(changes);
		return err_set(err, r, "cannot find 'lo' in the own namespace");
	}
	r = links_change(host->own, link, changes, "change", err);
	rtnl_link_put(link);
	if (r != -EPERM)
		return r;
	err_set(err, -EOPNOTSUPP, "cannot change interfaces: %s", strerror(EPERM));
	return err_hint(err, "kernel ports need CAP_NET_ADMIN");
}

int links_open(struct host *host, struct rwy_err *err)
{
	host->own = links_socket(host, host->own_netns, err);
	if (!host->own)
		return err ? err->code : -EIO;
	host->home = links_socket(host, host->home_netns, err);
	if (!host->home)
		return err ? err->code : -EIO;
	return try_rights(host, err);
}

int links_set_mtu(struct nl_sock *socket, struct rtnl_link *link, uint32_t mtu, struct rwy_err *err)
{
	if (rtnl_link_get_mtu(link) == mtu)
		return 0;
	struct rtnl_link *changes = rtnl_link_alloc();
	if (!changes)
		return no_memory(err);
	rtnl_link_set_mtu(changes, mtu);
	return links_change(socket, link, changes, "set the MTU of", err);
}

int links_set_up(struct nl_sock *socket, struct rtnl_link *link, struct rwy_err *err)
{
	if (rtnl_link_get_flags(link) & IFF_UP)
		return 0;
	struct rtnl_link *changes = rtnl_link_alloc();
	if (!changes)
		return no_memory(err);
	rtnl_link_set_flags(changes, IFF_UP);
	return links_change(socket, link, changes, "bring up", err);
}

int links_delete(struct nl_sock *socket, const char *name, struct rwy_err *err)
{
	struct rtnl_link *link = NULL;
	int r = links_get_by_name(socket, name, &link, err);
	if (r)
		return r == -ENODEV ? 0 : r;
	int n = rtnl_link_delete(socket, link);
	rtnl_link_put(link);
	r = links_errno(n);
	if (!r || r == -ENODEV) // It went with its other end meanwhile.
		return 0;
	return err_set(err, r, "cannot remove interface '%s': %s", name, nl_geterror(n));
}

int links_add_veth(struct host *host, const struct links_veth *veth, struct rwy_err *err)
{
	struct rtnl_link *link = rtnl_link_veth_alloc();
	struct nl_addr *mac = nl_addr_build(AF_LLC, veth->mac, MAC_SIZE);
	if (!link || !mac) {
		rtnl_link_put(link);
		nl_addr_put(mac);
		return no_memory(err);
	}
	struct rtnl_link *peer = rtnl_link_veth_get_peer(link);
	rtnl_link_set_name(link, veth->name);
	rtnl_link_set_ifindex(link, (int)veth->ifindex);
	rtnl_link_set_mtu(link, veth->mtu);
	rtnl_link_set_flags(link, IFF_NOARP);
	rtnl_link_set_name(peer, veth->peer);
	rtnl_link_set_mtu(peer, veth->mtu);
	rtnl_link_set_addr(peer, mac);
	rtnl_link_set_ns_fd(peer, host->home_netns);
	int n = rtnl_link_add(host->own, link, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_link_put(peer);
	rtnl_link_put(link);
	nl_addr_put(mac);
	if (!n)
		return 0;
	int r = links_errno(n);
	err_set(err,
		r,
		"cannot make the pair of interfaces '%s' and '%s': %s",
		veth->name,
		veth->peer,
		nl_geterror(n));
	if (r == -EOPNOTSUPP)
		return err ? err_hint(err, "kernel ports need the kernel's veth driver") : r;
	return r;
}

void links_set_noqueue(struct host *host, uint32_t ifindex)
{
	struct rtnl_qdisc *qdisc = rtnl_qdisc_alloc();
	if (!qdisc)
		return;
	rtnl_tc_set_ifindex(TC_CAST(qdisc), (int)ifindex);
	rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_ROOT);
	// A queue that drops nothing and delays nothing costs a lock a frame, and that is all: so it stays
	// where it cannot be taken away.
	if (!rtnl_tc_set_kind(TC_CAST(qdisc), "noqueue"))
		(void)rtnl_qdisc_add(host->own, qdisc, NLM_F_CREATE | NLM_F_REPLACE);
	rtnl_qdisc_put(qdisc);
}

struct each {
	struct host *host;
	links_visit *visit;
	void *arg;
	struct rwy_err *err;
	int result;
};

static void visit_one(struct nl_object *object, void *arg)
{
	struct each *each = arg;
	if (!each->result)
		each->result =
			each->visit(each->host, (struct rtnl_link *)object, each->arg, each->err);
}

int links_each(struct host *host, links_visit *visit, void *arg, struct rwy_err *err)
{
	struct each each = {.host = host, .visit = visit, .arg = arg, .err = err};
	struct nl_cache *cache = NULL;
	int n = rtnl_link_alloc_cache(host->own, AF_UNSPEC, &cache);
	if (n)
		return err_set(err, links_errno(n), "cannot list interfaces: %s", nl_geterror(n));
	nl_cache_foreach(cache, visit_one, &each);
	nl_cache_free(cache);
	return each.result;
}

uint32_t links_name_id(const char *name, const char *prefix)
{
	char *end;
	if (!name || strncmp(name, prefix, strlen(prefix)) != 0)
		return 0;
	name += strlen(prefix);
	if (name[0] < '1' || name[0] > '9')
		return 0;
	errno = 0;
	unsigned long id = strtoul(name, &end, 10);
	return errno || *end || id > INT32_MAX ? 0 : (uint32_t)id;
}
