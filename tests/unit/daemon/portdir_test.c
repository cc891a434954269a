// SPDX-License-Identifier: BSD-3-Clause
// Directories of ports: modes, limits of paths, no symbolic link followed, nothing left.
#include "base/cleanup.h"
#include "daemon/ports/portdir.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char dir[64];
static char run_dir[80];
static struct portdir portdir;

static int setup(void **state)
{
	struct rwy_err err = {0};
	(void)snprintf(dir, sizeof(dir), "/tmp/ringway-portdir-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
	if (portdir_init(run_dir, &portdir, &err))
		fail_msg("%s", err.msg);
	return 0;
}

static int remove_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	portdir_fini(&portdir);
	return nftw(dir, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}

static mode_t mode_of(const char *name)
{
	char path[256];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", run_dir, name);
	return lstat(path, &st) ? 0 : st.st_mode;
}

static void test_modes(void **state)
{
	struct rwy_err err = {0};
	mode_t before = umask(077); // Must not matter.
	assert_int_equal(portdir_make_place(&portdir, "a", &err), 0);
	assert_int_equal(portdir_make_place(&portdir, "a", &err), 0);
	_cleanup_close_ int fd = portdir_listen(&portdir, "a", "vhost", &err);
	(void)umask(before);
	assert_true(fd >= 0);
	assert_int_equal(mode_of(""), S_IFDIR | 0755);
	assert_int_equal(mode_of("ports"), S_IFDIR | 0700);
	assert_int_equal(mode_of("ports/a"), S_IFDIR | 0755);
	assert_int_equal(mode_of("ports/a/vhost.sock"), S_IFSOCK | 0666);
	assert_true(portdir_has_socket(&portdir, "a", "vhost"));
	// A dead one is replaced.
	_cleanup_close_ int again = portdir_listen(&portdir, "a", "vhost", &err);
	assert_true(again >= 0);
	portdir_remove_socket(&portdir, "a", "vhost");
	assert_false(portdir_has_socket(&portdir, "a", "vhost"));
	portdir_remove_place(&portdir, "a");
	assert_int_equal(mode_of("ports/a"), 0);
	portdir_remove(&portdir);
	assert_int_equal(mode_of("ports"), 0);
}

static void test_links_are_refused(void **state)
{
	struct rwy_err err = {0};
	char other[80];
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(symlinkat(other, portdir.ports_fd, "a"), 0);
	assert_true(portdir_make_place(&portdir, "a", &err) < 0);
	assert_true(portdir_listen(&portdir, "a", "vhost", &err) < 0);
	struct stat st;
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700); // Not touched.
}

static void test_long_paths(void **state)
{
	struct rwy_err err = {0};
	char path[PATH_TEXT_SIZE];
	char name[NAME_SIZE] = "";
	memset(name, 'n', 55);
	assert_int_equal(portdir_path(&portdir, name, "vhost", path, &err), 0);
	portdir.run_dir[0] = '\0';
	memset(portdir.run_dir, 'r', 60);
	portdir.run_dir[60] = '\0';
	assert_int_equal(portdir_path(&portdir, name, "vhost", path, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.msg, "has 133 bytes, the limit is 107"));
	assert_non_null(strstr(err.hint, "shorter"));
	struct portdir other;
	memset(name, 'd', sizeof(name) - 1);
	char long_dir[96];
	(void)snprintf(long_dir, sizeof(long_dir), "/tmp/%s/%s", name, "twelve-bytes");
	assert_int_equal(portdir_init(long_dir, &other, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.hint, "at most 73 bytes"));
	portdir_fini(&other);
}

static void test_second_is_refused(void **state)
{
	struct rwy_err err = {0};
	struct portdir other;
	assert_int_equal(portdir_init(run_dir, &other, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "another ringwayd"));
	portdir_fini(&other);
}

static bool keep_b(void *arg, const char *place)
{
	return strcmp(place, "b") == 0;
}

static void test_sweep(void **state)
{
	struct rwy_err err = {0};
	static const char *const names[] = {"a", "b", "c"};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(portdir_make_place(&portdir, names[i], &err), 0);
		_cleanup_close_ int fd = portdir_listen(&portdir, names[i], "net0", &err);
		assert_true(fd >= 0);
	}
	portdir_sweep(&portdir, keep_b, NULL);
	assert_int_equal(mode_of("ports/a"), 0);
	assert_int_equal(mode_of("ports/b/net0.sock"), S_IFSOCK | 0666);
	assert_int_equal(mode_of("ports/c"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
