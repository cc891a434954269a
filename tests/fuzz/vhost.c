// SPDX-License-Identifier: BSD-3-Clause
// A front end's side of a vhost-user connection. The input is a list of steps: one byte of descriptor kind and
// count, one of length, then that many bytes as they go over the socket; or, with STEP_WRITE, a 16-bit offset and what
// the front end writes into its memory there; or, with STEP_LIFE, what happens to the process that has the connection. After each the
// connection works and its live rings are used as a worker would. No descriptor may be left.
#include "vhost/vhost.h"

#include "base/fdmsg.h"
#include "vhost/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY_SIZE 65536
#define QUEUE_PAIRS 2

enum kind {
	KIND_MEMORY,
	KIND_EVENTFD,
	KIND_SOCKET,
	KIND_READ_ONLY,
	KIND_COUNT // A power of two.
};

static int kinds[KIND_COUNT];
static bool quiesced;

static void on_quiesce(void *ctx)
{
	if (quiesced)
		abort();
	quiesced = true;
}

static void on_resume(void *ctx)
{
	quiesced = false; // It comes alone too, when rings came alive.
}

static void on_announce(void *ctx, const uint8_t mac[MAC_SIZE])
{
	if (mac_is_multicast(mac))
		abort();
}

// What outlives the process: ringwayd's side.
static struct {
	struct vhost_state state;
	struct vhost_kept kept[VHOST_KEPT_MAX];
	uint32_t count;
	uint32_t refusals; // So many times it does not keep anything now.
} outside;

static int on_keep(void *ctx, const struct vhost_kept *kept, uint32_t count)
{
	if (outside.refusals) {
		outside.refusals--;
		return -EAGAIN;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!kept[i].id || outside.count == VHOST_KEPT_MAX)
			abort();
		outside.kept[outside.count] = kept[i];
		outside.kept[outside.count].fd = fcntl(kept[i].fd, F_DUPFD_CLOEXEC, 0);
		if (outside.kept[outside.count++].fd < 0)
			abort();
	}
	return 0;
}

static void forget(uint32_t i)
{
	(void)close(outside.kept[i].fd); // Ours alone.
	outside.kept[i] = outside.kept[--outside.count];
}

static void on_drop(void *ctx, const uint32_t *ids, uint32_t count)
{
	for (uint32_t k = 0; k < count; k++) {
		uint32_t i = 0;
		while (i < outside.count && outside.kept[i].id != ids[k])
			i++;
		if (i == outside.count)
			abort(); // It was never kept, or is dropped for the second time.
		forget(i);
	}
}

static const struct vhost_conn_ops ops = {
	.keep = on_keep,
	.drop = on_drop,
	.quiesce = on_quiesce,
	.resume = on_resume,
	.announce = on_announce,
};

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	kinds[KIND_MEMORY] = memfd_create("fuzz", MFD_CLOEXEC);
	kinds[KIND_EVENTFD] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	kinds[KIND_SOCKET] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	kinds[KIND_READ_ONLY] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < KIND_COUNT; i++)
		if (kinds[i] < 0)
			abort();
	if (ftruncate(kinds[KIND_MEMORY], MEMORY_SIZE))
		abort();
	return 0;
}

// The lowest free descriptor: the same before and after, or one was lost.
static int next_fd(void)
{
	int fd = dup(STDIN_FILENO);
	if (fd >= 0)
		(void)close(fd); // It was only looked at.
	return fd;
}

// What a worker does with the rings; memory that a ring should not reach is found by the sanitizer.
static void use_rings(struct vhost_conn *conn)
{
	static struct frame_burst burst; // Large.

	for (unsigned int i = 0; i < QUEUE_PAIRS; i++) {
		struct vhost_queue *rx = vhost_conn_queue(conn, 2 * i);
		struct vhost_queue *tx = vhost_conn_queue(conn, 2 * i + 1);
		uint64_t drops[VRING_DROP_COUNT] = {0};
		const struct frame *frames[FRAME_BURST_MAX];
		enum vring_drop drop;
		if (!tx->live || tx->ring.fault)
			continue;
		burst.count = burst.seg_count = 0;
		uint32_t count = vring_take(&tx->ring, &burst, FRAME_BURST_MAX, drops);
		for (uint32_t k = 0; k < count; k++)
			frames[k] = &burst.frame[k];
		if (rx->live && !rx->ring.fault) {
			(void)vring_deliver(&rx->ring, frames, count, &drop); // Any number is good.
			vring_show(&rx->ring);
		}
		vring_complete(&tx->ring);
	}
}

static int work(struct vhost_conn *conn)
{
	struct rwy_err err = {0};
	int r = vhost_conn_process(conn, &err);

	if (quiesced)
		abort();
	// A failure says what and why, on one line.
	if (r < 0 && r != -EAGAIN && (err.code != r || !err.msg[0] || strchr(err.msg, '\n')))
		abort();
	if (r >= 0)
		use_rings(conn);
	return r < 0 ? r : 0;
}

static void drain(int sock)
{
	char replies[4096];
	while (recv(sock, replies, sizeof(replies), MSG_DONTWAIT) > 0)
		continue;
}

