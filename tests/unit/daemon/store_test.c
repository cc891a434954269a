// SPDX-License-Identifier: BSD-3-Clause
// The store: rows come back as they were, and migrations lead from every version to the newest.
#include "daemon/store/migrate.h"
#include "daemon/store/store.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/store_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void test_rows_come_back(void **state)
{
	struct store *s = store_rig_open();
	struct network_info network = store_rig_network();
	struct port_info port = store_rig_port();
	struct container_info container = {.key = "0123456789abcdef", .created = 7};
	assert_int_equal(store_network_insert(s, &network, NULL), 0);
	assert_int_equal(store_container_insert(s, &container, NULL), 0);
	assert_int_equal(store_port_insert(s, network.id, &port, NULL), 0);
	assert_int_equal(store_network_update(s, &network, STORE_READY, NULL), 0);
	assert_int_equal(store_port_set_sandbox(s, port.id, "/ns", true, NULL), 0);
	store_close(s);

	s = store_rig_open();
	struct store_rig_seen seen = store_rig_load(s);
	assert_int_equal(seen.networks, 1);
	assert_int_equal(seen.ports, 1);
	assert_int_equal(seen.containers, 1);
	assert_memory_equal(&seen.network, &network, sizeof(network));
	SET_TEXT(port.sandbox, "/ns");
	port.sandbox_seen = true;
	assert_memory_equal(&seen.port, &port, sizeof(port));
	assert_int_equal(seen.port_network, network.id);
	assert_int_equal(seen.network_state, STORE_READY);
	assert_int_equal(seen.port_state, STORE_CREATING);
	const struct port_limits limits = {.tx_fps = 5, .flood_burst = 6};
	assert_int_equal(store_port_set_limits(s, port.id, &limits, NULL), 0);
	store_close(s);

	s = store_rig_open();
	seen = store_rig_load(s);
	assert_memory_equal(&seen.port.spec.limits, &limits, sizeof(limits));
	assert_true(seen.port.spec.no_offloads);
	store_close(s);
}

static void test_published_come_back(void **state)
{
	const struct port_publish list[] = {
		{.proto = 6,
		 .host_ip = "127.0.0.1",
		 .host_port = 8080,
		 .container_port = 80,
		 .bound = 8080},
		{.proto = 17,
		 .host_port = 9000,
		 .host_port_end = 65535,
		 .container_port = 53,
		 .bound = 9001},
	};
	struct store *s = store_rig_open();
	struct network_info network = store_rig_network();
	struct port_info port = store_rig_port();
	port.spec.key[0] = '\0';
	assert_int_equal(store_network_insert(s, &network, NULL), 0);
	assert_int_equal(store_port_insert(s, network.id, &port, NULL), 0);
	assert_int_equal(store_port_set_published(s, port.id, list, 2, NULL), 0);
	// Without a port there is nothing to write, and what was written before stays.
	assert_int_equal(store_port_set_published(s, 77, list, 1, NULL), -EEXIST);
	store_close(s);

	s = store_rig_open();
	struct store_rig_seen seen = store_rig_load(s);
	assert_int_equal(seen.published, 2);
	assert_int_equal(seen.published_port, port.id);
	assert_memory_equal(&seen.publish, &list[1], sizeof(list[1]));
	assert_int_equal(store_port_set_published(s, port.id, list, 1, NULL), 0);
	seen = store_rig_load(s);
	assert_int_equal(seen.published, 1);
	assert_memory_equal(&seen.publish, &list[0], sizeof(list[0]));
	assert_int_equal(store_port_set_name(s, port.id, "q", NULL), 0);
	assert_string_equal(store_rig_load(s).port.spec.name, "q");
	store_port_delete(s, port.id); // And what it published.
	assert_int_equal(store_rig_load(s).published, 0);
	store_close(s);
}

