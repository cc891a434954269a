// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of the control messages: malformed, too many, with descriptors that nobody asked for, out of turn.
#include "base/fdmsg.h"
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096

static int play_garbage(struct play *play)
{
	uint8_t bytes[4096];
	unsigned int seed = 1;
	int r = play_connect(play, NULL);

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rand_r(&seed);
	return r ? r : play_bytes(play, bytes, sizeof(bytes));
}

static int send_header(struct play *play, uint32_t request, uint32_t flags, uint32_t size)
{
	struct message_header header = {request, flags, size};
	int r = play_connect(play, NULL);
	return r ? r : play_bytes(play, &header, sizeof(header));
}

static int play_header_only(struct play *play)
{
	return send_header(play, MESSAGE_SET_FEATURES, MESSAGE_VERSION, 8);
}

static int play_half_header(struct play *play)
{
	int r = play_connect(play, NULL);
	return r ? r : play_bytes(play, "\1\0\0", 3);
}

static int play_body_short(struct play *play)
{
	int r = play_header_only(play);
	return r ? r : play_bytes(play, "\0\0\0\0", 4);
}

static int play_body_short_close(struct play *play)
{
	int r = play_body_short(play);
	if (!r && shutdown(play->front->fd, SHUT_WR))
		r = -errno;
	return r;
}

static int play_huge_size(struct play *play)
{
	return send_header(play, MESSAGE_SET_MEM_TABLE, MESSAGE_VERSION, UINT32_MAX);
}

static int play_size_wrong(struct play *play)
{
	return send_header(play, MESSAGE_SET_FEATURES, MESSAGE_VERSION, 7);
}

static int play_request_0(struct play *play)
{
	return send_header(play, 0, MESSAGE_VERSION, 0);
}

static int play_request_max(struct play *play)
{
	return send_header(play, UINT32_MAX, MESSAGE_VERSION, 0);
}

static int play_wrong_version(struct play *play)
{
	return send_header(play, MESSAGE_GET_FEATURES, 3, 0);
}

static int play_wrong_flags(struct play *play)
{
	return send_header(play, MESSAGE_GET_FEATURES, MESSAGE_VERSION | MESSAGE_REPLY, 0);
}

// Asks and never reads: ends when neither side has room.
static int play_replies_unread(struct play *play)
{
	struct message_header header = {MESSAGE_GET_FEATURES, MESSAGE_VERSION, 0};
	uint64_t count = play_count(play, 1000000, 1000000);
	int r = play_connect(play, NULL);

	while (!r && count--) {
		r = play_bytes(play, &header, sizeof(header));
		if (r != -EAGAIN)
			continue;
		struct pollfd pfd = {.fd = play->front->fd, .events = POLLOUT};
		if (poll(&pfd, 1, 200) == 0)
			return 0;
		r = 0;
	}
	return r;
}

// What was held back goes on as soon as replies are read.
static int judge_replies(struct play *play)
{
	union message_body body;
	uint64_t sent = play_count(play, 1000000, 1000000);
	int r = 0;

	for (uint64_t i = 0; i < 100 && i < sent && !r; i++)
		r = front_reply(play->front, MESSAGE_GET_FEATURES, &body);
	return r;
}

static int play_fds_everywhere(struct play *play)
{
	struct message_header header = {MESSAGE_SET_OWNER, MESSAGE_VERSION, 0};
	uint64_t count = play_count(play, 2000, 100000);
	int fds[MESSAGE_FDS_MAX];
	int r = play_connect(play, NULL);

	if (r)
		return r;
	for (int i = 0; i < MESSAGE_FDS_MAX; i++)
		fds[i] = play->front->region[0].fd;
	while (!r && count--)
		r = front_message(play->front, &header, NULL, fds, MESSAGE_FDS_MAX);
	return r;
}

