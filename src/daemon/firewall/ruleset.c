// SPDX-License-Identifier: BSD-3-Clause
// The kernel's nftables: scripts go through libnftables, questions straight over netlink, since they are asked every few
// seconds. Whoever holds the service's lock, in the host's namespace.
#include "daemon/firewall/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_SIZE 32768 // The most that the kernel puts into one answer.

struct ruleset {
	struct nft_ctx *nft;
	struct mnl_socket *socket;
	uint32_t sequence;
};

static int explain_open(int code, struct rwy_err *err)
{
	err_set(err, -EOPNOTSUPP, "cannot set the host's rules: nftables: %s", strerror(-code));
	return err_hint(err, "ringwayd needs CAP_NET_ADMIN and a kernel with nf_tables");
}

static struct nlmsghdr *begin(struct ruleset *ruleset, char *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	header->nlmsg_seq = ++ruleset->sequence;
	struct nfgenmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->nfgen_family = NFPROTO_INET;
	message->version = NFNETLINK_V0;
	return header;
}

// Sends one question and hands each answer on.
static int ask(struct ruleset *ruleset, struct nlmsghdr *header, mnl_cb_t answer, void *arg)
{
	char buffer[ANSWER_SIZE];
	unsigned int port = mnl_socket_get_portid(ruleset->socket);
	if (mnl_socket_sendto(ruleset->socket, header, header->nlmsg_len) < 0)
		return -errno;
	int r = MNL_CB_OK;
	while (r > MNL_CB_STOP) {
		ssize_t size = mnl_socket_recvfrom(ruleset->socket, buffer, sizeof(buffer));
		if (size < 0)
			return -errno;
		r = mnl_cb_run(buffer, (size_t)size, header->nlmsg_seq, port, answer, arg);
	}
	return r < 0 ? -errno : 0;
}

static int read_generation(const struct nlmsghdr *header, void *arg)
{
	uint32_t *generation = arg;
	const struct nlattr *attribute;
	mnl_attr_for_each(
		attribute, header, sizeof(struct nfgenmsg)
	) if (mnl_attr_get_type(attribute) == NFTA_GEN_ID &&
	      mnl_attr_get_payload_len(attribute) >= sizeof(uint32_t)) *generation =
		ntohl(mnl_attr_get_u32(attribute));
	return MNL_CB_OK;
}

static int read_table(const struct nlmsghdr *header, void *arg)
{
	struct ruleset_table *table = arg;
	const struct nlattr *attribute;
	table->exists = true;
	mnl_attr_for_each(
		attribute, header, sizeof(struct nfgenmsg)
	) if (mnl_attr_get_type(attribute) == NFTA_TABLE_HANDLE &&
	      mnl_attr_get_payload_len(attribute) >= sizeof(uint64_t)) table->handle =
		mnl_attr_get_u64(attribute);
	return MNL_CB_OK;
}

static int count_rule(const struct nlmsghdr *header, void *arg)
{
	struct ruleset_table *table = arg;
	table->rules++;
	return MNL_CB_OK;
}

int ruleset_open(struct ruleset **ret, struct rwy_err *err)
{
	uint32_t generation;
	struct ruleset *ruleset = calloc(1, sizeof(*ruleset));
	if (!ruleset)
		return err_set(err, -ENOMEM, "cannot set the host's rules: out of memory");
	ruleset->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int r = 0;
	if (!ruleset->socket || mnl_socket_bind(ruleset->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		r = -errno;
	// libnftables ends the process where it finds no nftables: it is asked only where there is one.
	if (!r)
		r = ruleset_generation(ruleset, &generation);
	if (!r) {
		ruleset->nft = nft_ctx_new(NFT_CTX_DEFAULT);
		if (!ruleset->nft || nft_ctx_buffer_output(ruleset->nft) ||
		    nft_ctx_buffer_error(ruleset->nft))
			r = -ENOMEM;
	}
	if (r) {
		ruleset_close(ruleset);
		return explain_open(r, err);
	}
	*ret = ruleset;
	return 0;
}

void ruleset_close(struct ruleset *ruleset)
{
	if (!ruleset)
		return;
	if (ruleset->nft)
		nft_ctx_free(ruleset->nft);
	if (ruleset->socket)
		(void)mnl_socket_close(ruleset->socket); // Nothing is lost with it.
	free(ruleset);
}

int ruleset_apply(struct ruleset *ruleset, const char *script, struct rwy_err *err)
{
	int r = nft_run_cmd_from_buffer(ruleset->nft, script);
	const char *said = nft_ctx_get_error_buffer(ruleset->nft);
	// Fetching empties the buffer for the next time.
	(void)nft_ctx_get_output_buffer(ruleset->nft);
	if (!r)
		return 0;
	return err_set(
		err,
		-EIO,
		"cannot set the host's rules: nftables: %.*s",
		(int)strcspn(said ? said : "", "\n"),
		said ? said : ""
	);
}

int ruleset_generation(struct ruleset *ruleset, uint32_t *ret)
{
	char buffer[MNL_NLMSG_HDRLEN + 64];
	uint32_t generation = 0;
	int r =
		ask(ruleset,
		    begin(ruleset, buffer, NFT_MSG_GETGEN, NLM_F_ACK),
		    read_generation,
		    &generation);
	if (!r)
		*ret = generation;
	return r;
}

int ruleset_look(struct ruleset *ruleset, const char *table, struct ruleset_table *ret)
{
	char buffer[MNL_NLMSG_HDRLEN + 256];
	struct ruleset_table found = {0};
	struct nlmsghdr *header = begin(ruleset, buffer, NFT_MSG_GETTABLE, NLM_F_ACK);
	mnl_attr_put_strz(header, NFTA_TABLE_NAME, table);
	int r = ask(ruleset, header, read_table, &found);
	if (r && r != -ENOENT)
		return r;
	if (!r) {
		header = begin(ruleset, buffer, NFT_MSG_GETRULE, NLM_F_DUMP);
		mnl_attr_put_strz(header, NFTA_RULE_TABLE, table);
		r = ask(ruleset, header, count_rule, &found);
		if (r)
			return r;
	}
	*ret = found;
	return 0;
}
