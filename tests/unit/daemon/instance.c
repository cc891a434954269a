// SPDX-License-Identifier: BSD-3-Clause
// A ringwayd without its doors, in this process: a store, a loop of its own thread, the fake switch. The test's thread has
// the lock.
#include "tests/unit/daemon/instance.h"

#include "tests/lib/unit.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
char instance_run_dir[80];
char instance_state_dir[80];
struct daemon *instance;
static struct loop *loop;
static pthread_t thread;
static int stop_fd;

static void on_stop(void *arg, uint32_t events)
{
	loop_stop(arg);
}

static void *run_loop(void *arg)
{
	(void)loop_run(arg); // Its failure shows as a test that waits for ever.
	return NULL;
}

void instance_start(void)
{
	struct rwy_err err = {0};
	loop = loop_new();
	stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_non_null(loop_add_fd(loop, stop_fd, EPOLLIN, on_stop, loop));
	struct daemon_config config = {
		.run_dir = instance_run_dir,
		.state_dir = instance_state_dir,
		.preload = "/preload.so",
		.spawn = {.binary = getenv("FAKE_SWITCH"), .user = "nobody"},
		.loop = loop,
	};
	if (daemon_start(&config, &instance, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, loop), 0);
	service_lock(instance);
}

void instance_stop(bool end_switch)
{
	service_unlock(instance);
	assert_int_equal(eventfd_write(stop_fd, 1), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	daemon_stop(instance, end_switch);
	loop_free(loop);
	assert_int_equal(close(stop_fd), 0);
	instance = NULL;
}

int instance_setup(void **state)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/ringway-service-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	(void)snprintf(instance_run_dir, sizeof(instance_run_dir), "%s/run", dir);
	(void)snprintf(instance_state_dir, sizeof(instance_state_dir), "%s/state", dir);
	instance_start();
	return 0;
}

static int remove_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int instance_teardown(void **state)
{
	struct rwy_err err = {0};
	// A switch that has not greeted yet is not known by its process, and would outlive the test.
	if (instance && link_wait(instance->link, 5000, &err))
		print_message("%s\n", err.msg);
	if (instance)
		instance_stop(true);
	return nftw(dir, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}

bool instance_has_file(const char *name)
{
	char path[256];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return lstat(path, &st) == 0;
}
