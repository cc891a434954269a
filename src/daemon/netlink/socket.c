// SPDX-License-Identifier: BSD-3-Clause
// Netlink sockets, the way from libnl's errors to errno, and requests whose refusal is told in the kernel's own words. No state.
#include "daemon/netlink/rtnetlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int netlink_errno(int nl_error)
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

struct nl_sock *netlink_open(int netns, int home_netns, struct rwy_err *err)
{
	struct nl_sock *socket = nl_socket_alloc();
	if (!socket) {
		err_set(err, -ENOMEM, "cannot make a netlink socket: %s", strerror(ENOMEM));
		return NULL;
	}
	int r = netns < 0 ? 0 : netlink_enter(netns);
	if (!r) {
		r = netlink_errno(nl_connect(socket, NETLINK_ROUTE));
		if (netns >= 0)
			netlink_leave(home_netns);
	}
	if (!r)
		return socket;
	nl_socket_free(socket);
	err_set(err, r, "cannot open netlink: %s", strerror(-r));
	return NULL;
}

struct answer {
	int error;
	char *reason;
	size_t size;
};

// The kernel's words come after the request that it sends back, or after the request's head alone.
static int note_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	(void)from;
	struct answer *answer = arg;
	struct nlmsghdr *head = (struct nlmsghdr *)((char *)error - NLMSG_HDRLEN);
	struct nlattr *text = NULL;
	size_t skip = sizeof(*error);
	answer->error = error->error;
	if (!(head->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len > sizeof(error->msg))
		skip += error->msg.nlmsg_len - sizeof(error->msg);
	size_t have = head->nlmsg_len - NLMSG_HDRLEN;
	skip = NLMSG_ALIGN(skip);
	if ((head->nlmsg_flags & NLM_F_ACK_TLVS) && skip < have)
		text = nla_find(
			(struct nlattr *)((char *)error + skip),
			(int)(have - skip),
			NLMSGERR_ATTR_MSG
		);
	if (text && answer->size)
		(void)nla_strlcpy(answer->reason, text, answer->size); // Cut at the end.
	return NL_STOP;
}

int netlink_request(struct nl_sock *socket, struct nl_msg *msg, char *ret_reason, size_t size)
{
	static const int on = 1;
	struct answer answer = {.reason = ret_reason, .size = size};
	ret_reason[0] = '\0';
	// A kernel that says no more than a number is as good.
	(void)setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	int n = nl_socket_modify_err_cb(socket, NL_CB_CUSTOM, note_error, &answer);
	if (!n)
		n = nl_send_auto(socket, msg);
	nlmsg_free(msg);
	if (n >= 0)
		n = nl_wait_for_ack(socket);
	(void)nl_socket_modify_err_cb(socket, NL_CB_DEFAULT, NULL, NULL); // It cannot fail.
	int r = answer.error ? answer.error : netlink_errno(n < 0 ? n : 0);
	if (r && !ret_reason[0])
		(void)snprintf(ret_reason, size, "%s", strerror(-r)); // Cut at the end.
	return r;
}

#define DUMP_TRIES 5

// What follows a dump says that it is whole; a single answer is followed by an acknowledgement, without which libnl loses count.
static int ask_once(struct nl_sock *socket, struct nl_msg *msg)
{
	bool dump = (nlmsg_hdr(msg)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	nlmsg_hdr(msg)->nlmsg_seq = NL_AUTO_SEQ;
	if (dump)
		nl_socket_disable_auto_ack(socket);
	int n = nl_send_auto(socket, msg);
	nl_socket_enable_auto_ack(socket);
	if (n >= 0)
		n = nl_recvmsgs_default(socket);
	return n < 0 || dump ? n : nl_wait_for_ack(socket);
}

int netlink_ask(struct nl_sock *socket, struct nl_msg *msg, nl_recvmsg_msg_cb_t visit, void *arg)
{
	struct answer answer = {0};
	int n = nl_socket_modify_err_cb(socket, NL_CB_CUSTOM, note_error, &answer);
	if (!n)
		n = nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, visit, arg);
	for (int i = 0; n >= 0 && i < DUMP_TRIES; i++) {
		n = ask_once(socket, msg);
		if (n != -NLE_DUMP_INTR)
			break;
		n = 0;
	}
	nlmsg_free(msg);
	// Neither can fail.
	(void)nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	(void)nl_socket_modify_err_cb(socket, NL_CB_DEFAULT, NULL, NULL);
	return answer.error ? answer.error : netlink_errno(n < 0 ? n : 0);
}
