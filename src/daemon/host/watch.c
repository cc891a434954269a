// SPDX-License-Identifier: BSD-3-Clause
// Tells the tc program which containers' ends are down, as the kernel tells it here. Under the caller's lock. What is known
// may be old, all the more while no ringwayd runs: so the program counts by it and sends all the same.
#include "daemon/host/internal.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <string.h>

#define WATCH_BUFFER (1 << 20)

static void set_down(struct host *host, uint32_t ifindex, bool down)
{
	struct maps_port port;
	uint32_t slot = ifindex - MAPS_PORT_IFINDEX;
	if (slot >= HOST_PORTS_MAX || map_get(host, HOST_MAP_PORTS, &slot, &port, NULL) || !port.id)
		return;
	uint32_t flags = (port.flags & ~MAPS_PORT_DOWN) | (down ? MAPS_PORT_DOWN : 0);
	if (flags == port.flags)
		return;
	port.flags = flags;
	(void)map_set(host, HOST_MAP_PORTS, &slot, &port, NULL); // Counters alone suffer.
}

static int note_message(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *head = nlmsg_hdr(msg);
	if ((head->nlmsg_type != RTM_NEWLINK && head->nlmsg_type != RTM_DELLINK) ||
	    head->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		return NL_OK;
	const struct ifinfomsg *link = nlmsg_data(head);
	bool up = head->nlmsg_type == RTM_NEWLINK && (link->ifi_flags & IFF_LOWER_UP);
	set_down(arg, (uint32_t)link->ifi_index, !up);
	return NL_OK;
}

static int note_link(struct host *host, struct rtnl_link *link, void *arg, struct rwy_err *err)
{
	bool up = rtnl_link_get_flags(link) & IFF_LOWER_UP;
	set_down(host, (uint32_t)rtnl_link_get_ifindex(link), !up);
	return 0;
}

int watch_open(struct host *host, struct rwy_err *err)
{
	host->watch = netlink_open(host->own_netns, host->home_netns, err);
	if (!host->watch)
		return err ? err->code : -EIO;
	nl_socket_disable_seq_check(host->watch);
	(void)nl_socket_set_buffer_size(host->watch, WATCH_BUFFER, 0); // A small one does too.
	int n = nl_socket_modify_cb(host->watch, NL_CB_VALID, NL_CB_CUSTOM, note_message, host);
	if (!n)
		n = nl_socket_add_membership(host->watch, RTNLGRP_LINK);
	if (!n)
		n = nl_socket_set_nonblocking(host->watch);
	if (n)
		return err_set(err, netlink_errno(n), "cannot watch links: %s", nl_geterror(n));
	return links_each(host, note_link, NULL, err);
}

int host_watch_fd(const struct host *host)
{
	return nl_socket_get_fd(host->watch);
}

void host_watch_read(struct host *host)
{
	int n;
	do
		n = nl_recvmsgs_default(host->watch);
	while (n >= 0);
	// More was told than there was room for.
	if (n != -NLE_AGAIN)
		(void)links_each(host, note_link, NULL, NULL); // The next message tries again.
}