// Bits of a step's first byte.
#define STEP_WRITE 0x40
#define STEP_LIFE 0x80

static bool write_memory(const uint8_t *data, size_t size)
{
	uint16_t offset;

	if (size < sizeof(offset))
		return true;
	memcpy(&offset, data, sizeof(offset));
	size -= sizeof(offset);
	if (size > (size_t)MEMORY_SIZE - offset)
		size = (size_t)MEMORY_SIZE - offset;
	return pwrite(kinds[KIND_MEMORY], data + sizeof(offset), size, offset) >= 0;
}

static bool step(int sock, const uint8_t *data, size_t size)
{
	size_t fd_count = data[0] & 15;
	int fds[16];

	if (data[0] & STEP_WRITE)
		return write_memory(data + 2, size);
	for (size_t i = 0; i < fd_count; i++)
		fds[i] = kinds[data[0] >> 4 & (KIND_COUNT - 1)];
	return !size || fdmsg_send(sock, data + 2, size, fds, fd_count, MSG_DONTWAIT) >= 0;
}

static const struct vhost_conn_config config = {
	.queue_pairs = QUEUE_PAIRS,
	.mtu = 1500,
	.offloads = true,
	.state = &outside.state,
};

// Another process takes the session up. NULL: it could not, and says why.
static struct vhost_conn *take_up(int fd)
{
	struct vhost_kept kept[VHOST_KEPT_MAX];
	struct rwy_err err = {0};

	for (uint32_t i = 0; i < outside.count; i++) {
		kept[i] = outside.kept[i];
		kept[i].fd = fcntl(kept[i].fd, F_DUPFD_CLOEXEC, 0);
		if (kept[i].fd < 0)
			abort();
	}
	struct vhost_conn *conn =
		vhost_conn_restore(fd, &config, &ops, NULL, kept, outside.count, &err);
	if (!conn && (err.code >= 0 || !err.msg[0] || strchr(err.msg, '\n')))
		abort();
	return conn;
}

// The process ends; the next one goes on, or is lost itself before it does.
static struct vhost_conn *end_process(struct vhost_conn *conn, bool twice)
{
	int fd = fcntl(vhost_conn_fd(conn), F_DUPFD_CLOEXEC, 0);
	int again = twice ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd < 0)
		abort();
	vhost_conn_free(conn);
	quiesced = false;
	conn = take_up(fd);
	if (twice && conn) {
		vhost_conn_free(conn);
		conn = take_up(again);
	} else if (twice) {
		(void)close(again); // Nobody has it.
	}
	quiesced = false;
	if (conn)
		vhost_conn_go(conn);
	return conn;
}

// Writes over what outlives the process, as a process that ran wild would.
static void scribble(const uint8_t *data, size_t size)
{
	uint32_t at;

	if (size <= sizeof(at))
		return;
	memcpy(&at, data, sizeof(at));
	at %= sizeof(outside.state);
	size -= sizeof(at);
	if (size > sizeof(outside.state) - at)
		size = sizeof(outside.state) - at;
	memcpy((uint8_t *)&outside.state + at, data + sizeof(at), size);
}

// NULL: the session is over.
static struct vhost_conn *live(struct vhost_conn *conn, const uint8_t *data, size_t size)
{
	switch (size ? data[0] % 8 : 0) {
	case 0:
	case 1:
		return end_process(conn, false);
	case 2:
		return end_process(conn, true);
	case 3:
	case 4:
		outside.refusals = size > 1 ? data[1] % 4 : 1;
		return conn;
	case 5: // One of the kept descriptors is missing.
		if (outside.count)
			forget(size > 1 ? data[1] % outside.count : 0);
		return end_process(conn, false);
	default: // Only a process that ended leaves it for good: a living one has its own idea.
		scribble(data + 1, size - 1);
		return end_process(conn, false);
	}
}

static struct vhost_conn *play(struct vhost_conn *conn, int sock, const uint8_t *data, size_t size)
{
	while (size >= 2) {
		size_t length = data[1] < size - 2 ? data[1] : size - 2;
		if (data[0] & STEP_LIFE) {
			conn = live(conn, data + 2, length);
			if (!conn)
				return NULL;
		} else if (!step(sock, data, length)) {
			return conn;
		}
		data += 2 + length;
		size -= 2 + length;
		// Twice: a message that did not fit in one call, and a reply.
		for (int i = 0; i < 2; i++) {
			int r = work(conn);
			if (r < 0 && r != -EAGAIN)
				return conn;
		}
		drain(sock);
	}
	return conn;
}

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int first = next_fd();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	// The same at each start.
	if (ftruncate(kinds[KIND_MEMORY], 0) || ftruncate(kinds[KIND_MEMORY], MEMORY_SIZE))
		abort();
	memset(&outside, 0, sizeof(outside));
	struct vhost_conn *conn = vhost_conn_new(pair[0], &config, &ops, NULL);
	if (!conn)
		abort();
	conn = play(conn, pair[1], data, size);
	vhost_conn_free(conn);
	while (outside.count)
		forget(0);
	quiesced = false;
	(void)close(pair[1]); // Only this function has it.
	if (next_fd() != first)
		abort();
	return 0;
}
