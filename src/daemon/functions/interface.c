// SPDX-License-Identifier: BSD-3-Clause
// The interface of a function whose driver is the kernel's: found, made ready, moved to another namespace. Any thread, which belongs
// in the host's namespace.
#include "daemon/functions/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MS 20

int functions_interface(
	struct functions *functions,
	const char *address,
	int wait_ms,
	char ret_name[FUNCTION_IFNAME_SIZE],
	struct rwy_err *err
)
{
	struct function_info info;
	int r = functions_get(functions, address, &info, err);
	if (r)
		return r;
	for (int waited = 0;; waited += TURN_MS) {
		r = nets_find(functions, info.address, ret_name);
		if (r != -ENOENT || waited >= wait_ms)
			break;
		(void)usleep(TURN_MS * 1000); // A shorter wait does no harm.
	}
	if (!r)
		return 0;
	return err_set(
		err,
		r,
		"function %s has no interface in the host's namespace (driver '%s')",
		info.address,
		info.driver[0] ? info.driver : "none"
	);
}

static int open_link(
	const char *name,
	struct nl_sock **ret_socket,
	struct rtnl_link **ret,
	struct rwy_err *err
)
{
	struct nl_sock *socket = netlink_open(-1, -1, err);
	if (!socket)
		return err ? err->code : -EIO;
	int r = netlink_get_link(socket, name, ret, err);
	if (!r) {
		*ret_socket = socket;
		return 0;
	}
	nl_socket_free(socket);
	if (r == -ENODEV)
		return err_set(err, -ENODEV, "the host has no interface '%s'", name);
	return r;
}

int functions_interface_prepare(
	struct functions *functions,
	const char *name,
	const uint8_t mac[MAC_SIZE],
	uint32_t mtu,
	struct rwy_err *err
)
{
	(void)functions;
	struct nl_sock *socket = NULL;
	struct rtnl_link *link = NULL;
	int r = open_link(name, &socket, &link, err);
	if (r)
		return r;
	r = netlink_set_up(socket, link, false, err);
	if (!r && !mac_is_zero(mac)) {
		r = netlink_set_mac(socket, link, mac, err);
		if (r && err)
			(void)err_hint(err, "a function whose parent gave it one has no other");
	}
	if (!r && mtu)
		r = netlink_set_mtu(socket, link, mtu, err);
	rtnl_link_put(link);
	nl_socket_free(socket);
	return r;
}

int functions_interface_rename(
	struct functions *functions,
	const char *name,
	const char *new_name,
	struct rwy_err *err
)
{
	(void)functions;
	struct nl_sock *socket = NULL;
	struct rtnl_link *link = NULL;
	int r = open_link(name, &socket, &link, err);
	if (r)
		return r;
	r = netlink_set_name(socket, link, new_name, err);
	if (r == -EEXIST)
		(void)err_hint(err, "another interface has the name '%s'", new_name);
	rtnl_link_put(link);
	nl_socket_free(socket);
	return r;
}

// An engine's namespaces may have IPv6 off, and an interface with an address wants it.
static void allow_ip6(const struct functions *functions, const struct function_inside *inside)
{
	char path[64];
	if (!inside->address[1][0] || netlink_enter(inside->netns_fd))
		return;
	(void)snprintf(path, sizeof(path), "ipv6/conf/%s/disable_ipv6", inside->name); // It fits.
	// A kernel without IPv6: setting the address tells what is wrong.
	(void)netlink_sysctl(path, "0");
	netlink_leave(functions->home_netns);
}

static int configure(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const struct function_inside *inside,
	struct rwy_err *err
)
{
	static const int family[2] = {AF_INET, AF_INET6};
	int r = 0;
	for (int i = 0; !r && i < 2; i++) {
		if (inside->address[i][0])
			r = netlink_add_address(socket, link, inside->address[i], family[i], err);
	}
	if (!r)
		r = netlink_set_up(socket, link, true, err);
	for (int i = 0; !r && i < 2; i++) {
		if (inside->gateway[i][0])
			r = netlink_add_default_route(
				socket, link, inside->gateway[i], family[i], err
			);
	}
	return r;
}

// Sets it up in its new namespace. What fails there brings it back under its old name.
static int set_up_inside(
	struct functions *functions,
	const char *name,
	const struct function_inside *inside,
	struct rwy_err *err
)
{
	struct rtnl_link *link = NULL;
	struct nl_sock *socket = netlink_open(inside->netns_fd, functions->home_netns, err);
	if (!socket)
		return err ? err->code : -EIO;
	int r = netlink_get_link(socket, inside->name, &link, err);
	if (r == -ENODEV)
		r = err_set(err, r, "interface '%s' has gone on its way", inside->name);
	if (!r) {
		allow_ip6(functions, inside);
		r = configure(socket, link, inside, err);
	}
	if (r && link)
		(void)netlink_move_link( // The failure before is what counts.
			socket,
			link,
			functions->home_netns,
			name,
			NULL
		);
	rtnl_link_put(link);
	nl_socket_free(socket);
	return r;
}

// The kernel moves an interface before it renames it, so a request that failed may have been done by half.
static void bring_back(struct functions *functions, const char *name, int netns)
{
	struct rtnl_link *link = NULL;
	struct nl_sock *home = netlink_open(-1, -1, NULL);
	struct nl_sock *there = netlink_open(netns, functions->home_netns, NULL);
	if (home && there && netlink_get_link(home, name, &link, NULL) == -ENODEV &&
	    !netlink_get_link(there, name, &link, NULL))
		(void)netlink_move_link( // The failure before is what counts.
			there,
			link,
			functions->home_netns,
			name,
			NULL
		);
	rtnl_link_put(link);
	nl_socket_free(home);
	nl_socket_free(there);
}

static int check_name(
	const struct functions *functions,
	const struct function_inside *inside,
	struct rwy_err *err
)
{
	struct rtnl_link *link = NULL;
	struct nl_sock *there = netlink_open(inside->netns_fd, functions->home_netns, err);
	if (!there)
		return err ? err->code : -EIO;
	int r = netlink_get_link(there, inside->name, &link, err);
	nl_socket_free(there);
	if (r)
		return r == -ENODEV ? 0 : r;
	rtnl_link_put(link);
	(void
	)err_set(err, -EEXIST, "the network namespace has an interface '%s' already", inside->name);
	(void)err_hint(err, "choose another name (--interface), or remove that one");
	return -EEXIST;
}

int functions_interface_place(
	struct functions *functions,
	const char *name,
	const struct function_inside *inside,
	struct rwy_err *err
)
{
	struct nl_sock *socket = NULL;
	struct rtnl_link *link = NULL;
	int r = check_name(functions, inside, err);
	if (!r)
		r = open_link(name, &socket, &link, err);
	if (r)
		return r;
	r = netlink_move_link(socket, link, inside->netns_fd, inside->name, err);
	rtnl_link_put(link);
	nl_socket_free(socket);
	if (!r)
		return set_up_inside(functions, name, inside, err);
	bring_back(functions, name, inside->netns_fd);
	return r;
}
