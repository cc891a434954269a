// SPDX-License-Identifier: BSD-3-Clause
// Which of the host's interfaces can carry an uplink. No state; any thread, each call with a netlink socket of its own.
#include "daemon/uplinks/internal.h"

#include <errno.h>
#include <net/if_arp.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>

_Static_assert(UPLINK_PCI_SIZE <= UPLINK_IFACE_SIZE, "a PCI address is longer than a name");

// What takes all frames of what belongs to it, and sends by it as it likes.
static bool takes_frames(const char *kind)
{
	static const char *const kinds[] = {"bridge", "bond", "team", "openvswitch"};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

int uplinks_judge_iface(const struct uplinks_iface *iface, const char *device, struct rwy_err *err)
{
	if (iface->arp_type != ARPHRD_ETHER) {
		(void)err_set(
			err,
			-EINVAL,
			"cannot use device '%s': interface '%s' has no Ethernet frames%s",
			device,
			iface->name,
			iface->arp_type == ARPHRD_LOOPBACK ? ", it is the loopback" : ""
		);
		return err_hint(err, "give an Ethernet interface (`ip link`: link/ether)");
	}
	if (!iface->master[0] || !takes_frames(iface->master_kind))
		return 0;
	(void)err_set(
		err,
		-EBUSY,
		"cannot use device '%s': interface '%s' belongs to %s '%s'",
		device,
		iface->name,
		iface->master_kind,
		iface->master
	);
	return err_hint(
		err,
		"take it out first: ip link set %s nomaster; or use another interface",
		iface->name
	);
}

static void read_master(struct nl_sock *sock, int index, struct uplinks_iface *ret)
{
	struct rtnl_link *master = NULL;
	if (!index || rtnl_link_get_kernel(sock, index, NULL, &master))
		return; // It left meanwhile.
	const char *kind = rtnl_link_get_type(master);
	(void)snprintf( // It fits.
		ret->master,
		sizeof(ret->master),
		"%s",
		rtnl_link_get_name(master)
	);
	(void)snprintf( // A kind that is cut is none of those that matter.
		ret->master_kind,
		sizeof(ret->master_kind),
		"%s",
		kind ? kind : ""
	);
	rtnl_link_put(master);
}

static int read_iface(const char *name, struct uplinks_iface *ret)
{
	struct rtnl_link *link = NULL;
	struct nl_sock *sock = nl_socket_alloc();
	if (!sock)
		return -NLE_NOMEM;
	int n = nl_connect(sock, NETLINK_ROUTE);
	if (!n)
		n = rtnl_link_get_kernel(sock, 0, name, &link);
	if (!n) {
		*ret = (struct uplinks_iface){.arp_type = rtnl_link_get_arptype(link)};
		(void)snprintf(ret->name, sizeof(ret->name), "%s", name); // Same size.
		read_master(sock, rtnl_link_get_master(link), ret);
		rtnl_link_put(link);
	}
	nl_socket_free(sock);
	return n;
}

int uplinks_check_iface(const char *args, const char *device, struct rwy_err *err)
{
	struct uplinks_iface iface;
	char name[UPLINK_IFACE_SIZE];
	if (uplink_read_iface(args, name))
		return 0;
	int n = read_iface(name, &iface);
	if (n)
		return err_set(
			err,
			n == -NLE_NODEV || n == -NLE_OBJ_NOTFOUND ? -ENODEV : -EIO,
			"cannot use device '%s': cannot ask the kernel for interface '%s': %s",
			device,
			name,
			nl_geterror(n)
		);
	return uplinks_judge_iface(&iface, device, err);
}

bool uplinks_are_one(const char *args, const char *other, char ret_what[UPLINK_IFACE_SIZE])
{
	char mine[UPLINK_IFACE_SIZE];
	char theirs[UPLINK_IFACE_SIZE];
	bool ifaces = !uplink_read_iface(args, mine) && !uplink_read_iface(other, theirs);
	if (!ifaces && (!uplink_read_pci(args, mine) || !uplink_read_pci(other, theirs)))
		return false;
	if (strcmp(mine, theirs) != 0)
		return false;
	memcpy(ret_what, mine, sizeof(mine));
	return true;
}