static void test_functions_come_back(void **state)
{
	struct store *s = store_rig_open();
	struct network_info network = store_rig_network();
	const struct store_parent parent = {"0000:03:00.0", 1, 4};
	assert_int_equal(store_network_insert(s, &network, NULL), 0);
	assert_int_equal(store_parent_put(s, &parent, NULL), 0);
	struct store_function list[2] = {
		store_rig_function(network.id), store_rig_function(network.id)};
	SET_TEXT(list[1].address, "0000:03:10.3");
	list[1].number = 4;
	list[1].before = (struct function_attributes){.mac_none = true, .vlan = -1};
	assert_int_equal(store_functions_put(s, list, 2, NULL), 0);
	store_close(s);

	s = store_rig_open();
	struct store_rig_seen seen = store_rig_load(s);
	assert_int_equal(seen.functions, 2);
	assert_memory_equal(&seen.function, &list[1], sizeof(list[1]));
	assert_int_equal(seen.parents, 1);
	assert_string_equal(seen.parent.pf, parent.pf);
	assert_int_equal(seen.parent.vfs_before, 1);
	assert_int_equal(seen.parent.vfs, 4);
	store_function_delete(s, list[1].address);
	seen = store_rig_load(s);
	assert_memory_equal(&seen.function, &list[0], sizeof(list[0]));
	list[0].state = FUNCTION_RETURNING;
	list[0].noted = false;
	store_function_put_surely(s, &list[0]);
	seen = store_rig_load(s);
	assert_int_equal(seen.functions, 1);
	assert_memory_equal(&seen.function, &list[0], sizeof(list[0]));
	// An uplink's has no network, and stays when one goes.
	list[1].network = 0;
	assert_int_equal(store_functions_put(s, &list[1], 1, NULL), 0);
	store_network_delete(s, network.id);
	store_parent_delete(s, parent.pf);
	seen = store_rig_load(s);
	assert_int_equal(seen.functions, 1);
	assert_memory_equal(&seen.function, &list[1], sizeof(list[1]));
	assert_int_equal(seen.parents, 0);
	store_close(s);
}

// A port and its function's intent are one transaction, at either end.
static void test_port_with_function(void **state)
{
	struct store *s = store_rig_open();
	struct rwy_err err = {0};
	struct network_info network = store_rig_network();
	struct port_info port = store_rig_port();
	struct port_info other = store_rig_port();
	port.spec.key[0] = port.with[0] = '\0';
	assert_int_equal(store_network_insert(s, &network, NULL), 0);
	struct store_function function = store_rig_function(network.id);
	function.state = FUNCTION_FREE;
	function.port = 0;
	assert_int_equal(store_port_insert_taking(s, network.id, &port, &function, &err), 0);
	assert_int_equal(function.port, port.id);
	assert_int_equal(function.state, FUNCTION_TAKING);
	struct store_rig_seen seen = store_rig_load(s);
	assert_memory_equal(&seen.function, &function, sizeof(function));
	assert_int_equal(seen.port_state, STORE_CREATING);
	// Refused as a whole: the name is taken.
	struct store_function second = store_rig_function(network.id);
	SET_TEXT(second.address, "0000:03:10.3");
	assert_int_equal(store_port_insert_taking(s, network.id, &other, &second, &err), -EEXIST);
	assert_int_equal(second.state, FUNCTION_TAKEN);
	assert_int_equal(store_rig_load(s).functions, 1);

	// The one that was made with it goes along.
	SET_TEXT(other.spec.name, "p.1");
	SET_TEXT(other.spec.endpoint_id, "");
	SET_TEXT(other.with, "p");
	other.spec.key[0] = '\0';
	other.spec.mac[5] = 1;
	assert_int_equal(store_port_insert_taking(s, network.id, &other, &second, &err), 0);
	assert_int_equal(store_port_set_ready(s, "p", &err), 0);
	seen = store_rig_load(s);
	assert_string_equal(seen.port.with, "p");
	assert_int_equal(seen.port_state, STORE_READY);
	assert_int_equal(store_port_set_removing(s, "p", &err), 0);
	seen = store_rig_load(s);
	assert_int_equal(seen.port_state, STORE_REMOVING);
	assert_int_equal(seen.function.state, FUNCTION_RETURNING);
	assert_int_equal(seen.function.port, 0);
	assert_string_equal(seen.function.interface, "eth5"); // What the host had stays.
	store_function_delete(s, second.address);
	assert_int_equal(store_rig_load(s).function.state, FUNCTION_RETURNING);
	store_close(s);
}

static void test_ids_never_come_back(void **state)
{
	struct store *s = store_rig_open();
	struct network_info first = store_rig_network();
	struct network_info second = store_rig_network();
	assert_int_equal(store_network_insert(s, &first, NULL), 0);
	store_network_delete(s, first.id);
	assert_int_equal(store_network_insert(s, &second, NULL), 0);
	assert_true(second.id > first.id);
	store_close(s);
}

