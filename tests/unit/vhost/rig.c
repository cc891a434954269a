// SPDX-License-Identifier: BSD-3-Clause
// The rig of the vhost tests: both ends in one thread.
#include "tests/unit/vhost/rig.h"

#include "base/cleanup.h"
#include "tests/lib/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

// Mappings of memfds, whoever made them.
unsigned int count_shared_maps(void)
{
	char line[4096];
	unsigned int count = 0;
	FILE *maps = fopen("/proc/self/maps", "re");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "/memfd:") != NULL;
	fclose(maps);
	return count;
}

static void on_quiesce(void *ctx)
{
	struct rig *rig = ctx;
	assert_false(rig->quiesced);
	rig->quiesced = true;
	rig->quiesces++;
	if (rig->on_quiesce)
		rig->on_quiesce(rig);
}

static void on_resume(void *ctx)
{
	struct rig *rig = ctx;
	// Alone when rings came alive.
	rig->resumes += rig->quiesced;
	rig->grows += !rig->quiesced;
	rig->quiesced = false;
	if (rig->on_resume)
		rig->on_resume(rig);
}

static void on_announce(void *ctx, const uint8_t mac[MAC_SIZE])
{
	struct rig *rig = ctx;
	memcpy(rig->announced, mac, MAC_SIZE);
	rig->announces++;
}

static int on_keep(void *ctx, const struct vhost_kept *kept, uint32_t count)
{
	struct rig *rig = ctx;

	if (rig->keep_waits)
		return -EAGAIN;
	for (uint32_t i = 0; i < count; i++) {
		assert_true(kept[i].id > rig->last_id);
		assert_true(fcntl(kept[i].fd, F_GETFD) >= 0);
		rig->last_id = kept[i].id;
		assert_in_range(rig->id_count, 0, VHOST_KEPT_MAX - 1);
		rig->ids[rig->id_count++] = kept[i].id;
	}
	return rig->keeper ? keeper_keep(rig->keeper, kept, count) : 0;
}

static void forget_id(struct rig *rig, uint32_t id)
{
	uint32_t i = 0;

	while (i < rig->id_count && rig->ids[i] != id)
		i++;
	assert_in_range(i + 1, 1, rig->id_count);
	rig->ids[i] = rig->ids[--rig->id_count];
}

static void on_drop(void *ctx, const uint32_t *ids, uint32_t count)
{
	struct rig *rig = ctx;

	for (uint32_t i = 0; i < count; i++)
		forget_id(rig, ids[i]);
	if (rig->keeper)
		keeper_drop(rig->keeper, ids, count);
}

static const struct vhost_conn_ops ops = {
	.quiesce = on_quiesce,
	.resume = on_resume,
	.announce = on_announce,
	.keep = on_keep,
	.drop = on_drop,
};

// What was kept and not dropped is what the connection has.
static void check_kept(const struct rig *rig)
{
	struct vhost_kept kept[VHOST_KEPT_MAX];
	uint32_t count = vhost_conn_kept(rig->conn, kept);

	assert_int_equal(count, rig->id_count);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t k = 0;
		while (k < rig->id_count && rig->ids[k] != kept[i].id)
			k++;
		assert_in_range(k + 1, 1, rig->id_count);
		assert_true(fcntl(kept[i].fd, F_GETFD) >= 0);
	}
}

int rig_pump(struct rig *rig)
{
	int r = 1;

	while (r > 0 && rig->conn && !rig->result) {
		r = vhost_conn_process(rig->conn, &rig->err);
		assert_false(rig->quiesced);
		rig->result = r < 0 && r != -EAGAIN ? r : 0;
	}
	if (rig->conn && !rig->result)
		check_kept(rig);
	return rig->result;
}

static void pump(void *arg)
{
	struct rig *rig = arg;
	(void)rig_pump(rig); // Its result is kept.
	if (rig->result)
		rig_drop(rig);
}

void rig_init(
	struct rig *rig,
	const struct vhost_conn_config *config,
	const struct front_config *front_config
)
{
	struct front_config own = front_config ? *front_config : (struct front_config){0};
	int pair[2];

	memset(rig, 0, sizeof(*rig));
	rig->fds_before = count_fds();
	rig->maps_before = count_shared_maps();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	rig->conn = vhost_conn_new(pair[0], config, &ops, rig);
	assert_non_null(rig->conn);
	own.pump = pump;
	own.pump_arg = rig;
	rig->front = front_new(&own);
	assert_non_null(rig->front);
	front_attach(rig->front, pair[1]);
}

int rig_restore(struct rig *rig, const struct vhost_conn_config *config, int fd)
{
	struct vhost_kept kept[VHOST_KEPT_MAX];
	uint32_t count = keeper_copy(rig->keeper, kept);

	// This process kept nothing of it.
	rig->id_count = count;
	for (uint32_t i = 0; i < count; i++) {
		rig->ids[i] = kept[i].id;
		rig->last_id = kept[i].id > rig->last_id ? kept[i].id : rig->last_id;
	}
	rig->err = (struct rwy_err){0};
	rig->result = 0;
	rig->quiesced = false;
	rig->conn = vhost_conn_restore(fd, config, &ops, rig, kept, count, &rig->err);
	assert_true(rig->conn || rig->err.code < 0);
	return rig->err.code;
}

void rig_drop(struct rig *rig)
{
	vhost_conn_free(rig->conn);
	rig->conn = NULL;
	rig->quiesced = false;
	rig->id_count = 0; // The owner forgets them all.
}

void rig_fini(struct rig *rig)
{
	rig_drop(rig);
	front_free(rig->front);
	assert_int_equal(count_fds(), rig->fds_before);
	assert_int_equal(count_shared_maps(), rig->maps_before);
}

void rig_start(struct rig *rig)
{
	assert_int_equal(front_start(rig->front), 0);
	assert_int_equal(rig_pump(rig), 0);
}

void rig_expect_break(struct rig *rig, const char *reason)
{
	int r = rig_pump(rig);
	if (r == 0 || r == -EPIPE || !strstr(rig->err.msg, reason))
		fail_msg("wanted '%s', got %d '%s'", reason, r, rig->err.msg);
	assert_int_equal(rig->err.code, r);
}
