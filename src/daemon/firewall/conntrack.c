// SPDX-License-Identifier: BSD-3-Clause
// The kernel's table of flows, over netlink. Whoever holds the service's lock, in the host's namespace.
#include "daemon/firewall/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#define ATTRIBUTE_MAX 64
#define ANSWER_SIZE 32768 // The most that the kernel puts into one answer.

struct cut {
	conntrack_judge *judge;
	void *arg;
	struct mnl_socket *remover; // Beside the socket that is in the middle of a list.
	size_t count;
};

struct attributes {
	const struct nlattr *of[ATTRIBUTE_MAX];
};

static int keep_attribute(const struct nlattr *attribute, void *arg)
{
	struct attributes *attributes = arg;
	uint16_t type = mnl_attr_get_type(attribute);
	if (type < ATTRIBUTE_MAX)
		attributes->of[type] = attribute;
	return MNL_CB_OK;
}

static struct attributes nested(const struct nlattr *attribute)
{
	struct attributes attributes = {{NULL}};
	// What is no attribute ends the list; what came before counts.
	if (attribute)
		(void)mnl_attr_parse_nested(attribute, keep_attribute, &attributes);
	return attributes;
}

static bool read_bytes(const struct nlattr *attribute, void *ret, size_t size)
{
	if (!attribute || mnl_attr_get_payload_len(attribute) != size)
		return false;
	memcpy(ret, mnl_attr_get_payload(attribute), size);
	return true;
}

// One end of a tuple: its address, protocol and port.
static bool read_end(
	const struct nlattr *tuple,
	bool destination,
	struct conntrack_flow *flow,
	uint8_t ret_address[16],
	uint16_t *ret_port
)
{
	struct attributes parts = nested(tuple);
	struct attributes ip = nested(parts.of[CTA_TUPLE_IP]);
	struct attributes proto = nested(parts.of[CTA_TUPLE_PROTO]);
	uint16_t port;
	flow->family = !ip.of[CTA_IP_V4_SRC];
	uint16_t four = destination ? CTA_IP_V4_DST : CTA_IP_V4_SRC;
	uint16_t six = destination ? CTA_IP_V6_DST : CTA_IP_V6_SRC;
	if (!read_bytes(ip.of[flow->family ? six : four], ret_address, flow->family ? 16 : 4) ||
	    !read_bytes(proto.of[CTA_PROTO_NUM], &flow->proto, 1) ||
	    !read_bytes(proto.of[destination ? CTA_PROTO_DST_PORT : CTA_PROTO_SRC_PORT], &port, 2))
		return false;
	*ret_port = ntohs(port);
	return true;
}

static struct nlmsghdr *begin(char *buffer, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	header->nlmsg_seq = 1;
	struct nfgenmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->nfgen_family = family;
	message->version = NFNETLINK_V0;
	return header;
}

static int remove_flow(struct cut *cut, const struct attributes *entry, uint8_t family)
{
	char buffer[1024];
	const struct nlattr *tuple = entry->of[CTA_TUPLE_ORIG];
	const struct nlattr *id = entry->of[CTA_ID];
	if (mnl_attr_get_payload_len(tuple) > sizeof(buffer) / 2)
		return -EMSGSIZE;
	struct nlmsghdr *header = begin(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, family);
	mnl_attr_put(
		header,
		CTA_TUPLE_ORIG | NLA_F_NESTED,
		mnl_attr_get_payload_len(tuple),
		mnl_attr_get_payload(tuple)
	);
	// It names this flow, and no other that has its ports by now.
	if (id && mnl_attr_get_payload_len(id) == sizeof(uint32_t))
		mnl_attr_put(header, CTA_ID, sizeof(uint32_t), mnl_attr_get_payload(id));
	if (mnl_socket_sendto(cut->remover, header, header->nlmsg_len) < 0)
		return -errno;
	ssize_t size = mnl_socket_recvfrom(cut->remover, buffer, sizeof(buffer));
	if (size < 0)
		return -errno;
	unsigned int port = mnl_socket_get_portid(cut->remover);
	if (mnl_cb_run(buffer, (size_t)size, 1, port, NULL, NULL) < 0)
		return errno == ENOENT ? 0 : -errno; // It may have ended by itself.
	cut->count++;
	return 0;
}

static int judge_flow(const struct nlmsghdr *header, void *arg)
{
	struct cut *cut = arg;
	struct attributes entry = {{NULL}};
	struct conntrack_flow flow = {0};
	const struct nfgenmsg *message = mnl_nlmsg_get_payload(header);
	if (mnl_attr_parse(header, sizeof(*message), keep_attribute, &entry) < 0)
		return MNL_CB_OK;
	// Other zones are other users' of conntrack.
	if (entry.of[CTA_ZONE] || !entry.of[CTA_TUPLE_ORIG] || !entry.of[CTA_TUPLE_REPLY] ||
	    !read_end(entry.of[CTA_TUPLE_ORIG], true, &flow, flow.to, &flow.to_port) ||
	    !read_end(entry.of[CTA_TUPLE_REPLY], false, &flow, flow.from, &flow.from_port) ||
	    !cut->judge(cut->arg, &flow))
		return MNL_CB_OK;
	int r = remove_flow(cut, &entry, message->nfgen_family);
	if (!r)
		return MNL_CB_OK;
	errno = -r;
	return MNL_CB_ERROR;
}

static int list_flows(struct mnl_socket *lister, struct cut *cut)
{
	char buffer[ANSWER_SIZE];
	struct nlmsghdr *header = begin(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);
	if (mnl_socket_sendto(lister, header, header->nlmsg_len) < 0)
		return -errno;
	int r = MNL_CB_OK;
	while (r > MNL_CB_STOP) {
		ssize_t size = mnl_socket_recvfrom(lister, buffer, sizeof(buffer));
		if (size < 0)
			return -errno;
		unsigned int port = mnl_socket_get_portid(lister);
		r = mnl_cb_run(buffer, (size_t)size, 1, port, judge_flow, cut);
	}
	return r < 0 ? -errno : 0;
}

static struct mnl_socket *open_socket(void)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (socket && mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int code = errno;
		(void)mnl_socket_close(socket); // Nothing was sent.
		errno = code;
		return NULL;
	}
	return socket;
}

int conntrack_cut(conntrack_judge *judge, void *arg, size_t *ret_count)
{
	struct cut cut = {.judge = judge, .arg = arg};
	struct mnl_socket *lister = open_socket();
	cut.remover = open_socket();
	int r = lister && cut.remover ? list_flows(lister, &cut) : -errno;
	if (lister)
		(void)mnl_socket_close(lister); // It has been read.
	if (cut.remover)
		(void)mnl_socket_close(cut.remover);
	if (!r)
		*ret_count = cut.count;
	return r;
}
