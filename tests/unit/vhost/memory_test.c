// SPDX-License-Identifier: BSD-3-Clause
// Memory regions: the table, one by one, replaced under running rings, and every kind that is refused.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"
#include "vhost/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t regions(const struct rig *rig, uint64_t *ret_size)
{
	return vhost_conn_regions(rig->conn, ret_size);
}

static struct rig *memory_rig(struct rig *rig, uint32_t count)
{
	struct front_config config = {.regions = count, .add_regions = true};
	rig_init(rig, RIG_CONFIG, &config);
	assert_int_equal(front_negotiate(rig->front), 0);
	return rig;
}

static int add(struct rig *rig, const struct message_region *region, int fd)
{
	struct message_slot slot = {.region = *region};
	return front_request_ack(rig->front, MESSAGE_ADD_MEM_REG, &slot, sizeof(slot), fd);
}

static int rem(struct rig *rig, const struct message_region *region, int fd)
{
	struct message_slot slot = {.region = *region};
	return front_request_ack(rig->front, MESSAGE_REM_MEM_REG, &slot, sizeof(slot), fd);
}

static void test_adds_and_removes(void **state)
{
	struct rig rig;
	uint64_t size;

	memory_rig(&rig, FRONT_REGIONS_MAX);
	uint64_t each = rig.front->region[0].size;
	// From the last to the first, so that every one goes in front.
	for (uint32_t i = FRONT_REGIONS_MAX; i-- > 0;) {
		struct message_region region = front_region_message(rig.front, i);
		assert_int_equal(add(&rig, &region, rig.front->region[i].fd), 0);
	}
	assert_int_equal(regions(&rig, &size), FRONT_REGIONS_MAX);
	assert_int_equal(size, FRONT_REGIONS_MAX * each);
	// One more is refused, with all others in place.
	struct message_region more = front_region_message(rig.front, 0);
	more.gpa = more.user = 1ull << 60;
	assert_int_equal(add(&rig, &more, rig.front->region[0].fd), 1);
	for (uint32_t i = 0; i < FRONT_REGIONS_MAX; i += 2) {
		struct message_region region = front_region_message(rig.front, i);
		// "The back-end MUST close it without using it otherwise."
		assert_int_equal(rem(&rig, &region, i % 4 ? rig.front->region[i].fd : -1), 0);
		assert_int_equal(rem(&rig, &region, -1), 1);
	}
	assert_int_equal(regions(&rig, &size), FRONT_REGIONS_MAX / 2);
	assert_int_equal(size, FRONT_REGIONS_MAX / 2 * each);
	rig_fini(&rig);
}

// As QEMU before 8.2 does for each of its queue pairs.
static void test_counts_additions_of_one_region(void **state)
{
	struct rig rig;
	uint64_t size;

	memory_rig(&rig, 2);
	struct message_region region = front_region_message(rig.front, 0);
	int fd = rig.front->region[0].fd;
	for (int i = 0; i < 3; i++)
		assert_int_equal(add(&rig, &region, fd), 0);
	assert_int_equal(regions(&rig, &size), 1);
	assert_int_equal(size, region.size);
	// Another file, or another part of it, in the same place is no repetition.
	assert_int_equal(add(&rig, &region, rig.front->region[1].fd), 1);
	struct message_region moved = region;
	moved.offset += 4096;
	assert_int_equal(add(&rig, &moved, fd), 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(regions(&rig, &size), 1);
		assert_int_equal(rem(&rig, &region, -1), 0);
	}
	assert_int_equal(regions(&rig, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(rem(&rig, &region, -1), 1);
	rig_fini(&rig);
}

static void test_refuses_malformed_regions(void **state)
{
	struct rig rig;
	uint64_t size;

	memory_rig(&rig, 2);
	const struct message_region good = front_region_message(rig.front, 0);
	const struct message_region other = front_region_message(rig.front, 1);
	const uint64_t far = 1ull << 50;
	int fd = rig.front->region[0].fd;
	const struct message_region bad[] = {
		{good.gpa, 0, good.user, 0},
		{good.gpa, good.size + 1, good.user, 0},	  // Beyond its file by one byte.
		{good.gpa, good.size, good.user, 1},		  // The same by its offset.
		{good.gpa, good.size, good.user, -good.size + 1}, // offset + size wraps.
		{good.gpa, good.size, good.user, -good.size},
		{good.gpa, -4096ull, good.user, 4096},
		{good.gpa, -1ull, good.user, 0},
		{-good.size + 1, good.size, good.user, 0},
		{good.gpa, good.size, -good.size + 1, 0},
		// With the other region in place:
		{other.gpa, good.size, good.user, 0},
		{other.gpa - 1, 2, good.user, 0},
		{other.gpa + other.size - 1, 1, far, 0},
		{far, 1, other.user + other.size - 1, 0},
		{far, good.size, other.user - good.size + 1, 0},
	};

	assert_int_equal(add(&rig, &other, rig.front->region[1].fd), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned int fds = count_fds();
		assert_int_equal(add(&rig, &bad[i], fd), 1);
		assert_int_equal(count_fds(), fds);
		assert_int_equal(regions(&rig, &size), 1);
	}
	// Neighbours that only touch are good, also at an odd offset.
	struct message_region touch = {other.gpa + other.size, 1, far, 4097};
	assert_int_equal(add(&rig, &touch, fd), 0);
	assert_int_equal(add(&rig, &good, fd), 0);
	rig_fini(&rig);
}

static void test_refuses_unfit_descriptors(void **state)
{
	struct rig rig;
	int pipe_fds[2];

	memory_rig(&rig, 1);
	const struct message_region region = {0, 1, 0, 0};
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", rig.front->region[0].fd);
	int sealed = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(sealed, 4096), 0);
	assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), 0);
	const int bad[] = {
		pipe_fds[0],
		pipe_fds[1],
		open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
		open("/dev/null", O_RDWR | O_CLOEXEC),
		open("/dev/zero", O_RDWR | O_CLOEXEC),
		open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC),
		open(path, O_RDONLY | O_CLOEXEC),
		open(path, O_PATH | O_CLOEXEC),
		dup(rig.front->fd),
		dup(rig.front->queue[0].kick_fd),
		sealed,
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(bad[i] >= 0);
		assert_int_equal(add(&rig, &region, bad[i]), 1);
		close(bad[i]);
	}
	// The same region is good with a good descriptor.
	assert_int_equal(add(&rig, &region, rig.front->region[0].fd), 0);
	rig_fini(&rig);
}

