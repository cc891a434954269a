// SPDX-License-Identifier: BSD-3-Clause
// Kept descriptors of one port (keep.h). Any thread, under the lock. What a switch says is not trusted: it may be a hostile front
// end's by then, so everything has a limit, and a memory is taken only if it is what it should be.
#include "daemon/core/keep.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define KEEP_STATE_MAX (16u << 20) // Bytes that a switch may ask for, a port.
#define KEEP_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

void keep_init(struct keep *keep)
{
	*keep = (struct keep){.state = -1, .conn = -1};
}

void keep_forget(struct keep *keep)
{
	for (uint32_t i = 0; i < keep->count; i++)
		fd_close(&keep->list[i].fd);
	free(keep->list);
	keep->list = NULL;
	keep->count = keep->room = 0;
	fd_close(&keep->conn);
	keep->untold = false;
}

void keep_fini(struct keep *keep)
{
	keep_forget(keep);
	fd_close(&keep->state);
}

static int make_state(uint32_t size, struct rwy_err *err)
{
	_cleanup_close_ int fd = memfd_create("ringway-port", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, size) || fcntl(fd, F_ADD_SEALS, KEEP_SEALS))
		return err_set(
			err, -errno, "cannot make a port's state memory: %s", strerror(errno)
		);
	return fd_take(&fd);
}

int keep_ensure_state(struct keep *keep, const struct wire_hello *hello, struct rwy_err *err)
{
	if (keep->state >= 0 && keep->size == hello->state_size && keep->form == hello->state_form)
		return 0;
	keep_fini(keep);
	if (!hello->state_size)
		return 0;
	if (hello->state_size > KEEP_STATE_MAX)
		return err_set(
			err,
			-EINVAL,
			"the switch asks for %u bytes of state memory, the limit is %u",
			hello->state_size,
			KEEP_STATE_MAX
		);
	int fd = make_state(hello->state_size, err);
	if (fd < 0)
		return fd;
	keep->state = fd;
	keep->size = hello->state_size;
	keep->form = hello->state_form;
	return 0;
}

void keep_connect(struct keep *keep, int fd, bool untold)
{
	keep_forget(keep);
	keep->conn = fd;
	keep->untold = untold;
}

static struct kept *find(struct keep *keep, uint32_t id)
{
	for (uint32_t i = 0; i < keep->count; i++)
		if (keep->list[i].id == id)
			return &keep->list[i];
	return NULL;
}

static struct kept *make_room(struct keep *keep, uint32_t id)
{
	struct kept *place = find(keep, id);
	if (place)
		return place;
	if (keep->count == KEEP_IDS_MAX)
		return NULL;
	if (keep->count == keep->room) {
		uint32_t room = keep->room ? keep->room * 2 : 16;
		struct kept *grown = reallocarray(keep->list, room, sizeof(*grown));
		if (!grown)
			return NULL;
		keep->list = grown;
		keep->room = room;
	}
	place = &keep->list[keep->count++];
	*place = (struct kept){.id = id, .fd = -1};
	return place;
}

// What there is no room for is missing later, and the switch refuses to go on with the connection.
static void add_one(struct keep *keep, uint32_t id, int *io_fd)
{
	struct kept *place = make_room(keep, id);
	if (!place)
		return;
	fd_close(&place->fd);
	place->fd = fd_take(io_fd);
}

void keep_add(struct keep *keep, struct wire_msg *msg)
{
	const struct wire_kept *kept = &msg->args.kept;
	uint32_t first = (uint32_t)kept->has_state + kept->has_conn;
	if (keep->conn < 0)
		return; // Of a connection that has ended since.
	for (uint32_t i = 0; i < kept->id_count; i++)
		add_one(keep, kept->ids[i].id, &msg->fds[first + i]);
}

void keep_drop(struct keep *keep, const struct wire_kept *gone)
{
	for (uint32_t i = 0; i < gone->id_count; i++) {
		struct kept *place = find(keep, gone->ids[i].id);
		if (!place)
			continue;
		fd_close(&place->fd);
		*place = keep->list[--keep->count];
	}
}

bool keep_is_connected(const struct keep *keep)
{
	return keep->conn >= 0 && keep->state >= 0;
}

bool keep_fill(const struct keep *keep, struct wire_msg *msg)
{
	struct wire_kept *kept = &msg->args.kept;
	if (keep->count > WIRE_KEPT_MAX)
		return false;
	kept->has_conn = true;
	msg->fds[msg->fd_count++] = keep->conn;
	for (uint32_t i = 0; i < keep->count; i++) {
		kept->ids[kept->id_count++].id = keep->list[i].id;
		msg->fds[msg->fd_count++] = keep->list[i].fd;
	}
	return true;
}

static bool is_state(int fd, uint32_t size)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & KEEP_SEALS) == KEEP_SEALS && fstat(fd, &st) == 0 &&
		st.st_size == (off_t)size;
}

void keep_adopt(struct keep *keep, struct wire_msg *reply, const struct wire_hello *hello)
{
	const struct wire_kept *kept = &reply->args.kept;
	keep_fini(keep);
	if (!kept->has_state || !is_state(reply->fds[0], hello->state_size))
		return;
	keep->state = fd_take(&reply->fds[0]);
	keep->size = hello->state_size;
	keep->form = hello->state_form;
	if (!kept->has_conn)
		return;
	keep->conn = fd_take(&reply->fds[1]);
	keep_add(keep, reply);
}