// One message with more descriptors than the receiver has room for.
static int play_fds_many(struct play *play)
{
	struct {
		struct message_header header;
		uint64_t regions;
	} __attribute__((packed)) message = {
		.header = {MESSAGE_SET_MEM_TABLE, MESSAGE_VERSION, sizeof(uint64_t)},
		.regions = 1,
	};
	int fds[FDMSG_FDS_MAX];
	int r = play_connect(play, NULL);

	if (r)
		return r;
	for (int i = 0; i < FDMSG_FDS_MAX; i++)
		fds[i] = play->front->region[0].fd;
	ssize_t sent = fdmsg_send(
		play->front->fd, &message, sizeof(message), fds, FDMSG_FDS_MAX, MSG_DONTWAIT
	);
	return sent < 0 ? (int)sent : 0;
}

// A descriptor with each byte of one message.
static int play_fds_each_byte(struct play *play)
{
	struct message_header header = {MESSAGE_SET_OWNER, MESSAGE_VERSION, 0};
	const uint8_t *bytes = (const uint8_t *)&header;
	ssize_t sent = 1;
	int r = play_connect(play, NULL);

	if (r)
		return r;
	for (size_t i = 0; i < sizeof(header) && sent > 0; i++)
		sent = fdmsg_send(
			play->front->fd, bytes + i, 1, &play->front->region[0].fd, 1, MSG_DONTWAIT
		);
	return sent < 0 ? (int)sent : 0;
}

// The descriptor comes with the first bytes of the header, the rest without it: unusual, and allowed.
static int play_fds_first_byte(struct play *play)
{
	struct {
		struct message_header header;
		uint64_t ring;
	} __attribute__((packed))
	message = {.header = {MESSAGE_SET_VRING_CALL, MESSAGE_VERSION, sizeof(uint64_t)}};
	const uint8_t *bytes = (const uint8_t *)&message;
	int r = play_connect(play, NULL);

	if (r)
		return r;
	int fd = play->front->queue[RX].kick_fd;
	ssize_t sent = fdmsg_send(play->front->fd, bytes, 3, &fd, 1, MSG_DONTWAIT);
	if (sent < 0)
		return (int)sent;
	return play_bytes(play, bytes + 3, sizeof(message) - 3);
}

static int play_alien_features(struct play *play)
{
	uint64_t all = ~0ull;
	int r = play_connect(play, NULL);
	return r ? r : front_request(play->front, MESSAGE_SET_FEATURES, &all, sizeof(all));
}

static int play_alien_protocol(struct play *play)
{
	uint64_t all = ~0ull;
	int r = play_connect(play, NULL);
	return r ? r : front_request(play->front, MESSAGE_SET_PROTOCOL_FEATURES, &all, sizeof(all));
}

static int play_features_running(struct play *play)
{
	uint64_t legacy = VHOST_FEATURE_PROTOCOL_FEATURES;
	int r = play_start(play, NULL);
	return r ? r : front_request(play->front, MESSAGE_SET_FEATURES, &legacy, sizeof(legacy));
}

// The other form of ring, over rings that run.
static int play_form_running(struct play *play)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	uint64_t other = play->front->features ^ VHOST_FEATURE_RING_PACKED;
	return front_request(play->front, MESSAGE_SET_FEATURES, &other, sizeof(other));
}

// Many connections to a port that has one: all of them must end, the first goes on.
static int play_connections(struct play *play)
{
	uint64_t count = play_count(play, 100, 2000);
	struct front *first;
	static int fds[CONNECTIONS_MAX];
	uint64_t made = 0;
	int r = play_start_ring(play);

	if (r)
		return r;
	first = play->front;
	int fd = first->fd;
	first->fd = -1;
	while (!r && made < count && made < CONNECTIONS_MAX) {
		r = front_connect(first, play->path);
		fds[made++] = first->fd;
		first->fd = -1;
	}
	for (uint64_t i = 0; i < made; i++) {
		struct pollfd pfd = {.fd = fds[i], .events = POLLRDHUP};
		if (poll(&pfd, 1, 10000) <= 0)
			r = -ETIMEDOUT;
		(void)close(fds[i]); // Nothing was sent.
	}
	first->fd = fd;
	return r;
}

