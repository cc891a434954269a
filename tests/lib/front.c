// SPDX-License-Identifier: BSD-3-Clause
// The test front end's control side: memory, messages, start and stop. front_ring.c moves frames.
#include "tests/lib/front.h"

#include "base/cleanup.h"
#include "base/fdmsg.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#define REPLY_TIMEOUT_MS 10000
// The first entry; the available wrap counter is 1, and the used one's half is left out (vhost-user, "SET_VRING_BASE").
#define FRONT_BASE_PACKED 0x8000u
// Regions lie apart, so that nothing crosses from one into the next.
#define GPA_FIRST 0x100000ull
#define GPA_GAP 0x10000ull

static void set_defaults(struct front_config *config)
{
	if (!config->features)
		config->features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF |
			VHOST_FEATURE_MQ | VHOST_FEATURE_RING_INDIRECT_DESC |
			VHOST_FEATURE_PROTOCOL_FEATURES;
	if (!config->protocol_features)
		config->protocol_features =
			PROTOCOL_MQ | PROTOCOL_REPLY_ACK | PROTOCOL_CONFIGURE_MEM_SLOTS;
	if (!config->queue_pairs)
		config->queue_pairs = 1;
	if (!config->ring_size)
		config->ring_size = 256;
	if (!config->regions)
		config->regions = 1;
	if (!config->rx_buffer_size)
		config->rx_buffer_size = 2048;
	if (!config->frame_size_max)
		config->frame_size_max = 1518;
}

static int region_init(struct front *front, uint32_t index, uint64_t size)
{
	struct front_region *region = &front->region[index];

	region->fd = memfd_create("front", MFD_CLOEXEC);
	if (region->fd < 0 || ftruncate(region->fd, (off_t)size))
		return -errno;
	region->addr =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, region->fd, 0);
	if (region->addr == MAP_FAILED) {
		region->addr = NULL;
		return -errno;
	}
	region->size = size;
	region->gpa = GPA_FIRST + index * (size + GPA_GAP);
	return 0;
}

static int front_init(struct front *front)
{
	const struct front_config *config = &front->config;
	uint64_t size = front_region_size(config);

	if (config->regions > FRONT_REGIONS_MAX || 2 * config->queue_pairs > FRONT_QUEUES_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < config->regions; i++) {
		int r = region_init(front, i, size);
		if (r)
			return r;
	}
	for (uint32_t i = 0; i < 2 * config->queue_pairs; i++) {
		int r = front_queue_init(front, i);
		if (r)
			return r;
	}
	return 0;
}

struct front *front_new(const struct front_config *config)
{
	struct front *front = calloc(1, sizeof(*front));
	if (!front)
		return NULL;
	front->fd = -1;
	for (uint32_t i = 0; i < FRONT_REGIONS_MAX; i++)
		front->region[i].fd = -1;
	for (uint32_t i = 0; i < FRONT_QUEUES_MAX; i++)
		front->queue[i].kick_fd = front->queue[i].call_fd = -1;
	front->config = *config;
	set_defaults(&front->config);
	int r = front_init(front);
	if (r) {
		front_free(front);
		errno = -r;
		return NULL;
	}
	return front;
}

void front_free(struct front *front)
{
	if (!front)
		return;
	fd_close(&front->fd);
	for (uint32_t i = 0; i < FRONT_QUEUES_MAX; i++)
		front_queue_fini(&front->queue[i]);
	for (uint32_t i = 0; i < FRONT_REGIONS_MAX; i++) {
		if (front->region[i].addr)
			(void)munmap(front->region[i].addr, front->region[i].size); // Ours.
		fd_close(&front->region[i].fd);
	}
	free(front);
}

void front_attach(struct front *front, int fd)
{
	fd_close(&front->fd);
	front->fd = fd;
}

int front_connect(struct front *front, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(addr.sun_path)) {
		(void)close(fd); // Nothing to do about a failing close here.
		return -ENAMETOOLONG;
	}
	memcpy(addr.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int r = -errno;
		(void)close(fd); // Nothing to do about a failing close here.
		return r;
	}
	front_attach(front, fd);
	return 0;
}

