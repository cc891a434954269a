// SPDX-License-Identifier: BSD-3-Clause
// The uplinks' messages as a table, which codec.c encodes and decodes by. No state; any thread.
#include "wire/uplink.h"

#include "base/cleanup.h"
#include "wire/codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct field hello_fields[] = {
	FIELD(struct uplink_hello, version, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_hello, program, FIELD_STR, FIELD_REQUIRED),
	FIELD(struct uplink_hello, pid, FIELD_U32, FIELD_REQUIRED),
};

static const struct field ref_fields[] = {
	FIELD(struct uplink_ref, port, FIELD_U32, FIELD_REQUIRED),
};

static const struct field port_fields[] = {
	FIELD(struct uplink_port_msg, port, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_port_msg, vlan, FIELD_U16, FIELD_REQUIRED),
	FIELD(struct uplink_port_msg, mtu, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_port_msg, mac, FIELD_MAC, FIELD_REQUIRED),
	FIELD(struct uplink_port_msg, socket, FIELD_STR, FIELD_REQUIRED),
};

static const struct field drop_fields[] = {
	FIELD(struct uplink_drop_msg, reason, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_drop_msg, frames, FIELD_HEX64, FIELD_REQUIRED),
};

static const struct field port_state_fields[] = {
	FIELD_STRUCT(struct uplink_port_state, spec, port_fields),
	FIELD(struct uplink_port_state, joined, FIELD_BOOL, FIELD_REQUIRED),
	FIELD(struct uplink_port_state, reason, FIELD_STR, 0),
	FIELD(struct uplink_port_state, rx_frames, FIELD_HEX64, FIELD_REQUIRED),
	FIELD(struct uplink_port_state, rx_bytes, FIELD_HEX64, FIELD_REQUIRED),
	FIELD(struct uplink_port_state, tx_frames, FIELD_HEX64, FIELD_REQUIRED),
	FIELD(struct uplink_port_state, tx_bytes, FIELD_HEX64, FIELD_REQUIRED),
	FIELD_LIST(struct uplink_port_state, drops, drop_count, drop_fields),
};

static const struct field state_fields[] = {
	FIELD(struct uplink_state_msg, driver, FIELD_STR, FIELD_REQUIRED),
	FIELD(struct uplink_state_msg, link, FIELD_BOOL, FIELD_REQUIRED),
	FIELD(struct uplink_state_msg, mbps, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct uplink_state_msg, mtu, FIELD_U32, FIELD_REQUIRED),
	FIELD_LIST(struct uplink_state_msg, drops, drop_count, drop_fields),
	FIELD_LIST(struct uplink_state_msg, ports, port_count, port_state_fields),
};

static const struct codec_op ops[UPLINK_OP_COUNT] = {
	[UPLINK_HELLO] =
		{"hello", .request = CODEC_SHAPE(hello_fields), .reply = CODEC_SHAPE(hello_fields)},
	[UPLINK_STATE] =
		{"state",
		 .request = CODEC_SHAPE_EMPTY,
		 .reply = CODEC_SHAPE(state_fields),
		 .event = CODEC_SHAPE(state_fields)},
	[UPLINK_PORT_ADD] =
		{"port_add", .request = CODEC_SHAPE(port_fields), .reply = CODEC_SHAPE_EMPTY},
	[UPLINK_PORT_DEL] =
		{"port_del", .request = CODEC_SHAPE(ref_fields), .reply = CODEC_SHAPE_EMPTY},
	[UPLINK_STOP] = {"stop", .request = CODEC_SHAPE_EMPTY, .reply = CODEC_SHAPE_EMPTY},
};

const char *uplink_drop_text(uint32_t reason)
{
	static const char *const text[UPLINK_DROP_COUNT] = {
		"ring_full",
		"device_full",
		"too_long",
		"malformed",
		"truncated",
		"unknown_vlan",
		"untagged",
		"missed",
		"device_error"};
	return reason < UPLINK_DROP_COUNT ? text[reason] : "unknown";
}

// A number of 1 to `digits` hexadecimal digits at *at, which moves behind it and the separator that must follow.
static bool read_hex(const char **at, size_t digits, char separator, unsigned long *ret)
{
	size_t size = strspn(*at, "0123456789abcdefABCDEF");
	if (!size || size > digits || (separator && (*at)[size] != separator))
		return false;
	*ret = strtoul(*at, NULL, 16); // It has digits only.
	*at += size + (separator ? 1 : 0);
	return true;
}

int uplink_read_iface(const char *devargs, char ret_name[UPLINK_IFACE_SIZE])
{
	const char *at = strstr(devargs, ",iface=");
	if (!at || strncmp(devargs, "net_tap", strlen("net_tap")) == 0)
		return -ENOENT;
	at += strlen(",iface=");
	size_t size = strcspn(at, ",");
	if (!size || size >= UPLINK_IFACE_SIZE)
		return -EINVAL;
	memcpy(ret_name, at, size);
	ret_name[size] = '\0';
	return 0;
}

bool uplink_read_pci(const char *text, char ret_address[UPLINK_PCI_SIZE])
{
	unsigned long domain = 0;
	unsigned long bus;
	unsigned long slot;
	unsigned long function;
	const char *at = text;
	const char *colon = strchr(text, ':');
	if (colon && strchr(colon + 1, ':') && !read_hex(&at, 4, ':', &domain))
		return false;
	if (!read_hex(&at, 2, ':', &bus) || !read_hex(&at, 2, '.', &slot) ||
	    !read_hex(&at, 1, 0, &function))
		return false;
	if (*at && *at != ',')
		return false;
	(void)snprintf( // It fits.
		ret_address,
		UPLINK_PCI_SIZE,
		"%04lx:%02lx:%02lx.%lx",
		domain & 0xffff,
		bus & 0xff,
		slot & 0xff,
		function & 0xf
	);
	return true;
}

static const struct codec uplink_codec = {
	.ops = ops,
	.op_count = UPLINK_OP_COUNT,
	.datagram_max = UPLINK_WIRE_MAX,
};

static struct codec_msg view_of(struct uplink_msg *msg)
{
	return (struct codec_msg){
		.op = (int)msg->op,
		.id = msg->id,
		.is_reply = msg->is_reply,
		.error = &msg->error,
		.args = &msg->args,
	};
}

int uplink_send(int sock, const struct uplink_msg *msg, struct rwy_err *err)
{
	// Sending only reads.
	const struct codec_msg view = view_of((struct uplink_msg *)msg);
	return codec_send(&uplink_codec, sock, &view, err);
}

int uplink_recv(
	int sock,
	bool from_uplink,
	int flags,
	struct uplink_msg *ret_msg,
	struct rwy_err *err
)
{
	struct codec_msg view = view_of(ret_msg);
	int r = codec_recv(&uplink_codec, sock, from_uplink, flags, &view, err);
	ret_msg->op = (enum uplink_op)view.op;
	ret_msg->id = view.id;
	ret_msg->is_reply = view.is_reply;
	return r;
}