static void test_breaks_without_reply_ack(void **state)
{
	struct front_config config = {.protocol_features = PROTOCOL_CONFIGURE_MEM_SLOTS};
	struct message_slot slot = {.region = {.size = 0}};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	assert_int_equal(front_negotiate(rig.front), 0);
	int fd = rig.front->region[0].fd;
	assert_int_equal(
		front_request_fd(rig.front, MESSAGE_ADD_MEM_REG, &slot, sizeof(slot), fd), 0
	);
	rig_expect_break(&rig, "ADD_MEM_REG: memory region of 0x0 bytes");
	rig_fini(&rig);
}

static void send_table(struct rig *rig, uint32_t count, uint32_t described, uint32_t fd_count)
{
	struct message_regions table = {.count = count};
	struct message_header header = {
		.request = MESSAGE_SET_MEM_TABLE,
		.flags = MESSAGE_VERSION | MESSAGE_NEED_REPLY,
		.size = (uint32_t)(8 + described * sizeof(struct message_region)),
	};
	int fds[16];

	for (uint32_t i = 0; i < MESSAGE_REGIONS_MAX; i++)
		table.region[i] = front_region_message(rig->front, i);
	for (uint32_t i = 0; i < fd_count; i++)
		fds[i] = rig->front->region[i % MESSAGE_REGIONS_MAX].fd;
	assert_int_equal(front_message(rig->front, &header, &table, fds, fd_count), 0);
}