static void test_constraints(void **state)
{
	struct store *s = store_rig_open();
	struct rwy_err err = {0};
	struct network_info network = store_rig_network();
	struct port_info port = store_rig_port();
	port.spec.key[0] = '\0';
	assert_int_equal(store_port_insert(s, 77, &port, &err), -EEXIST); // No such network.
	assert_int_equal(store_network_insert(s, &network, NULL), 0);
	assert_int_equal(store_network_insert(s, &network, &err), -EEXIST); // The name.
	assert_int_equal(store_port_insert(s, network.id, &port, NULL), 0);
	SET_TEXT(port.spec.name, "q");
	SET_TEXT(port.spec.endpoint_id, "");
	assert_int_equal(store_port_insert(s, network.id, &port, &err), -EEXIST); // The MAC.
	store_network_delete(s, network.id); // It has a port: refused, and said in the log.
	assert_int_equal(store_rig_load(s).networks, 1);
	store_close(s);
}

// A ringwayd that dies between intent and act leaves the row as it was meant.
static void test_crash_keeps_intent(void **state)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store *s = NULL;
		struct network_info network = store_rig_network();
		if (store_open(store_rig_dir, &s, NULL) || store_network_insert(s, &network, NULL))
			_exit(1);
		(void)raise(SIGKILL); // Nothing runs after it.
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	struct store *s = store_rig_open();
	struct store_rig_seen seen = store_rig_load(s);
	assert_int_equal(seen.networks, 1);
	assert_int_equal(seen.network_state, STORE_CREATING);
	store_close(s);
}

static void test_second_is_refused(void **state)
{
	struct store *s = store_rig_open();
	struct store *other = NULL;
	struct rwy_err err = {0};
	assert_int_equal(store_open(store_rig_dir, &other, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "another ringwayd is running"));
	assert_null(other);
	store_close(s);
	store_close(store_rig_open());
}

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

static void test_migrates_from_each(void **state)
{
	for (int version = 0; version <= store_version; version++) {
		make_version(version);
		struct store *s = store_rig_open();
		struct network_info network = store_rig_network();
		assert_int_equal(store_network_insert(s, &network, NULL), 0);
		assert_int_equal(store_rig_load(s).networks, 1);
		store_close(s);
		assert_int_equal(unlink(store_rig_path), 0);
	}
}