// Waits until the connection is ready; lets the back end run meanwhile if it is in this thread.
static int wait_ready(struct front *front, short events)
{
	struct pollfd pfd = {.fd = front->fd, .events = events};
	int turns = front->config.pump ? 1000 : 1;

	while (turns--) {
		if (front->config.pump)
			front->config.pump(front->config.pump_arg);
		int r = poll(&pfd, 1, front->config.pump ? 0 : REPLY_TIMEOUT_MS);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

int front_message(
	struct front *front,
	const struct message_header *header,
	const void *body,
	const int *fds,
	size_t fd_count
)
{
	uint8_t wire[sizeof(*header) + sizeof(union message_body)];
	size_t size = sizeof(*header) + header->size;
	size_t done = 0;

	if (header->size > sizeof(union message_body))
		return -EMSGSIZE;
	memcpy(wire, header, sizeof(*header));
	if (header->size)
		memcpy(wire + sizeof(*header), body, header->size);
	while (done < size) {
		ssize_t sent = fdmsg_send(
			front->fd, wire + done, size - done, fds, done ? 0 : fd_count, MSG_DONTWAIT
		);
		int r = sent == -EAGAIN ? wait_ready(front, POLLOUT) : (sent < 0 ? (int)sent : 0);
		if (r)
			return r;
		done += sent > 0 ? (size_t)sent : 0;
	}
	return 0;
}

int front_request_fd(struct front *front, uint32_t request, const void *body, uint32_t size, int fd)
{
	struct message_header header = {request, MESSAGE_VERSION, size};
	return front_message(front, &header, body, &fd, fd >= 0);
}

int front_request(struct front *front, uint32_t request, const void *body, uint32_t size)
{
	return front_request_fd(front, request, body, size, -1);
}

// Reads exactly size bytes.
static int read_all(struct front *front, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t r = recv(front->fd, (uint8_t *)data + done, size - done, MSG_DONTWAIT);
		if (r == 0 || (r < 0 && errno == ECONNRESET))
			return -EPIPE;
		if (r < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (r < 0) {
			int failed = wait_ready(front, POLLIN);
			if (failed)
				return failed;
			continue;
		}
		done += (size_t)r;
	}
	return 0;
}

int front_reply(struct front *front, uint32_t request, union message_body *ret_body)
{
	struct message_header header;
	int r = read_all(front, &header, sizeof(header));

	if (r)
		return r;
	if (header.request != request || header.flags != (MESSAGE_VERSION | MESSAGE_REPLY) ||
	    header.size > sizeof(*ret_body))
		return -EPROTO;
	return read_all(front, ret_body, header.size);
}

int front_request_ack(
	struct front *front,
	uint32_t request,
	const void *body,
	uint32_t size,
	int fd
)
{
	struct message_header header = {request, MESSAGE_VERSION | MESSAGE_NEED_REPLY, size};
	union message_body ack;
	int r = front_message(front, &header, body, &fd, fd >= 0);

	if (!r)
		r = front_reply(front, request, &ack);
	return r ? r : (int)ack.u64;
}

// Sends a request without payload and takes its reply's number.
static int ask_u64(struct front *front, uint32_t request, uint64_t *ret_value)
{
	union message_body body;
	int r = front_request(front, request, NULL, 0);

	if (!r)
		r = front_reply(front, request, &body);
	if (!r)
		*ret_value = body.u64;
	return r;
}

int front_sync(struct front *front)
{
	uint64_t features;
	return ask_u64(front, MESSAGE_GET_FEATURES, &features);
}

static int send_u64(struct front *front, uint32_t request, uint64_t value)
{
	return front_request(front, request, &value, sizeof(value));
}

int front_negotiate(struct front *front)
{
	uint64_t offered = 0;
	int r = ask_u64(front, MESSAGE_GET_FEATURES, &offered);

	if (!r && offered & VHOST_FEATURE_PROTOCOL_FEATURES &&
	    front->config.features & VHOST_FEATURE_PROTOCOL_FEATURES) {
		uint64_t protocol = 0;
		r = ask_u64(front, MESSAGE_GET_PROTOCOL_FEATURES, &protocol);
		front->protocol_features = protocol & front->config.protocol_features;
		if (!r)
			r = send_u64(
				front, MESSAGE_SET_PROTOCOL_FEATURES, front->protocol_features
			);
	}
	if (!r)
		r = front_request(front, MESSAGE_SET_OWNER, NULL, 0);
	if (r)
		return r;
	front->features = offered & front->config.features;
	front->header_size =
		front->features & (VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF) ? 12 : 10;
	return send_u64(front, MESSAGE_SET_FEATURES, front->features);
}

struct message_region front_region_message(const struct front *front, uint32_t region)
{
	return (struct message_region){
		.gpa = front->region[region].gpa,
		.size = front->region[region].size,
		.user = (uintptr_t)front->region[region].addr,
	};
}

static int set_mem_table(struct front *front)
{
	struct message_regions table = {.count = front->config.regions};
	struct message_header header = {
		.request = MESSAGE_SET_MEM_TABLE,
		.flags = MESSAGE_VERSION,
		.size = (uint32_t)(8 + table.count * sizeof(struct message_region)),
	};
	int fds[MESSAGE_REGIONS_MAX];

	if (table.count > MESSAGE_REGIONS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < table.count; i++) {
		table.region[i] = front_region_message(front, i);
		fds[i] = front->region[i].fd;
	}
	return front_message(front, &header, &table, fds, table.count);
}

int front_share_memory(struct front *front)
{
	if (!front->config.add_regions)
		return set_mem_table(front);
	for (uint32_t i = 0; i < front->config.regions; i++) {
		struct message_slot slot = {.region = front_region_message(front, i)};
		int r = front_request_ack(
			front, MESSAGE_ADD_MEM_REG, &slot, sizeof(slot), front->region[i].fd
		);
		if (r)
			return r < 0 ? r : -ENOSPC;
	}
	return 0;
}

struct message_ring_addr front_addr_message(const struct front *front, uint32_t index)
{
	return (struct message_ring_addr){
		.index = index,
		.desc = (uintptr_t)front->queue[index].desc,
		.avail = (uintptr_t)front->queue[index].avail,
		.used = (uintptr_t)front->queue[index].used,
	};
}

static int send_state(struct front *front, uint32_t request, uint32_t index, uint32_t num)
{
	struct message_ring_state state = {index, num};
	return front_request(front, request, &state, sizeof(state));
}

static int send_eventfd(struct front *front, uint32_t request, uint32_t index, int fd)
{
	uint64_t value = index | (fd < 0 ? MESSAGE_RING_NOFD : 0);
	return front_request_fd(front, request, &value, sizeof(value), fd);
}

int front_setup_queue(struct front *front, uint32_t index)
{
	struct front_queue *queue = &front->queue[index];

	front_queue_reset(front, index);
	struct message_ring_addr addr = front_addr_message(front, index);
	int r = send_state(front, MESSAGE_SET_VRING_NUM, index, queue->size);
	if (!r)
		r = send_state(
			front, MESSAGE_SET_VRING_BASE, index, queue->packed ? FRONT_BASE_PACKED : 0
		);
	if (!r)
		r = front_request(front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
	if (!r)
		r = send_eventfd(front, MESSAGE_SET_VRING_CALL, index, queue->call_fd);
	if (!r)
		r = send_eventfd(front, MESSAGE_SET_VRING_KICK, index, queue->kick_fd);
	return r;
}

int front_enable_queue(struct front *front, uint32_t index, bool enable)
{
	return send_state(front, MESSAGE_SET_VRING_ENABLE, index, enable);
}

int front_start(struct front *front)
{
	uint32_t queues = 2 * front->config.queue_pairs;
	int r = front_negotiate(front);

	if (!r)
		r = front_share_memory(front);
	for (uint32_t i = 0; i < queues && !r; i++)
		r = front_setup_queue(front, i);
	if (!(front->features & VHOST_FEATURE_PROTOCOL_FEATURES))
		return r;
	for (uint32_t i = 0; i < queues && !r; i++)
		r = front_enable_queue(front, i, true);
	return r;
}

int front_stop(struct front *front)
{
	uint32_t queues = 2 * front->config.queue_pairs;
	int r = 0;

	for (uint32_t i = 0; i < queues && !r; i++) {
		union message_body body;
		if (front->features & VHOST_FEATURE_PROTOCOL_FEATURES)
			r = front_enable_queue(front, i, false);
		if (!r)
			r = send_state(front, MESSAGE_GET_VRING_BASE, i, 0);
		if (!r)
			r = front_reply(front, MESSAGE_GET_VRING_BASE, &body);
	}
	return r;
}