static void test_refuses_malformed_tables(void **state)
{
	static const struct {
		uint32_t count;
		uint32_t described;
		uint32_t fds;
		const char *reason;
	} cases[] = {
		{0, 1, 1, "0 memory regions"},
		{9, 8, 8, "9 memory regions"},
		{UINT32_MAX, 8, 8, "4294967295 memory regions"},
		{2, 1, 2, "2 regions in a payload of 40 bytes"},
		{2, 2, 1, "comes with 1 descriptors"},
		{1, 1, 2, "comes with 2 descriptors"},
		{1, 1, 0, "comes with 0 descriptors"},
		{8, 8, 9, "more than 8 descriptors"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct front_config config = {.regions = 8};
		struct rig rig;
		rig_init(&rig, RIG_CONFIG, &config);
		assert_int_equal(front_negotiate(rig.front), 0);
		send_table(&rig, cases[i].count, cases[i].described, cases[i].fds);
		rig_expect_break(&rig, cases[i].reason);
		rig_fini(&rig);
	}
}

// What quiesce must find: the old memory still mapped under a live ring.
static void read_ring(struct rig *rig)
{
	struct vhost_queue *queue = vhost_conn_queue(rig->conn, 0);
	volatile const uint8_t *ring = (const uint8_t *)queue->ring.desc;
	if (queue->live)
		(void)ring[0];
}

static void test_replaces_the_table_of_running_rings(void **state)
{
	struct front_config config = {.regions = 4, .queue_pairs = 2};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig.on_quiesce = read_ring;
	rig_start(&rig);
	struct vhost_queue *queue = vhost_conn_queue(rig.conn, 0);
	assert_true(queue->live);
	queue->ring.next_avail = queue->ring.next_used = 77; // As if a worker had been there.
	unsigned int quiesces = rig.quiesces;
	unsigned int maps = count_shared_maps();
	for (int i = 0; i < 100; i++) {
		union message_body ack;
		send_table(&rig, 4, 4, 4);
		assert_int_equal(front_reply(rig.front, MESSAGE_SET_MEM_TABLE, &ack), 0);
		assert_int_equal(ack.u64, 0);
	}
	assert_int_equal(rig.quiesces, quiesces + 100);
	assert_int_equal(rig.resumes, rig.quiesces);
	assert_int_equal(count_shared_maps(), maps);
	assert_true(queue->live);
	assert_int_equal(queue->ring.next_avail, 77);
	rig_fini(&rig);
}

// librte_vhost leaves its rings pointing into memory that is gone.
static void test_failing_table_leaves_nothing_behind(void **state)
{
	struct front_config config = {.regions = 8, .queue_pairs = 2};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig.on_quiesce = read_ring;
	rig_start(&rig);
	unsigned int maps = count_shared_maps();
	assert_int_equal(ftruncate(rig.front->region[7].fd, 4096), 0);
	send_table(&rig, 8, 8, 8);
	rig_expect_break(&rig, "SET_MEM_TABLE: memory region");
	assert_int_equal(rig.resumes, rig.quiesces);
	assert_int_equal(count_shared_maps(), maps);
	// The old memory is still what the rings use.
	assert_true(vhost_conn_queue(rig.conn, 0)->live);
	read_ring(&rig);
	rig_fini(&rig);
}

static void test_removing_a_rings_memory_stops_it(void **state)
{
	struct front_config config = {.regions = 3, .add_regions = true, .queue_pairs = 2};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	struct vhost_queue *queue = vhost_conn_queue(rig.conn, 3);
	assert_true(queue->live);
	struct message_region region = front_region_message(rig.front, 0);
	unsigned int quiesces = rig.quiesces;
	assert_int_equal(rem(&rig, &region, -1), 0);
	assert_int_equal(rig.quiesces, quiesces + 1);
	assert_false(queue->live);
	// QEMU removes and adds again when it rebuilds its table: the ring goes on.
	assert_int_equal(add(&rig, &region, rig.front->region[0].fd), 0);
	assert_true(queue->live);
	assert_int_equal(rem(&rig, &region, -1), 0);
	assert_int_equal(front_enable_queue(rig.front, 3, true), 0);
	rig_expect_break(&rig, "ring 3: descriptor table at");
	rig_fini(&rig);
}

// A sparse file of that many bytes, mapped as one region. 0 or a negative errno.
static int add_sparse(struct memory *memory, uint64_t size)
{
	struct message_region region = {.gpa = 1ull << 45, .size = size};
	struct rwy_err err = {0};
	int fd = memfd_create("sparse", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	int r = memory_add(memory, &region, fd, 1, &err);
	if (r)
		assert_int_equal(close(fd), 0);
	return r;
}

// Some that take much leave all others what they may have in any case.
static void test_shares_what_is_large(void **state)
{
	struct memory *large[64];
	atomic_bool lost = false;
	uint32_t count = 0;
	int r = 0;

	while (!r && count < 64) {
		large[count] = memory_new(&lost);
		assert_non_null(large[count]);
		r = add_sparse(large[count++], MEMORY_SIZE_MAX);
	}
	if (r == -ENOMEM) // An emulator's addresses.
		print_message("no room for %llu bytes\n", MEMORY_SIZE_MAX);
	else
		assert_int_equal(r, -ENOSPC);
	assert_true(r == -ENOMEM || count > MEMORY_SIZE_SHARED / MEMORY_SIZE_MAX);
	struct memory *small = memory_new(&lost);
	assert_int_equal(add_sparse(small, MEMORY_SIZE_OWN), 0);
	memory_free(large[0]);
	assert_int_equal(r == -ENOMEM ? 0 : add_sparse(large[count - 1], MEMORY_SIZE_MAX), 0);
	for (uint32_t i = 1; i < count; i++)
		memory_free(large[i]);
	memory_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adds_and_removes),
		cmocka_unit_test(test_counts_additions_of_one_region),
		cmocka_unit_test(test_refuses_malformed_regions),
		cmocka_unit_test(test_refuses_unfit_descriptors),
		cmocka_unit_test(test_breaks_without_reply_ack),
		cmocka_unit_test(test_refuses_malformed_tables),
		cmocka_unit_test(test_replaces_the_table_of_running_rings),
		cmocka_unit_test(test_failing_table_leaves_nothing_behind),
		cmocka_unit_test(test_removing_a_rings_memory_stops_it),
		cmocka_unit_test(test_shares_what_is_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
