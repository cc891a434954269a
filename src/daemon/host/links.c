// SPDX-License-Identifier: BSD-3-Clause
// The instance's interfaces. A socket belongs to the namespace that it was opened in, so one a namespace is kept.
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
	int r = netlink_get_link(host->own, "lo", &link, err);
	if (r) {
		rtnl_link_put(changes);
		return err_set(err, r, "cannot find 'lo' in the own namespace");
	}
	r = netlink_change_link(host->own, link, changes, "change", err);
	rtnl_link_put(link);
	if (r != -EPERM)
		return r;
	err_set(err, -EOPNOTSUPP, "cannot change interfaces: %s", strerror(EPERM));
	return err_hint(err, "kernel ports need CAP_NET_ADMIN");
}

int links_open(struct host *host, struct rwy_err *err)
{
	host->own = netlink_open(host->own_netns, host->home_netns, err);
	if (!host->own)
		return err ? err->code : -EIO;
	host->home = netlink_open(host->home_netns, host->home_netns, err);
	if (!host->home)
		return err ? err->code : -EIO;
	return try_rights(host, err);
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
	int r = netlink_errno(n);
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
		return err_set(err, netlink_errno(n), "cannot list interfaces: %s", nl_geterror(n));
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
