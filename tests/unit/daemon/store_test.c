// SPDX-License-Identifier: BSD-3-Clause
// The store: rows come back as they were, migrations lead from every version to the newest, and
// files that are not ours to touch stay as they are.
#include "base/cleanup.h"
#include "daemon/store/migrate.h"
#include "daemon/store/store.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

// Fills a member; what does not fit is cut.
#define SET_TEXT(member, text) ((void)snprintf(member, sizeof(member), "%s", text))

static char dir[64];
static char path[96];

static int setup(void **state)
{
	(void)snprintf(dir, sizeof(dir), "%s", "/tmp/ringway-store-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/ringway.db", dir);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {
		"lock", "ringway.db", "ringway.db-wal", "ringway.db-shm"};
	char name[128];
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static struct store *open_store(void)
{
	struct store *s = NULL;
	struct rwy_err err = {0};
	if (store_open(dir, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

struct seen {
	int networks, ports, containers;
	struct network_info network;
	struct port_info port;
	uint32_t port_network;
	enum store_state network_state, port_state;
	char key[KEY_SIZE];
	int published;
	uint32_t published_port;
	struct port_publish publish; // The last.
};

static int see_published(void *arg, uint32_t port, const struct port_publish *publish)
{
	struct seen *seen = arg;
	seen->published++;
	seen->published_port = port;
	seen->publish = *publish;
	return 0;
}

static int see_network(void *arg, const struct network_info *info, enum store_state row)
{
	struct seen *seen = arg;
	seen->networks++;
	seen->network = *info;
	seen->network_state = row;
	return 0;
}

static int see_port(void *arg, uint32_t network, const struct port_info *info, enum store_state row)
{
	struct seen *seen = arg;
	seen->ports++;
	seen->port = *info;
	seen->port_network = network;
	seen->port_state = row;
	return 0;
}

static int see_container(void *arg, const struct container_info *info)
{
	struct seen *seen = arg;
	seen->containers++;
	SET_TEXT(seen->key, info->key);
	return 0;
}

static struct seen load(struct store *s)
{
	static const struct store_visit visit = {
		see_network, see_port, see_container, see_published};
	struct seen seen = {0};
	struct rwy_err err = {0};
	if (store_load(s, &visit, &seen, &err))
		fail_msg("%s", err.msg);
	return seen;
}

static struct network_info sample_network(void)
{
	return (struct network_info){
		.spec =
			{.name = "fast",
			 .subnet = "10.0.0.0/24",
			 .gateway = "10.0.0.1",
			 .subnet6 = "fd00::/64",
			 .gateway6 = "fd00::1",
			 .ip_range = "10.0.0.128/25",
			 .aux = "router=10.0.0.5",
			 .mtu = 9000,
			 .internal = true,
			 .proxy_neighbors = true,
			 .no_gateway = true,
			 .vlan = 7,
			 .uplink = "xdp:eth1",
			 .docker = true},
		.created = 1234567890123,
	};
}

static struct port_info sample_port(void)
{
	return (struct port_info){
		.spec =
			{.name = "p",
			 .attach = "vhost",
			 .mac = {2, 0, 0, 0, 0, 0xfe},
			 .ip = "10.0.0.2/24",
			 .ip6 = "fd00::2/64",
			 .pin_address = true,
			 .of_network = true,
			 .netns = "/proc/7/ns/net",
			 .ifname = "eth1",
			 .device = "net_pcap0",
			 .vlan = 4094,
			 .queues = 4,
			 .learning = true,
			 .allow_spoof = true,
			 .no_offloads = true,
			 .limits =
				 {.rx_bps = 1,
				  .rx_burst = 2,
				  .rx_fps = 3,
				  .rx_frame_burst = 4,
				  .tx_bps = 10000000000000,
				  .tx_burst = 6,
				  .tx_fps = 7,
				  .tx_frame_burst = 8,
				  .flood_fps = 9,
				  .flood_burst = 10},
			 .endpoint_id = "ep",
			 .key = "0123456789abcdef",
			 .index = 3},
		.netns_inode = 4026532000,
		.created = 5,
	};
}

static void test_rows_come_back(void **state)
{
	struct store *s = open_store();
	struct network_info network = sample_network();
	struct port_info port = sample_port();
	struct container_info container = {.key = "0123456789abcdef", .created = 7};
	assert_int_equal(store_network_insert(s, &network, NULL), 0);
	assert_int_equal(store_container_insert(s, &container, NULL), 0);
	assert_int_equal(store_port_insert(s, network.id, &port, NULL), 0);
	assert_int_equal(store_network_update(s, &network, STORE_READY, NULL), 0);
	assert_int_equal(store_port_set_sandbox(s, port.id, "/ns", true, NULL), 0);
	store_close(s);

	s = open_store();
	struct seen seen = load(s);
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

	s = open_store();
	seen = load(s);
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
	struct store *s = open_store();
	struct network_info network = sample_network();
	struct port_info port = sample_port();
	port.spec.key[0] = '\0';
	assert_int_equal(store_network_insert(s, &network, NULL), 0);
	assert_int_equal(store_port_insert(s, network.id, &port, NULL), 0);
	assert_int_equal(store_port_set_published(s, port.id, list, 2, NULL), 0);
	// Without a port there is nothing to write, and what was written before stays.
	assert_int_equal(store_port_set_published(s, 77, list, 1, NULL), -EEXIST);
	store_close(s);

	s = open_store();
	struct seen seen = load(s);
	assert_int_equal(seen.published, 2);
	assert_int_equal(seen.published_port, port.id);
	assert_memory_equal(&seen.publish, &list[1], sizeof(list[1]));
	assert_int_equal(store_port_set_published(s, port.id, list, 1, NULL), 0);
	seen = load(s);
	assert_int_equal(seen.published, 1);
	assert_memory_equal(&seen.publish, &list[0], sizeof(list[0]));
	assert_int_equal(store_port_set_name(s, port.id, "q", NULL), 0);
	assert_string_equal(load(s).port.spec.name, "q");
	assert_int_equal(store_port_delete(s, port.id, NULL), 0); // And what it published.
	assert_int_equal(load(s).published, 0);
	store_close(s);
}

static void test_ids_never_come_back(void **state)
{
	struct store *s = open_store();
	struct network_info first = sample_network();
	struct network_info second = sample_network();
	assert_int_equal(store_network_insert(s, &first, NULL), 0);
	assert_int_equal(store_network_delete(s, first.id, NULL), 0);
	assert_int_equal(store_network_insert(s, &second, NULL), 0);
	assert_true(second.id > first.id);
	store_close(s);
}

static void test_constraints(void **state)
{
	struct store *s = open_store();
	struct rwy_err err = {0};
	struct network_info network = sample_network();
	struct port_info port = sample_port();
	port.spec.key[0] = '\0';
	assert_int_equal(store_port_insert(s, 77, &port, &err), -EEXIST); // No such network.
	assert_int_equal(store_network_insert(s, &network, NULL), 0);
	assert_int_equal(store_network_insert(s, &network, &err), -EEXIST); // The name.
	assert_int_equal(store_port_insert(s, network.id, &port, NULL), 0);
	SET_TEXT(port.spec.name, "q");
	SET_TEXT(port.spec.endpoint_id, "");
	assert_int_equal(store_port_insert(s, network.id, &port, &err), -EEXIST); // The MAC.
	assert_int_equal(store_network_delete(s, network.id, &err), -EEXIST);	  // Has a port.
	store_close(s);
}

// A ringwayd that dies between intent and act leaves the row as it was meant.
static void test_crash_keeps_intent(void **state)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store *s = NULL;
		struct network_info network = sample_network();
		if (store_open(dir, &s, NULL) || store_network_insert(s, &network, NULL))
			_exit(1);
		(void)raise(SIGKILL); // Nothing runs after it.
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	struct store *s = open_store();
	struct seen seen = load(s);
	assert_int_equal(seen.networks, 1);
	assert_int_equal(seen.network_state, STORE_CREATING);
	store_close(s);
}

static void test_second_is_refused(void **state)
{
	struct store *s = open_store();
	struct store *other = NULL;
	struct rwy_err err = {0};
	assert_int_equal(store_open(dir, &other, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "another ringwayd is running"));
	assert_null(other);
	store_close(s);
	store_close(open_store());
}

// Makes a database as a ringwayd of an earlier version left it.
static void make_version(int version)
{
	sqlite3 *db = NULL;
	struct rwy_err err = {0};
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (store_migrate(db, version, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_migrates_from_each(void **state)
{
	for (int version = 0; version <= store_version; version++) {
		make_version(version);
		struct store *s = open_store();
		struct network_info network = sample_network();
		assert_int_equal(store_network_insert(s, &network, NULL), 0);
		assert_int_equal(load(s).networks, 1);
		store_close(s);
		assert_int_equal(unlink(path), 0);
	}
}

// A port of version 1, which had neither limits nor a choice of offloads.
static void test_migrates_ports(void **state)
{
	sqlite3 *db = NULL;
	make_version(1);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
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
	struct store *s = open_store();
	struct seen seen = load(s);
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

// Version 2 had one column for the addresses of either family, and limits.
static void test_migrates_families(void **state)
{
	sqlite3 *db = NULL;
	make_version(2);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
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
	struct store *s = open_store();
	struct seen seen = load(s);
	assert_int_equal(seen.networks, 2);
	assert_int_equal(seen.ports, 2);
	assert_string_equal(seen.network.spec.subnet, "");
	assert_string_equal(seen.network.spec.gateway, "");
	assert_string_equal(seen.network.spec.subnet6, "fd00::/64");
	assert_string_equal(seen.network.spec.gateway6, "fd00::1");
	assert_int_equal(seen.network.spec.mtu, 9000);
	assert_false(seen.network.spec.internal || seen.network.spec.no_gateway);
	assert_string_equal(seen.port.spec.ip, "");
	assert_string_equal(seen.port.spec.ip6, "fd00::2/64");
	assert_int_equal(seen.port.spec.limits.rx_bps, 6);
	assert_false(seen.port.spec.of_network);
	assert_int_equal(store_port_delete(s, seen.port.id, NULL), 0);
	assert_int_equal(store_network_delete(s, seen.network.id, NULL), 0);
	seen = load(s);
	assert_string_equal(seen.network.spec.subnet, "10.0.0.0/24");
	assert_string_equal(seen.network.spec.gateway, "10.0.0.1");
	assert_string_equal(seen.network.spec.subnet6, "");
	assert_string_equal(seen.port.spec.ip, "10.0.0.2/24");
	assert_int_equal(seen.port.spec.limits.rx_bps, 5);
	assert_int_equal(seen.published, 0);
	store_close(s);
}

static size_t read_file(char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
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
	assert_int_equal(store_open(dir, &s, &err), code);
	if (!strstr(err.msg, why) || !strstr(err.msg, path))
		fail_msg("'%s' is not in '%s'", why, err.msg);
	assert_int_equal(read_file(after, sizeof(after)), size);
	assert_memory_equal(before, after, size);
}

static void test_refuses_newer(void **state)
{
	make_version(store_version);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	expect_refused(-EOPNOTSUPP, "schema version 99");
}

static void test_refuses_damaged(void **state)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char junk[8192];
	memset(junk, 0x5a, sizeof(junk));
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	expect_refused(-EILSEQ, "damaged");
	assert_int_equal(unlink(path), 0);

	make_version(store_version);
	fd_close(&fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, 4096, 4096), 4096); // The second page.
	expect_refused(-EILSEQ, "damaged");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_published_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ids_never_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_constraints, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_keeps_intent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_migrates_from_each, setup, teardown),
		cmocka_unit_test_setup_teardown(test_migrates_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_migrates_families, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_newer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_damaged, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
