// SPDX-License-Identifier: BSD-3-Clause
// A front end shrinks or punches the memory that it shared: whoever reads it goes on, and the connection
// knows. SIGBUS from anywhere else ends the process as ever.
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_survives_shrunk_memory(void **state)
{
	struct front_config config = {.regions = 2, .queue_pairs = 2};
	struct rig rig, other;

	assert_int_equal(vhost_guard_memory(), 0); // Each test: cmocka sets handlers of its own.
	rig_init(&other, RIG_CONFIG, &config);
	rig_start(&other);
	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	struct vring *ring = &vhost_conn_queue(rig.conn, 1)->ring;
	assert_int_equal(front_send(rig.front, 0, "0123456789abcdef", 16), 0);
	assert_true(vring_has_work(ring));
	assert_int_equal(ftruncate(rig.front->region[0].fd, 0), 0);
	assert_false(vhost_conn_memory_lost(rig.conn));
	assert_false(vring_has_work(ring)); // Zeros now.
	assert_true(vhost_conn_memory_lost(rig.conn));
	assert_false(vhost_conn_memory_lost(other.conn));
	vring_set_notify(ring, false); // Writes go on as well.
	assert_true(vhost_conn_queue(other.conn, 1)->live);
	rig_fini(&rig);
	rig_fini(&other);
}

static void test_survives_a_hole_read_by_nobody_else(void **state)
{
	struct front_config config = {.regions = 8, .add_regions = true};
	struct rig rig;

	assert_int_equal(vhost_guard_memory(), 0);
	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	// A hole in a tmpfs file is zeros, not SIGBUS: nothing is lost.
	struct front_region *region = &rig.front->region[0];
	assert_int_equal(
		fallocate(
			region->fd,
			FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			0,
			(off_t)region->size
		),
		0
	);
	assert_false(vring_has_work(&vhost_conn_queue(rig.conn, 1)->ring));
	assert_false(vhost_conn_memory_lost(rig.conn));
	rig_fini(&rig);
}

// In a child: how it ends is the result.
static int signal_of_child(void (*act)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};
		(void)setrlimit(RLIMIT_CORE, &none); // Only spares a core file.
		if (vhost_guard_memory())
			_exit(1);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void read_foreign_memory(void)
{
	int fd = memfd_create("foreign", MFD_CLOEXEC);
	volatile uint8_t *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	(void)p[0];
}

static void send_itself_sigbus(void)
{
	(void)raise(SIGBUS);
}

static void test_leaves_other_sigbus_alone(void **state)
{
	assert_int_equal(signal_of_child(read_foreign_memory), SIGBUS);
	assert_int_equal(signal_of_child(send_itself_sigbus), SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survives_shrunk_memory),
		cmocka_unit_test(test_survives_a_hole_read_by_nobody_else),
		cmocka_unit_test(test_leaves_other_sigbus_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
