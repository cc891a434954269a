// SPDX-License-Identifier: BSD-3-Clause
// Keeps descriptors as ringwayd does. One thread.
#include "tests/unit/vhost/keeper.h"

#include "base/fdmsg.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void keeper_init(struct keeper *keeper)
{
	keeper->count = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper->sock), 0);
}

void keeper_fini(struct keeper *keeper)
{
	for (uint32_t i = 0; i < keeper->count; i++)
		close(keeper->kept[i].fd);
	close(keeper->sock[0]);
	close(keeper->sock[1]);
}

int keeper_keep(const struct keeper *keeper, const struct vhost_kept *kept, uint32_t count)
{
	uint32_t ids[VHOST_KEPT_MAX];
	int fds[VHOST_KEPT_MAX];

	for (uint32_t i = 0; i < count; i++) {
		ids[i] = kept[i].id;
		fds[i] = kept[i].fd;
	}
	ssize_t sent =
		fdmsg_send(keeper->sock[0], ids, count * sizeof(ids[0]), fds, count, MSG_DONTWAIT);
	return sent < 0 ? (int)sent : 0;
}

void keeper_drop(const struct keeper *keeper, const uint32_t *ids, uint32_t count)
{
	ssize_t sent = fdmsg_send(keeper->sock[0], ids, count * sizeof(ids[0]), NULL, 0, 0);
	assert_int_equal(sent, count * sizeof(ids[0]));
}

static uint32_t find(const struct keeper *keeper, uint32_t id)
{
	uint32_t i = 0;
	while (i < keeper->count && keeper->kept[i].id != id)
		i++;
	return i;
}

static void take(struct keeper *keeper, uint32_t id, int fd)
{
	uint32_t at = find(keeper, id);

	assert_int_not_equal(id, 0);
	if (fd >= 0) {
		assert_int_equal(at, keeper->count);
		assert_in_range(at, 0, VHOST_KEPT_MAX - 1);
		keeper->kept[keeper->count++] = (struct vhost_kept){id, fd};
		return;
	}
	assert_in_range(at + 1, 1, keeper->count);
	close(keeper->kept[at].fd);
	keeper->kept[at] = keeper->kept[--keeper->count];
}

void keeper_drain(struct keeper *keeper)
{
	uint32_t ids[VHOST_KEPT_MAX];
	int fds[VHOST_KEPT_MAX];
	struct fdmsg_buf buf = {
		.data = ids, .data_size = sizeof(ids), .fds = fds, .fd_max = VHOST_KEPT_MAX};
	ssize_t size;

	while ((size = fdmsg_recv(keeper->sock[1], &buf, MSG_DONTWAIT)) > 0) {
		uint32_t count = (uint32_t)((size_t)size / sizeof(ids[0]));
		assert_true(buf.fd_count == 0 || buf.fd_count == count);
		for (uint32_t i = 0; i < count; i++)
			take(keeper, ids[i], buf.fd_count ? fds[i] : -1);
	}
	assert_int_equal(size, -EAGAIN);
}

uint32_t keeper_copy(const struct keeper *keeper, struct vhost_kept *ret_kept)
{
	for (uint32_t i = 0; i < keeper->count; i++) {
		int fd = fcntl(keeper->kept[i].fd, F_DUPFD_CLOEXEC, 0);
		assert_true(fd >= 0);
		ret_kept[i] = (struct vhost_kept){keeper->kept[i].id, fd};
	}
	return keeper->count;
}