// Comes back again and again after it was quarantined.
static int play_come_back(struct play *play)
{
	uint64_t count = play_count(play, 100, 2000);
	int r = send_header(play, MESSAGE_REQUEST_COUNT, MESSAGE_VERSION, 0);

	while (!r && count--) {
		r = play_await_closed(play);
		if (!r)
			r = front_connect(play->front, play->path);
		if (!r)
			(void)front_request(play->front, MESSAGE_REQUEST_COUNT, NULL, 0);
	}
	return r ? r : play_await_closed(play);
}

// Recoverable failures without end: nothing of this may fill a log.
static int play_failing_requests(struct play *play)
{
	struct message_slot slot = {.region = {.size = 0}};
	uint64_t count = play_count(play, 1000, 100000);
	int r = play_connect(play, NULL);

	if (!r)
		r = front_negotiate(play->front);
	for (; r >= 0 && count; count--) {
		r = front_request_ack(
			play->front,
			MESSAGE_ADD_MEM_REG,
			&slot,
			sizeof(slot),
			play->front->region[0].fd
		);
		if (r == 0)
			return -EPROTO; // It was accepted.
	}
	return r > 0 ? 0 : r;
}

static int fill_ring(struct play *play)
{
	int r = 0;

	while (!r)
		r = play_send_frame(play, 60);
	front_kick(play->front, TX);
	return r == -EAGAIN ? 0 : r;
}

static int play_close_in_burst(struct play *play)
{
	int r = play_start(play, NULL);

	if (!r)
		r = fill_ring(play);
	if (!r && shutdown(play->front->fd, SHUT_RDWR))
		r = -errno;
	return r;
}

static int judge_closed(struct play *play)
{
	return play_is_closed(play) ? 0 : -EISCONN;
}

static int play_reset_in_burst(struct play *play)
{
	struct front_config config = {
		.protocol_features = PROTOCOL_REPLY_ACK | PROTOCOL_RESET_DEVICE};
	uint64_t count = play_count(play, 20, 1000);
	int r = play_start(play, &config);

	while (!r && count--) {
		r = fill_ring(play);
		if (!r)
			r = front_request(play->front, MESSAGE_RESET_DEVICE, NULL, 0);
		if (!r)
			r = front_start(play->front);
		if (!r)
			r = front_sync(play->front);
	}
	return r;
}

static int play_stop_in_burst(struct play *play)
{
	uint64_t count = play_count(play, 20, 1000);
	int r = play_start(play, NULL);

	while (!r && count--) {
		r = fill_ring(play);
		if (!r)
			r = front_stop(play->front);
		for (uint32_t i = 0; i < 2 && !r; i++)
			r = front_setup_queue(play->front, i);
		for (uint32_t i = 0; i < 2 && !r; i++)
			r = front_enable_queue(play->front, i, true);
	}
	return r;
}

static int send_u64(struct play *play, uint32_t request, uint64_t value, uint64_t protocol_features)
{
	struct front_config config = {.protocol_features = protocol_features};
	int r = play_connect(play, &config);
	if (!r)
		r = front_negotiate(play->front);
	return r ? r : front_request(play->front, request, &value, sizeof(value));
}

static int play_rarp_multicast(struct play *play)
{
	return send_u64(play, MESSAGE_SEND_RARP, 0xffffffffffff, PROTOCOL_RARP);
}

// Another port's address is said to be here now: nothing is learned from that.
static int play_rarp_alien(struct play *play)
{
	return send_u64(play, MESSAGE_SEND_RARP, 0x000100000002, PROTOCOL_RARP);
}

static int play_mtu(struct play *play)
{
	struct front_config config = {.protocol_features = PROTOCOL_REPLY_ACK | PROTOCOL_NET_MTU};
	uint64_t mtu = UINT64_MAX;
	int r = play_connect(play, &config);

	if (!r)
		r = front_negotiate(play->front);
	if (!r)
		r = front_request_ack(play->front, MESSAGE_NET_SET_MTU, &mtu, sizeof(mtu), -1);
	if (r == 0)
		return -EPROTO; // It was accepted.
	return r > 0 ? 0 : r;
}

