// SPDX-License-Identifier: BSD-3-Clause
// The one list of vhost-user messages that are spoken. What a message may carry is checked from here,
// before its handler (handlers.c) sees it. Constant.
#include "vhost/table.h"

#include "vhost/handlers.h"

#include <errno.h>

#define SIZE(n) .size_min = (n), .size_max = (n)

#define SIZE_U64 ((uint16_t)sizeof(uint64_t))
#define SIZE_STATE ((uint16_t)sizeof(struct message_ring_state))

// One message a row.
// clang-format off
static const struct rule rules[MESSAGE_REQUEST_COUNT] = {
	[MESSAGE_GET_FEATURES] = {
		.name = "GET_FEATURES", .handle = handle_get_features, .reply_size = SIZE_U64,
	},
	[MESSAGE_SET_FEATURES] = {
		.name = "SET_FEATURES", .handle = handle_set_features, SIZE(SIZE_U64),
		.scope = SCOPE_RINGS,
	},
	[MESSAGE_SET_OWNER] = {.name = "SET_OWNER", .handle = handle_set_owner},
	[MESSAGE_RESET_OWNER] = {
		.name = "RESET_OWNER", .handle = handle_reset_owner, .scope = SCOPE_RINGS,
	},
	[MESSAGE_SET_MEM_TABLE] = {
		.name = "SET_MEM_TABLE", .handle = handle_set_mem_table,
		.size_min = offsetof(struct message_regions, region),
		.size_max = sizeof(struct message_regions),
		.fds = RULE_FDS_REGIONS, .scope = SCOPE_RINGS,
	},
	[MESSAGE_SET_VRING_NUM] = {
		.name = "SET_VRING_NUM", .handle = handle_set_vring_num, SIZE(SIZE_STATE),
		.scope = SCOPE_RING,
	},
	[MESSAGE_SET_VRING_ADDR] = {
		.name = "SET_VRING_ADDR", .handle = handle_set_vring_addr,
		SIZE(sizeof(struct message_ring_addr)), .scope = SCOPE_RING,
	},
	[MESSAGE_SET_VRING_BASE] = {
		.name = "SET_VRING_BASE", .handle = handle_set_vring_base, SIZE(SIZE_STATE),
		.scope = SCOPE_RING,
	},
	[MESSAGE_GET_VRING_BASE] = {
		.name = "GET_VRING_BASE", .handle = handle_get_vring_base, SIZE(SIZE_STATE),
		.reply_size = SIZE_STATE, .scope = SCOPE_RING,
	},
	[MESSAGE_SET_VRING_KICK] = {
		.name = "SET_VRING_KICK", .handle = handle_set_vring_kick, SIZE(SIZE_U64),
		.fds = RULE_FDS_RING, .scope = SCOPE_RING_FD,
	},
	[MESSAGE_SET_VRING_CALL] = {
		.name = "SET_VRING_CALL", .handle = handle_set_vring_call, SIZE(SIZE_U64),
		.fds = RULE_FDS_RING, .scope = SCOPE_RING_FD,
	},
	[MESSAGE_SET_VRING_ERR] = {
		.name = "SET_VRING_ERR", .handle = handle_set_vring_err, SIZE(SIZE_U64),
		.fds = RULE_FDS_RING, .scope = SCOPE_RING_FD,
	},
	[MESSAGE_GET_PROTOCOL_FEATURES] = {
		.name = "GET_PROTOCOL_FEATURES", .handle = handle_get_protocol_features,
		.reply_size = SIZE_U64,
	},
	[MESSAGE_SET_PROTOCOL_FEATURES] = {
		.name = "SET_PROTOCOL_FEATURES", .handle = handle_set_protocol_features,
		SIZE(SIZE_U64),
	},
	[MESSAGE_GET_QUEUE_NUM] = {
		.name = "GET_QUEUE_NUM", .handle = handle_get_queue_num, .reply_size = SIZE_U64,
		.protocol_feature = PROTOCOL_MQ,
	},
	[MESSAGE_SET_VRING_ENABLE] = {
		.name = "SET_VRING_ENABLE", .handle = handle_set_vring_enable, SIZE(SIZE_STATE),
		.scope = SCOPE_RING,
	},
	[MESSAGE_SEND_RARP] = {
		.name = "SEND_RARP", .handle = handle_send_rarp, SIZE(SIZE_U64),
		.protocol_feature = PROTOCOL_RARP,
	},
	[MESSAGE_NET_SET_MTU] = {
		.name = "NET_SET_MTU", .handle = handle_net_set_mtu, SIZE(SIZE_U64),
		.protocol_feature = PROTOCOL_NET_MTU, .recoverable = true,
	},
	[MESSAGE_RESET_DEVICE] = {
		.name = "RESET_DEVICE", .handle = handle_reset_device,
		.protocol_feature = PROTOCOL_RESET_DEVICE, .scope = SCOPE_RINGS,
	},
	[MESSAGE_GET_MAX_MEM_SLOTS] = {
		.name = "GET_MAX_MEM_SLOTS", .handle = handle_get_max_mem_slots,
		.reply_size = SIZE_U64, .protocol_feature = PROTOCOL_CONFIGURE_MEM_SLOTS,
	},
	[MESSAGE_ADD_MEM_REG] = {
		.name = "ADD_MEM_REG", .handle = handle_add_mem_reg,
		SIZE(sizeof(struct message_slot)), .fds = RULE_FDS_ONE, .scope = SCOPE_RINGS,
		.protocol_feature = PROTOCOL_CONFIGURE_MEM_SLOTS, .recoverable = true,
	},
	// "For compatibility with existing incorrect implementations, the back-end MAY accept messages
	// with one file descriptor": some front ends (QEMU up to 5.2) send it.
	[MESSAGE_REM_MEM_REG] = {
		.name = "REM_MEM_REG", .handle = handle_rem_mem_reg,
		SIZE(sizeof(struct message_slot)), .fds_spare = 1, .scope = SCOPE_RINGS,
		.protocol_feature = PROTOCOL_CONFIGURE_MEM_SLOTS, .recoverable = true,
	},
};
// clang-format on

const struct rule *table_find(uint32_t request)
{
	if (request >= MESSAGE_REQUEST_COUNT || !rules[request].handle)
		return NULL;
	return &rules[request];
}

int table_check_header(const struct message_header *header, struct rwy_err *err)
{
	const struct rule *rule = table_find(header->request);
	uint32_t known = MESSAGE_VERSION_MASK | MESSAGE_NEED_REPLY;

	if ((header->flags & MESSAGE_VERSION_MASK) != MESSAGE_VERSION || header->flags & ~known)
		return err_set(err, -EPROTO, "message with flags 0x%x", header->flags);
	if (!rule)
		return err_set(err, -EPROTO, "message %u is not known", header->request);
	if (header->size < rule->size_min || header->size > rule->size_max)
		return err_set(
			err, -EPROTO, "%s with a payload of %u bytes", rule->name, header->size
		);
	return 0;
}

uint32_t table_fds_due(const struct rule *rule, const struct message *msg)
{
	switch (rule->fds) {
	case RULE_FDS_ONE:
		return 1;
	case RULE_FDS_RING:
		return msg->body.u64 & MESSAGE_RING_NOFD ? 0 : 1;
	case RULE_FDS_REGIONS:
		return msg->body.regions.count < MESSAGE_REGIONS_MAX ? msg->body.regions.count
								     : MESSAGE_REGIONS_MAX;
	default:
		return 0;
	}
}
