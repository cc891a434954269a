// SPDX-License-Identifier: BSD-3-Clause
// Hostile cases of the control messages: malformed, too many, out of turn, not negotiated.
#include "base/fdmsg.h"
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int send_bytes(struct play *play, const void *data, size_t size)
{
	ssize_t sent = fdmsg_send(play->front->fd, data, size, NULL, 0, MSG_DONTWAIT);
	return sent < 0 ? (int)sent : 0;
}

static int play_garbage(struct play *play)
{
	uint8_t bytes[4096];
	unsigned int seed = 1;
	int r = play_connect(play, NULL);

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rand_r(&seed);
	return r ? r : send_bytes(play, bytes, sizeof(bytes));
}

static int send_header(struct play *play, uint32_t request, uint32_t flags, uint32_t size)
{
	struct message_header header = {request, flags, size};
	int r = play_connect(play, NULL);
	return r ? r : send_bytes(play, &header, sizeof(header));
}

static int play_header_only(struct play *play)
{
	return send_header(play, MESSAGE_SET_FEATURES, MESSAGE_VERSION, 8);
}

static int play_half_header(struct play *play)
{
	int r = play_connect(play, NULL);
	return r ? r : send_bytes(play, "\1\0\0", 3);
}

static int play_huge_size(struct play *play)
{
	return send_header(play, MESSAGE_SET_MEM_TABLE, MESSAGE_VERSION, UINT32_MAX);
}

static int play_unknown(struct play *play)
{
	return send_header(play, 12345, MESSAGE_VERSION, 0);
}

static int play_wrong_version(struct play *play)
{
	return send_header(play, MESSAGE_GET_FEATURES, 3, 0);
}

// VHOST_USER_IOTLB_MSG, which needs VIRTIO_F_ACCESS_PLATFORM.
static int play_not_negotiated(struct play *play)
{
	return send_header(play, 22, MESSAGE_VERSION, 32);
}

static int play_alien_features(struct play *play)
{
	uint64_t all = ~0ull;
	int r = play_connect(play, NULL);
	return r ? r : front_request(play->front, MESSAGE_SET_FEATURES, &all, sizeof(all));
}

static int play_features_running(struct play *play)
{
	uint64_t legacy = VHOST_FEATURE_PROTOCOL_FEATURES;
	int r = play_start(play, NULL);
	return r ? r : front_request(play->front, MESSAGE_SET_FEATURES, &legacy, sizeof(legacy));
}

// Asks and never reads: ends when neither side has room.
static int play_replies_unread(struct play *play)
{
	struct message_header header = {MESSAGE_GET_FEATURES, MESSAGE_VERSION, 0};
	uint64_t count = play->count ? play->count : 1000000;
	int r = play_connect(play, NULL);

	while (!r && count--) {
		r = send_bytes(play, &header, sizeof(header));
		if (r != -EAGAIN)
			continue;
		struct pollfd pfd = {.fd = play->front->fd, .events = POLLOUT};
		if (poll(&pfd, 1, 200) == 0)
			return 0;
		r = 0;
	}
	return r;
}