// A case a row.
// clang-format off
const struct hostile_case message_cases[] = {
	{1, "header-only", "a header, then silence, on several ports", play_header_only,
	 .split = HARMLESS, .flags = CASE_SEVERAL | CASE_EITHER},
	{1, "half-header", "a quarter of a header, then silence", play_half_header,
	 .split = HARMLESS, .flags = CASE_EITHER},
	{2, "body-short", "half of a payload, then silence", play_body_short,
	 .split = HARMLESS, .flags = CASE_EITHER},
	{2, "body-short-close", "half of a payload, then the end", play_body_short_close,
	 .split = QUARANTINED("closed within a message")},
	{2, "huge-size", "a payload of 2^32-1 bytes announced", play_huge_size,
	 .split = QUARANTINED("payload of 4294967295 bytes")},
	{2, "size-wrong", "a payload of 7 bytes where 8 are due", play_size_wrong,
	 .split = QUARANTINED("payload of 7 bytes")},
	{3, "replies-unread", "up to 1,000,000 requests, no reply read", play_replies_unread,
	 .split = HARMLESS, .judge = judge_replies},
	{4, "garbage", "4096 random bytes", play_garbage,
	 .split = QUARANTINED("flags")},
	{4, "request-0", "request 0", play_request_0,
	 .split = QUARANTINED("not known")},
	{4, "request-max", "request 2^32-1", play_request_max,
	 .split = QUARANTINED("not known")},
	{4, "wrong-version", "version 3", play_wrong_version,
	 .split = QUARANTINED("flags 0x3")},
	{4, "wrong-flags", "a request that says it is a reply", play_wrong_flags,
	 .split = QUARANTINED("flags 0x5")},
	{5, "fds-everywhere", "8 descriptors with each of 100,000 messages", play_fds_everywhere,
	 .split = QUARANTINED("comes with 8 descriptors")},
	{6, "fds-many", "253 descriptors with one message", play_fds_many,
	 .split = QUARANTINED("more than 8 descriptors")},
	{6, "fds-each-byte", "a descriptor with each byte of a message", play_fds_each_byte,
	 .split = QUARANTINED("descriptors")},
	{6, "fds-first-byte", "the descriptor with the header's first byte", play_fds_first_byte,
	 .split = HARMLESS, .judge = judge_sync},
	{25, "alien-features", "features that were not offered", play_alien_features,
	 .split = QUARANTINED("were not offered")},
	{25, "alien-protocol", "protocol features that were not offered", play_alien_protocol,
	 .split = QUARANTINED("were not offered")},
	{25, "features-running", "features changed while rings run", play_features_running,
	 .split = QUARANTINED("features changed"), .packed = QUARANTINED("features changed")},
	{25, "form-running", "the other form of ring while rings run", play_form_running,
	 .split = QUARANTINED("features changed"), .packed = QUARANTINED("features changed")},
	{27, "connections", "2,000 connections beside a living one", play_connections,
	 .split = REFUSED, .judge = judge_alive},
	{28, "failing-requests", "100,000 requests that fail", play_failing_requests,
	 .split = REFUSED, .judge = judge_sync},
	{28, "come-back", "2,000 connections to a quarantined port", play_come_back,
	 .split = QUARANTINED("not known")},
	{29, "close-in-burst", "closes with a full transmit ring", play_close_in_burst,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_closed},
	{29, "reset-in-burst", "RESET_DEVICE in mid burst, 1,000 times", play_reset_in_burst,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{29, "stop-in-burst", "rings stopped in mid burst, 1,000 times", play_stop_in_burst,
	 .split = HARMLESS, .packed = HARMLESS, .judge = judge_alive},
	{55, "rarp-multicast", "a guest that says it lives at a multicast address", play_rarp_multicast,
	 .split = QUARANTINED("multicast")},
	{55, "rarp-alien", "a guest that says it has another port's address", play_rarp_alien,
	 .split = HARMLESS, .judge = judge_sync},
	{55, "mtu-max", "an MTU of 2^64-1", play_mtu,
	 .split = REFUSED, .judge = judge_sync},
	{0},
};
// clang-format on
