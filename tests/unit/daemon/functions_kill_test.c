// SPDX-License-Identifier: BSD-3-Clause
// ringwayd killed before each thing that it does to a function: the rows as they were on disk then are what the next one finds, with
// the host as it was then. Every function is one port's as a whole, or free and as the host had it.
#include "base/cleanup.h"
#include "daemon/core/functions.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/kernel_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS_MAX 40

static int step;    // Of the change under way, from 1.
static int kill_at; // 0: at none.
static bool was_killed;
static char saved[2][128];

static void copy_file(const char *from, const char *to)
{
	char buffer[65536];
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	(void)unlink(to); // There may be none.
	if (in < 0)
		return;
	_cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n;
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		if (out < 0 || write(out, buffer, (size_t)n) != n)
			return; // The rows are not what they should be, which shows.
}

static void name_files(char ret_paths[2][128])
{
	(void)snprintf(ret_paths[0], 128, "%s/ringway.db", instance_state_dir);
	(void)snprintf(ret_paths[1], 128, "%s/ringway.db-wal", instance_state_dir);
	(void)snprintf(saved[0], sizeof(saved[0]), "%s/saved.db", instance_run_dir);
	(void)snprintf(saved[1], sizeof(saved[1]), "%s/saved.wal", instance_run_dir);
}

// The thread that changes the host is the only one that is not waiting.
static bool on_change(void)
{
	char files[2][128];
	if (was_killed)
		return false;
	if (++step != kill_at)
		return true;
	was_killed = true;
	name_files(files);
	copy_file(files[0], saved[0]);
	copy_file(files[1], saved[1]);
	return false;
}

static void begin(int at)
{
	step = 0;
	kill_at = at;
	was_killed = false;
	fake_functions.before_change = on_change;
}

// The one that was killed wrote nothing more.
static void start_after_kill(void)
{
	char files[2][128];
	char shm[160];
	name_files(files);
	instance_stop(false);
	fake_functions.before_change = NULL;
	(void)snprintf(shm, sizeof(shm), "%s-shm", files[0]);
	(void)unlink(shm);
	for (int i = 0; i < 2; i++)
		copy_file(saved[i], files[i]);
	instance_start();
}

static void check_function(unsigned int number, int at)
{
	struct service_function list[FAKE_FUNCTIONS_MAX];
	for (int i = 0; i < 500; i++) {
		rig_functions(list);
		if (list[number].state == FUNCTION_FREE || list[number].state == FUNCTION_TAKEN)
			break;
		rig_pause();
	}
	const struct fake_function *real = &fake_functions.list[number];
	if (list[number].state == FUNCTION_TAKEN) {
		struct port_info info = rig_get_port(list[number].port);
		assert_string_equal(info.spec.function, list[number].address);
		bool vfio = strcmp(info.spec.attach, "vf") == 0;
		assert_string_equal(real->driver, vfio ? FUNCTION_VFIO : "igbvf");
		assert_memory_equal(real->attributes.mac, info.spec.mac, MAC_SIZE);
		return;
	}
	assert_int_equal(list[number].state, FUNCTION_FREE);
	assert_string_equal(list[number].port, "");
	if (!fake_function_is_fresh(number))
		fail_msg("function %u after a kill at step %d", number, at);
}

static struct port_spec port_spec(const char *attach)
{
	struct port_spec spec = rig_port("p", attach, "40.0.0.2");
	if (strcmp(attach, "vf-kernel") == 0)
		(void)snprintf(spec.netns, sizeof(spec.netns), "/proc/self/ns/net");
	else
		spec.vfs = 2;
	return spec;
}

// Returns how many steps there are.
static int play_adds(const char *attach)
{
	for (int at = 1; at < STEPS_MAX; at++) {
		struct rwy_err err = {0};
		struct port_info info;
		struct port_spec spec = port_spec(attach);
		begin(at);
		int r = service_port_add(instance, &spec, &info, &err);
		if (!was_killed) {
			assert_int_equal(r, 0);
			fake_functions.before_change = NULL;
			return at - 1;
		}
		start_after_kill();
		for (unsigned int i = 0; i < 3; i++)
			check_function(i, at);
		assert_false(rig_has_port("p") || rig_has_port("p.1"));
	}
	fail_msg("it does not end");
	return 0;
}

static int play_removes(const char *attach)
{
	for (int at = 1; at < STEPS_MAX; at++) {
		struct rwy_err err = {0};
		begin(at);
		if (service_port_remove(instance, "p", &err))
			fail_msg("%s", err.msg);
		for (unsigned int i = 0; i < 3 && !was_killed; i++)
			for (int j = 0; j < 500 && !was_killed; j++) {
				struct service_function list[FAKE_FUNCTIONS_MAX];
				rig_functions(list);
				if (list[i].state == FUNCTION_FREE)
					break;
				rig_pause();
			}
		bool ended = !was_killed;
		if (!ended)
			start_after_kill();
		fake_functions.before_change = NULL;
		for (unsigned int i = 0; i < 3; i++)
			check_function(i, at);
		assert_false(rig_has_port("p") || rig_has_port("p.1"));
		if (ended)
			return at - 1;
		struct port_spec spec = port_spec(attach);
		(void)rig_add_port(&spec);
	}
	fail_msg("it does not end");
	return 0;
}

static void test_vf(void **state)
{
	const struct network_spec spec = rig_sriov(3);
	(void)rig_add_network(&spec);
	// Attributes, driver and owner, of two of them.
	assert_true(play_adds("vf") >= 6);
	// Owner, unbind, attributes, reset, driver and name.
	assert_true(play_removes("vf") >= 12);
}

static void test_vf_kernel(void **state)
{
	const struct network_spec spec = rig_sriov(3);
	(void)rig_add_network(&spec);
	assert_true(play_adds("vf-kernel") >= 5);
	assert_true(play_removes("vf-kernel") >= 5);
}

// A network whose functions were being made is not there, and the parent has its count of before.
static void test_network(void **state)
{
	struct rwy_err err = {0};
	struct network_info info;
	const struct network_spec spec = rig_sriov(3);
	fake_functions_reset(1);
	begin(1);
	assert_true(service_network_add(instance, &spec, &info, &err) < 0);
	assert_true(was_killed);
	// It was killed while the kernel made them.
	fake_functions.vfs = 3;
	start_after_kill();
	assert_int_equal(service_network_get(instance, "n", &info, &err), -ENOENT);
	for (int i = 0; i < 500 && !TAILQ_EMPTY(&instance->parents); i++)
		rig_pause();
	assert_int_equal(fake_functions.vfs, 1);

	// And one that went is gone.
	(void)rig_add_network(&spec);
	assert_int_equal(fake_functions.vfs, 3);
	begin(1);
	(void)service_network_remove(instance, "n", &err);
	assert_true(was_killed);
	start_after_kill();
	for (int i = 0; i < 500 && !TAILQ_EMPTY(&instance->parents); i++)
		rig_pause();
	assert_int_equal(service_network_get(instance, "n", &info, &err), -ENOENT);
	assert_int_equal(fake_functions.vfs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_vf),
		TEST(test_vf_kernel),
		TEST(test_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
