// SPDX-License-Identifier: BSD-3-Clause
// Interfaces, addresses and routes by route netlink, in whatever namespace. Shared by the parts of ringwayd that are mechanism.
//
// Not called netlink.h, which is libnl's.
//
// No state; any thread, a socket one thread at a time. Functions return 0 or a negative errno with err; what is so already is
// no error.
#pragma once

#include "base/err.h"
#include "base/mac.h"

#include <linux/if.h>
#include <netlink/handlers.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Moves the calling thread to another network namespace. -errno.
int netlink_enter(int netns);
// Moves the calling thread back to its own namespace, or ends the process: a thread in the wrong namespace would act on
// somebody else's interfaces.
void netlink_leave(int home_netns);
// Writes a file below /proc/sys/net/ of the calling thread's namespace. -errno.
int netlink_sysctl(const char *name, const char *value);

// The negative errno that one of libnl's errors stands for; 0: 0.
int netlink_errno(int nl_error);
// A socket in the namespace `netns`, which the caller nl_socket_free()s. The calling thread, which belongs in `home_netns`,
// goes there and comes back; netns -1: it stays where it is. NULL with err.
struct nl_sock *netlink_open(int netns, int home_netns, struct rwy_err *err);
// Sends a request, frees it in any case, and waits for the kernel's answer: its own errno, not libnl's, and what it
// says of the reason, or strerror()'s words.
int netlink_request(struct nl_sock *socket, struct nl_msg *msg, char *ret_reason, size_t size);
// Sends a question, or one with NLM_F_DUMP, frees it in any case, and has `visit` see each message of the answer. Where a
// dump changed under way it is asked again, and everything visited again. -errno, the kernel's own.
int netlink_ask(struct nl_sock *socket, struct nl_msg *msg, nl_recvmsg_msg_cb_t visit, void *arg);

// The interface of that name. -ENODEV sets no err. The link is the caller's to rtnl_link_put().
int netlink_get_link(
	struct nl_sock *socket,
	const char *name,
	struct rtnl_link **ret,
	struct rwy_err *err
);
// The same by its index.
int netlink_get_link_by_index(
	struct nl_sock *socket,
	uint32_t ifindex,
	struct rtnl_link **ret,
	struct rwy_err *err
);
// Sends `changes` (freed in any case) of the interface. what: for err, "set the MTU of".
int netlink_change_link(
	struct nl_sock *socket,
	struct rtnl_link *link,
	struct rtnl_link *changes,
	const char *what,
	struct rwy_err *err
);
int netlink_set_mtu(
	struct nl_sock *socket,
	struct rtnl_link *link,
	uint32_t mtu,
	struct rwy_err *err
);
int netlink_set_mac(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const uint8_t mac[MAC_SIZE],
	struct rwy_err *err
);
int netlink_set_up(struct nl_sock *socket, struct rtnl_link *link, bool up, struct rwy_err *err);
// Renames it, in `link` too.
int netlink_set_name(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const char *name,
	struct rwy_err *err
);
// Moves it to the namespace `netns` under that name. -EEXIST: an interface there has it, and err says what to do; the kernel
// may have moved it all the same, under the name that it had.
int netlink_move_link(
	struct nl_sock *socket,
	struct rtnl_link *link,
	int netns,
	const char *name,
	struct rwy_err *err
);
// Removes it; none of that name is fine.
int netlink_delete_link(struct nl_sock *socket, const char *name, struct rwy_err *err);

// Gives it an address ("10.0.0.2/24") of a family, AF_INET or AF_INET6, without asking the network whether another has it.
int netlink_add_address(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const char *text,
	int family,
	struct rwy_err *err
);
// A default route by that gateway and the interface, which is up.
int netlink_add_default_route(
	struct nl_sock *socket,
	struct rtnl_link *link,
	const char *gateway,
	int family,
	struct rwy_err *err
);