// A port of version 1, which had neither limits nor a choice of offloads.
static void test_migrates_ports(void **state)
{
	sqlite3 *db = NULL;
	make_version(1);
	assert_int_equal(sqlite3_open(store_rig_path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(
			db,
			"INSERT INTO networks (name, mtu, docker, created, state) VALUES ('n', 1500, 0, 1, 1);"
			"INSERT INTO ports (name, network, attach, mac, ip, queues, learning, place, sandbox_seen,"
			" created, state) VALUES ('p', 1, 'vhost', '02:00:00:00:00:07', '10.0.0.2/24', 4, 1, 0, 1,"
			" 9, 1)",
			NULL,
			NULL,
			NULL
		),
		SQLITE_OK
	);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	struct store *s = store_rig_open();
	struct store_rig_seen seen = store_rig_load(s);
	const struct port_limits none = {0};
	assert_int_equal(seen.ports, 1);
	assert_string_equal(seen.port.spec.name, "p");
	assert_string_equal(seen.port.spec.ip, "10.0.0.2/24");
	assert_int_equal(seen.port.spec.queues, 4);
	assert_true(seen.port.spec.learning);
	assert_true(seen.port.sandbox_seen);
	assert_int_equal(seen.port.created, 9);
	assert_int_equal(seen.port_state, STORE_READY);
	assert_false(seen.port.spec.no_offloads);
	assert_memory_equal(&seen.port.spec.limits, &none, sizeof(none));
	store_close(s);
}

// Ports of version 3 keep the checks that they were made with.
static void test_migrates_checks(void **state)
{
	sqlite3 *db = NULL;
	make_version(3);
	assert_int_equal(sqlite3_open(store_rig_path, &db), SQLITE_OK);
	for (int pins = 0; pins < 2; pins++) {
		char text[512];
		(void)snprintf(
			text,
			sizeof(text),
			"INSERT OR IGNORE INTO networks (id, name, mtu, docker, created, state)"
			" VALUES (1, 'n', 1500, 0, 1, 1); DELETE FROM ports;"
			"INSERT INTO ports (name, network, attach, mac, ip, queues, learning, place,"
			" sandbox_seen, created, state, pin_address, flood_burst) VALUES"
			" ('a', 1, 'kernel', '02:00:00:00:00:07', '10.0.0.2/24', 1, 0, 0, 1, 9, 1, %d, 8)",
			pins
		);
		if (pins)
			assert_int_equal(sqlite3_open(store_rig_path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		struct store *s = store_rig_open();
		struct store_rig_seen seen = store_rig_load(s);
		assert_int_equal(seen.ports, 1);
		assert_int_equal(seen.port.spec.pin_address, pins);
		assert_false(seen.port.spec.allow_spoof);
		assert_int_equal(seen.port.spec.limits.flood_burst, 8);
		store_close(s);
	}
}

// Version 2 had one column for the addresses of either family, and limits.
static void test_migrates_families(void **state)
{
	sqlite3 *db = NULL;
	make_version(2);
	assert_int_equal(sqlite3_open(store_rig_path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(
			db,
			"INSERT INTO networks (name, subnet, gateway, mtu, docker, created, state) VALUES"
			" ('four', '10.0.0.0/24', '10.0.0.1', 1500, 0, 1, 1),"
			" ('six', 'fd00::/64', 'fd00::1', 9000, 1, 1, 1);"
			"INSERT INTO ports (name, network, attach, mac, ip, queues, learning, place, sandbox_seen,"
			" created, state, rx_bps) VALUES"
			" ('a', 1, 'vhost', '02:00:00:00:00:07', '10.0.0.2/24', 4, 1, 0, 1, 9, 1, 5),"
			" ('b', 2, 'vhost', '02:00:00:00:00:07', 'fd00::2/64', 4, 1, 0, 1, 9, 1, 6)",
			NULL,
			NULL,
			NULL
		),
		SQLITE_OK
	);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	struct store *s = store_rig_open();
	struct store_rig_seen seen = store_rig_load(s);
	assert_int_equal(seen.networks, 2);
	assert_int_equal(seen.ports, 2);
	assert_string_equal(seen.network.spec.subnet, "");
	assert_string_equal(seen.network.spec.gateway, "");
	assert_string_equal(seen.network.spec.subnet6, "fd00::/64");
	assert_string_equal(seen.network.spec.gateway6, "fd00::1");
	assert_int_equal(seen.network.spec.mtu, 9000);
	assert_false(seen.network.spec.internal || seen.network.spec.no_gateway);
	// Networks of before are of the switch, and have no functions.
	const struct network_functions none = NETWORK_FUNCTIONS_NONE;
	assert_string_equal(seen.network.spec.driver, "");
	assert_memory_equal(&seen.network.spec.functions, &none, sizeof(none));
	assert_string_equal(seen.port.with, "");
	assert_int_equal(seen.port.spec.vfs, 0);
	assert_string_equal(seen.port.spec.ip, "");
	assert_string_equal(seen.port.spec.ip6, "fd00::2/64");
	assert_int_equal(seen.port.spec.limits.rx_bps, 6);
	assert_false(seen.port.spec.of_network);
	store_port_delete(s, seen.port.id);
	store_network_delete(s, seen.network.id);
	seen = store_rig_load(s);
	assert_string_equal(seen.network.spec.subnet, "10.0.0.0/24");
	assert_string_equal(seen.network.spec.gateway, "10.0.0.1");
	assert_string_equal(seen.network.spec.subnet6, "");
	assert_string_equal(seen.port.spec.ip, "10.0.0.2/24");
	assert_int_equal(seen.port.spec.limits.rx_bps, 5);
	assert_int_equal(seen.published, 0);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_rows_come_back, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_published_come_back, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_functions_come_back, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_port_with_function, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_ids_never_come_back, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_constraints, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_crash_keeps_intent, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_second_is_refused, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_migrates_from_each, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_migrates_ports, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_migrates_families, store_rig_setup, store_rig_teardown
		),
		cmocka_unit_test_setup_teardown(
			test_migrates_checks, store_rig_setup, store_rig_teardown
		),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
