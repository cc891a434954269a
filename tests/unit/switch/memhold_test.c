// SPDX-License-Identifier: BSD-3-Clause
// The process that has a switch's memory last: it has one descriptor and no way to do anything, and ends when the switch has.
#include "switch/memhold.h"
#include "tests/lib/unit.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 1000 // Looks, 10 ms apart.

// A number of /proc/PID/status, or -1: there is no such process.
static long status_of(long pid, const char *key)
{
	char path[64];
	char line[256];
	long value = -1;

	(void)snprintf(path, sizeof(path), "/proc/%ld/status", pid); // It fits.
	FILE *file = fopen(path, "re");
	if (!file)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			value = strtol(line + strlen(key) + 1, NULL, 10);
	(void)fclose(file); // Read only.
	return value;
}

static bool is_a_zombie(long pid)
{
	return status_of(pid, "FDSize") <= 0; // The kernel has given its descriptors back.
}

static long child_of(long parent)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	long found = -1;

	assert_non_null(proc);
	while (found < 0 && (entry = readdir(proc))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);
		if (*end == '\0' && pid > 0 && status_of(pid, "PPid") == parent)
			found = pid;
	}
	(void)closedir(proc); // Read only.
	return found;
}

static void pause_ms(void)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	(void)nanosleep(&pause, NULL); // Sooner is no harm.
}

static uint32_t count_fds(long pid)
{
	char path[64];
	uint32_t count = 0;

	(void)snprintf(path, sizeof(path), "/proc/%ld/fd", pid); // It fits.
	DIR *fds = opendir(path);
	assert_non_null(fds);
	for (const struct dirent *entry = readdir(fds); entry; entry = readdir(fds))
		count += entry->d_name[0] != '.';
	(void)closedir(fds); // Read only.
	return count;
}

static pid_t start_holder(long *ret_holder)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (memhold_start(NULL))
			_exit(1);
		for (;;)
			(void)pause();
	}
	*ret_holder = -1;
	// Until it has locked itself in.
	for (int i = 0; i < PATIENCE && (*ret_holder < 0 || status_of(*ret_holder, "Seccomp") != 2);
	     i++) {
		pause_ms();
		*ret_holder = child_of(pid);
	}
	assert_true(*ret_holder > 0);
	return pid;
}

static void test_can_do_nothing(void **state)
{
	long holder;
	pid_t pid = start_holder(&holder);

	assert_int_equal(status_of(holder, "Seccomp"), 2);
	assert_int_equal(status_of(holder, "NoNewPrivs"), 1);
	assert_int_equal(status_of(holder, "Threads"), 1);
	assert_int_equal(count_fds(holder), 1);
	assert_int_equal(status_of(holder, "VmSize"), status_of(pid, "VmSize"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_ends_with_the_switch(void **state)
{
	long holder;
	pid_t pid = start_holder(&holder);

	assert_false(is_a_zombie(holder));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	int looks = 0;
	while (looks < PATIENCE && !is_a_zombie(holder)) {
		pause_ms();
		looks++;
	}
	assert_true(is_a_zombie(holder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_can_do_nothing),
		cmocka_unit_test(test_ends_with_the_switch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