static int play_fds_everywhere(struct play *play)
{
	struct message_header header = {MESSAGE_SET_OWNER, MESSAGE_VERSION, 0};
	uint64_t count = play->count ? play->count : 100000;
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

static int play_queue_index(struct play *play)
{
	struct message_ring_state state = {UINT32_MAX, 256};
	int r = play_connect(play, NULL);
	if (!r)
		r = front_negotiate(play->front);
	return r ? r : front_request(play->front, MESSAGE_SET_VRING_NUM, &state, sizeof(state));
}

static int resize(struct play *play, uint32_t size)
{
	struct message_ring_state state = {1, size};
	int r = play_start(play, NULL);
	return r ? r : front_request(play->front, MESSAGE_SET_VRING_NUM, &state, sizeof(state));
}

static int play_queue_size_0(struct play *play)
{
	return resize(play, 0);
}

static int play_queue_size_3(struct play *play)
{
	return resize(play, 3);
}

static int play_queue_size_32769(struct play *play)
{
	return resize(play, 32769);
}

// While it runs, over what lies behind it.
static int play_queue_grown(struct play *play)
{
	return resize(play, 32768);
}

static int move_ring(struct play *play, int64_t by)
{
	int r = play_start(play, NULL);
	if (r)
		return r;
	struct message_ring_addr addr = front_addr_message(play->front, 1);
	addr.used += (uint64_t)by;
	return front_request(play->front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
}

static int play_ring_misaligned(struct play *play)
{
	return move_ring(play, 1);
}

static int play_ring_outside(struct play *play)
{
	return move_ring(play, 1ll << 44);
}

static int play_ring_overlap(struct play *play)
{
	return move_ring(play, -64);
}

static int play_not_eventfd(struct play *play)
{
	uint64_t ring = 0;
	int r = play_connect(play, NULL);
	if (r)
		return r;
	int fd = play->front->region[0].fd;
	return front_request_fd(play->front, MESSAGE_SET_VRING_CALL, &ring, sizeof(ring), fd);
}

static int play_eventfd_swaps(struct play *play)
{
	struct front_config config = {.with_calls = true};
	uint64_t count = play->count ? play->count : 10000;
	int r = play_start(play, &config);

	for (uint64_t i = 0; i < count && !r; i++) {
		uint64_t ring = i % 2;
		struct front_queue *queue = &play->front->queue[ring];
		int call = i / 2 % 2 ? queue->call_fd : queue->kick_fd;
		int kick = i / 2 % 2 ? queue->kick_fd : queue->call_fd;
		r = front_request_fd(play->front, MESSAGE_SET_VRING_CALL, &ring, 8, call);
		if (!r)
			r = front_request_fd(play->front, MESSAGE_SET_VRING_KICK, &ring, 8, kick);
	}
	return r;
}

// The switch sets O_NONBLOCK on it; the description is ours as well, and so we take the flag away again.
static int play_call_blocking(struct play *play)
{
	struct front_config config = {.with_calls = true};
	uint64_t full = UINT64_MAX - 1;
	int r = play_start(play, &config);

	if (r)
		return r;
	for (int i = 0; i < 2 && !r; i++) {
		int fd = play->front->queue[i].call_fd;
		bool filled = write(fd, &full, sizeof(full)) > 0 || errno == EAGAIN;
		if (!filled || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK))
			r = -errno;
	}
	for (int i = 0; i < 64 && !r; i++)
		r = play_send_frame(play, 60);
	front_kick(play->front, 1);
	return r;
}

// The same, and it hangs up while the switch waits for the eventfd.
static int play_call_blocking_close(struct play *play)
{
	struct timespec moment = {.tv_nsec = 5000000};
	int r = play_call_blocking(play);
	if (r)
		return r;
	(void)nanosleep(&moment, NULL); // Earlier or later only makes the case miss.
	return shutdown(play->front->fd, SHUT_RDWR) ? -errno : 0;
}

static int play_close_in_burst(struct play *play)
{
	int r = play_start(play, NULL);

	while (!r)
		r = play_send_frame(play, 60);
	front_kick(play->front, 1);
	if (shutdown(play->front->fd, SHUT_RDWR))
		return -errno;
	return r == -EAGAIN ? 0 : r;
}

// Recoverable failures without end: nothing of this may fill a log.
static int play_failing_requests(struct play *play)
{
	struct message_slot slot = {.region = {.size = 0}};
	uint64_t count = play->count ? play->count : 10000;
	int r = play_connect(play, NULL);

	if (!r)
		r = front_negotiate(play->front);
	while (r >= 0 && count--)
		r = front_request_ack(
			play->front,
			MESSAGE_ADD_MEM_REG,
			&slot,
			sizeof(slot),
			play->front->region[0].fd
		);
	return r > 0 ? 0 : r;
}

const struct hostile_case message_cases[] = {
	{"garbage", "4096 random bytes", play_garbage},
	{"header-only", "a header, then silence", play_header_only},
	{"half-header", "a quarter of a header, then silence", play_half_header},
	{"huge-size", "a payload of 2^32-1 bytes announced", play_huge_size},
	{"unknown", "a request that nobody knows", play_unknown},
	{"wrong-version", "version 3", play_wrong_version},
	{"not-negotiated", "an IOTLB message", play_not_negotiated},
	{"alien-features", "features that were not offered", play_alien_features},
	{"features-running", "features changed while rings run", play_features_running},
	{"replies-unread", "up to 1,000,000 requests, no reply read", play_replies_unread},
	{"fds-everywhere", "8 descriptors with each of 100,000 messages", play_fds_everywhere},
	{"queue-index", "ring 2^32-1", play_queue_index},
	{"queue-size-0", "a ring without entries", play_queue_size_0},
	{"queue-size-3", "a ring of 3 entries", play_queue_size_3},
	{"queue-size-32769", "a ring of 32769 entries", play_queue_size_32769},
	{"queue-grown", "a running ring grown beyond its memory", play_queue_grown},
	{"ring-misaligned", "a used ring at an odd address", play_ring_misaligned},
	{"ring-outside", "a used ring outside of memory", play_ring_outside},
	{"ring-overlap", "a used ring over the available ring", play_ring_overlap},
	{"not-eventfd", "a memory file as the call descriptor", play_not_eventfd},
	{"eventfd-swaps", "kick and call swapped 10,000 times", play_eventfd_swaps},
	{"call-blocking", "a full call eventfd that blocks", play_call_blocking},
	{"call-blocking-close", "the same, and hangs up meanwhile", play_call_blocking_close},
	{"close-in-burst", "closes with a full transmit ring", play_close_in_burst},
	{"failing-requests", "10,000 requests that fail", play_failing_requests},
	{0},
};
