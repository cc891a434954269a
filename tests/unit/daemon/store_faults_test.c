// SPDX-License-Identifier: BSD-3-Clause
// The store when its file is locked, full, damaged, of others or gone: a change is refused as a whole, what is done is
// written later, and files that are not ours to touch stay as they are.
#include "base/cleanup.h"
#include "daemon/store/internal.h"
#include "daemon/store/migrate.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/store_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

// Makes a database as a ringwayd of an earlier version left it.
static void make_version(int version)
{
	sqlite3 *db = NULL;
	struct rwy_err err = {0};
	assert_int_equal(sqlite3_open(store_rig_path, &db), SQLITE_OK);
	if (store_migrate(db, version, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static size_t read_file(char *buf, size_t size)
{
	_cleanup_close_ int fd = open(store_rig_path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, size);
	assert_true(n >= 0);
	return (size_t)n;
}

static void expect_refused(int code, const char *why)
{
	static char before[65536];
	static char after[65536];
	struct store *s = NULL;
	struct rwy_err err = {0};
	size_t size = read_file(before, sizeof(before));
	assert_int_equal(store_open(store_rig_dir, &s, &err), code);
	if (!strstr(err.msg, why) || !strstr(err.msg, store_rig_path))
		fail_msg("'%s' is not in '%s'", why, err.msg);
	assert_int_equal(read_file(after, sizeof(after)), size);
	assert_memory_equal(before, after, size);
}

static void test_refuses_newer(void **state)
{
	make_version(store_version);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(store_rig_path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	expect_refused(-EOPNOTSUPP, "schema version 99");
}

// Another process, which writes and does not end.
static sqlite3 *lock_db(void)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(store_rig_path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void test_locked(void **state)
{
	struct store *s = store_rig_open();
	struct network_info network = store_rig_network();
	struct rwy_err err = {0};
	sqlite3 *other = lock_db();
	assert_int_equal(store_network_insert(s, &network, &err), -EAGAIN);
	assert_non_null(strstr(err.msg, "locked"));
	assert_non_null(strstr(err.hint, "ringway.db' locked: end it"));
	assert_int_equal(store_rig_load(s).networks, 0); // Reading goes on.
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	assert_int_equal(store_network_insert(s, &network, &err), 0);
	store_close(s);
}

// What is done cannot be refused: its row goes when it can, before anything else, also at the end.
static void test_late_deletes(void **state)
{
	struct store *s = store_rig_open();
	struct network_info network = store_rig_network();
	struct port_info port = store_rig_port();
	struct rwy_err err = {0};
	port.spec.key[0] = '\0';
	assert_int_equal(store_network_insert(s, &network, &err), 0);
	assert_int_equal(store_port_insert(s, network.id, &port, &err), 0);
	sqlite3 *other = lock_db();
	store_port_delete(s, port.id);
	store_network_delete(s, network.id); // In this order, or it is refused.
	assert_int_equal(store_network_insert(s, &network, &err), -EAGAIN);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	uint32_t before = network.id;
	assert_int_equal(store_network_insert(s, &network, &err), 0); // Its name is free.
	assert_true(network.id > before);
	struct store_rig_seen seen = store_rig_load(s);
	assert_int_equal(seen.networks, 1);
	assert_int_equal(seen.ports, 0);
	other = lock_db();
	store_network_delete(s, network.id);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	store_close(s);
	s = store_rig_open();
	assert_int_equal(store_rig_load(s).networks, 0);
	store_close(s);
}

static void test_removing_is_one(void **state)
{
	struct store *s = store_rig_open();
	struct network_info network = store_rig_network();
	struct port_info port = store_rig_port();
	struct rwy_err err = {0};
	port.spec.key[0] = '\0';
	port.spec.of_network = true;
	assert_int_equal(store_network_insert(s, &network, &err), 0);
	assert_int_equal(store_port_insert(s, network.id, &port, &err), 0);
	assert_int_equal(store_port_set_state(s, port.id, STORE_READY, &err), 0);
	assert_int_equal(store_network_set_removing(s, network.id, &err), 0);
	struct store_rig_seen seen = store_rig_load(s);
	assert_int_equal(seen.network_state, STORE_REMOVING);
	assert_int_equal(seen.port_state, STORE_REMOVING);
	store_close(s);
}

static void test_full(void **state)
{
	struct store *s = store_rig_open();
	struct network_info network = store_rig_network();
	struct rwy_err err = {0};
	int r = 0;
	assert_int_equal(
		sqlite3_exec(s->db, "PRAGMA max_page_count = 1", NULL, NULL, NULL), SQLITE_OK
	);
	for (int i = 0; i < 1000 && !r; i++) {
		(void)snprintf(network.spec.name, sizeof(network.spec.name), "n%d", i);
		r = store_network_insert(s, &network, &err);
	}
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(err.hint, "free space"));
	int before = store_rig_load(s).networks;
	assert_int_equal(
		sqlite3_exec(s->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL), SQLITE_OK
	);
	assert_int_equal(store_network_insert(s, &network, &err), 0);
	assert_int_equal(store_rig_load(s).networks, before + 1);
	store_close(s);
}

static void test_file_is_gone(void **state)
{
	char away[128];
	struct store *s = store_rig_open();
	struct network_info network = store_rig_network();
	struct rwy_err err = {0};
	(void)snprintf(away, sizeof(away), "%s.away", store_rig_path);
	assert_int_equal(rename(store_rig_path, away), 0);
	assert_int_equal(store_network_insert(s, &network, &err), -ESTALE);
	assert_non_null(strstr(err.msg, "was removed or replaced"));
	assert_int_equal(rename(away, store_rig_path), 0);
	assert_int_equal(store_network_insert(s, &network, &err), 0);
	store_close(s);
}

// A refused database keeps its log, whose changes are not put into it.
static void test_refused_keeps_log(void **state)
{
	char log[128];
	struct stat before, after;
	(void)snprintf(log, sizeof(log), "%s-wal", store_rig_path);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store *s = NULL;
		if (store_open(store_rig_dir, &s, NULL) ||
		    sqlite3_exec(s->db, "PRAGMA user_version = 99", NULL, NULL, NULL))
			_exit(1);
		(void)raise(SIGKILL); // Nothing runs after it.
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(stat(log, &before), 0);
	assert_true(before.st_size > 0);
	expect_refused(-EOPNOTSUPP, "schema version 99");
	assert_int_equal(stat(log, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
}

static void test_refuses_nonsense(void **state)
{
	struct store *s = store_rig_open();
	struct network_info network = store_rig_network();
	struct rwy_err err = {0};
	static const struct store_visit visit = {0}; // Nothing is told of.
	assert_int_equal(store_network_insert(s, &network, &err), 0);
	assert_int_equal(
		sqlite3_exec(s->db, "UPDATE networks SET state = 7", NULL, NULL, NULL), SQLITE_OK
	);
	assert_int_equal(store_load(s, &visit, NULL, &err), -EILSEQ);
	store_close(s);
}

static void test_refuses_damaged(void **state)
{
	_cleanup_close_ int fd = open(store_rig_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char junk[8192];
	memset(junk, 0x5a, sizeof(junk));
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	expect_refused(-EILSEQ, "damaged");
	assert_int_equal(unlink(store_rig_path), 0);

	make_version(store_version);
	fd_close(&fd);
	fd = open(store_rig_path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, 4096, 4096), 4096); // The second page.
	expect_refused(-EILSEQ, "damaged");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_refuses_newer, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(test_locked, store_rig_setup, store_rig_teardown),
		cmocka_unit_test_setup_teardown(
			test_late_deletes, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_removing_is_one, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(test_full, store_rig_setup, store_rig_teardown),
		cmocka_unit_test_setup_teardown(
			test_file_is_gone, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_refused_keeps_log, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_refuses_nonsense, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_refuses_damaged, store_rig_setup, store_rig_teardown
		),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
