// SPDX-License-Identifier: BSD-3-Clause
// Directories of ports: modes, limits of paths, no symbolic link followed, nothing left.
#include "base/cleanup.h"
#include "daemon/ports/connect.h"
#include "daemon/ports/portdir.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
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
	assert_true(portdir_is_socket(&portdir, "a", "vhost", fd));
	// A dead one is replaced.
	_cleanup_close_ int again = portdir_listen(&portdir, "a", "vhost", &err);
	assert_true(again >= 0);
	assert_true(portdir_is_socket(&portdir, "a", "vhost", again));
	if (geteuid() == 0) // Others are not told which file it was.
		assert_false(portdir_is_socket(&portdir, "a", "vhost", fd));
	portdir_remove_socket(&portdir, "a", "vhost");
	assert_false(portdir_is_socket(&portdir, "a", "vhost", again));
	portdir_remove_place(&portdir, "a");
	assert_int_equal(mode_of("ports/a"), 0);
	portdir_remove(&portdir);
	assert_int_equal(mode_of("ports"), 0);
}

// What somebody removed under a running process.
static void test_removed(void **state)
{
	struct rwy_err err = {0};
	char away[128];
	assert_int_equal(portdir_make_place(&portdir, "a", &err), 0);
	_cleanup_close_ int fd = portdir_listen(&portdir, "a", "vhost", &err);
	assert_int_equal(portdir_renew(&portdir, &err), 0);
	assert_true(portdir_is_socket(&portdir, "a", "vhost", fd)); // It was left alone.
	portdir_remove_place(&portdir, "a");
	portdir_remove(&portdir);
	assert_int_equal(portdir_make_place(&portdir, "a", &err), -ENOENT);
	assert_int_equal(portdir_renew(&portdir, &err), 0);
	assert_int_equal(mode_of("ports"), S_IFDIR | 0700);
	assert_int_equal(portdir_make_place(&portdir, "a", &err), 0);
	assert_true(portdir_is_there(&portdir));
	(void)snprintf(away, sizeof(away), "%s/away", dir);
	assert_int_equal(rename(run_dir, away), 0);
	assert_false(portdir_is_there(&portdir));
	assert_int_equal(mkdir(run_dir, 0755), 0);
	assert_false(portdir_is_there(&portdir)); // Another one.
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

static mode_t mode_at(const char *name)
{
	char path[256];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name); // It fits.
	return lstat(path, &st) ? 0 : st.st_mode;
}

static void plant(const char *target, const char *name)
{
	char from[256];
	char to[256];
	(void)snprintf(from, sizeof(from), "%s/%s", dir, target); // Both fit.
	(void)snprintf(to, sizeof(to), "%s/%s", dir, name);
	assert_int_equal(symlink(from, to), 0);
}

// A link in the socket's place is replaced, and what it points to is neither opened nor changed.
static void test_a_link_for_a_socket(void **state)
{
	struct rwy_err err = {0};
	int victim = openat(portdir.run_fd, "victim", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(victim >= 0);
	(void)close(victim);
	assert_int_equal(portdir_make_place(&portdir, "a", &err), 0);
	plant("run/victim", "run/ports/a/vhost.sock");
	plant("nothing", "run/ports/a/net1.sock");
	_cleanup_close_ int fd = portdir_listen(&portdir, "a", "vhost", &err);
	_cleanup_close_ int other = portdir_listen(&portdir, "a", "net1", &err);
	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(mode_of("ports/a/vhost.sock"), S_IFSOCK | 0666);
	assert_int_equal(mode_of("ports/a/net1.sock"), S_IFSOCK | 0666);
	assert_int_equal(mode_of("victim"), S_IFREG | 0600);
	assert_int_equal(mode_at("nothing"), 0);
}

// The directories that we hold count, and not what their paths lead to by now.
static void test_a_link_for_all_ports(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(portdir_make_place(&portdir, "a", &err), 0);
	assert_int_equal(mkdirat(portdir.run_fd, "else", 0700), 0);
	assert_int_equal(mkdirat(portdir.run_fd, "else/a", 0700), 0);
	assert_int_equal(renameat(portdir.run_fd, "ports", portdir.run_fd, "moved"), 0);
	plant("run/else", "run/ports");
	assert_int_equal(portdir_listen(&portdir, "a", "vhost", &err), -ELOOP);
	assert_int_equal(mode_of("else/a/vhost.sock"), 0);
	assert_int_equal(mode_of("moved/a/vhost.sock"), 0);
	assert_int_equal(mode_of("else/a"), S_IFDIR | 0700);
	// The next start refuses it as well.
	portdir_fini(&portdir);
	assert_true(portdir_init(run_dir, &portdir, &err) < 0);
	assert_int_equal(mode_of("else"), S_IFDIR | 0700);
}

// What is swept is the link itself.
static void test_a_link_is_swept(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(portdir_make_place(&portdir, "a", &err), 0);
	_cleanup_close_ int fd = portdir_listen(&portdir, "a", "vhost", &err);
	assert_true(fd >= 0);
	assert_int_equal(mkdirat(portdir.run_fd, "else", 0700), 0);
	plant("run/ports/a/vhost.sock", "run/else/file");
	plant("run/else", "run/ports/c");
	plant("run/else/file", "run/ports/a/more");
	portdir_remove_place(&portdir, "c");
	portdir_remove_place(&portdir, "a");
	assert_int_equal(mode_of("ports/a"), 0);
	assert_int_equal(mode_of("else/file") & S_IFMT, S_IFLNK);
}

static int connect_in_dir(const char *name)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name); // It fits.
	return socket_connect(path);
}

static void test_connecting_follows_no_link(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(portdir_make_place(&portdir, "a", &err), 0);
	_cleanup_close_ int listener = portdir_listen(&portdir, "a", "vhost", &err);
	assert_true(listener >= 0);
	plant("run/ports/a/vhost.sock", "link.sock");
	plant("run/ports", "all");
	plant("run/ports/a/none", "none.sock");
	assert_int_equal(connect_in_dir("link.sock"), -ELOOP);
	assert_int_equal(connect_in_dir("all/a/vhost.sock"), -ELOOP);
	assert_int_equal(connect_in_dir("none.sock"), -ELOOP);
	assert_int_equal(connect_in_dir("run/ports/a/none"), -ENOENT);
	assert_int_equal(connect_in_dir("run/ports/a"), -ECONNREFUSED);
	assert_int_equal(accept4(listener, NULL, NULL, SOCK_CLOEXEC), -1);
	_cleanup_close_ int fd = connect_in_dir("run/ports/a/vhost.sock");
	assert_true(fd >= 0);
	_cleanup_close_ int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	char byte;
	assert_int_equal(recv(peer, &byte, 1, 0), 1);
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
		cmocka_unit_test_setup_teardown(test_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_link_for_a_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_link_for_all_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_link_is_swept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connecting_follows_no_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
