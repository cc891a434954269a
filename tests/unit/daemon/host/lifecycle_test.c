// SPDX-License-Identifier: BSD-3-Clause
// What stays, what is found again, and what is left behind. As root.
#include "tests/lib/unit.h"
#include "tests/unit/daemon/host/rig.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rig rig;

static int setup(void **state)
{
	rig_make(&rig);
	return 0;
}

static int teardown(void **state)
{
	rig_remove(&rig);
	return 0;
}

static void expect_frame(unsigned int from, unsigned int to, uint8_t mark)
{
	struct rig_frame frame, got;
	uint8_t mac[2][MAC_SIZE];
	rig_mac(from, mac[0]);
	rig_mac(to, mac[1]);
	rig_build(&frame, mac[1], mac[0], mark);
	rig_send(&rig, from, &frame);
	rig_receive(&rig, to, RIG_TYPE, &got);
	assert_int_equal(got.bytes[59], mark);
}

static void expect_ids(const uint32_t *ids, size_t count)
{
	struct rwy_err err = {0};
	uint32_t *got = NULL;
	size_t got_count = 0;
	assert_int_equal(host_list_ports(rig.host, &got, &got_count, &err), 0);
	assert_int_equal(got_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(got[i], ids[i]);
	free(got);
	assert_int_equal(host_list_networks(rig.host, &got, &got_count, &err), 0);
	assert_int_equal(got_count, 1);
	assert_int_equal(got[0], RIG_NETWORK);
	free(got);
}

static void test_goes_on(void **state)
{
	struct rwy_err err = {0};
	const uint32_t ids[] = {10, 11};
	rig_add_all(&rig, 2);
	rig_open_trunk(&rig, 2);
	expect_frame(0, 1, 1);
	rig_reopen(&rig);
	expect_ids(ids, 2);
	expect_frame(1, 0, 2);
	assert_int_equal(rig_counters(&rig, 0).rx_frames, 1);
	assert_int_equal(rig_counters(&rig, 0).tx_frames, 1);
	// Added again as they were: the same, by programs of the new process.
	const struct host_network network = {.id = RIG_NETWORK, .mtu = 1500};
	assert_int_equal(host_network_add(rig.host, &network, &err), 0);
	for (unsigned int i = 0; i < 2; i++) {
		struct host_port port = rig_port(i);
		assert_int_equal(host_port_add(rig.host, &port, &err), 0);
		assert_true(host_port_exists(rig.host, port.id));
		assert_true(host_port_is_up(rig.host, port.id));
	}
	expect_ids(ids, 2);
	expect_frame(0, 1, 3);
	assert_int_equal(rig_counters(&rig, 0).rx_frames, 2);
	// The trunk's queues, opened anew.
	for (int i = 0; i < 2; i++) {
		assert_int_equal(close(rig.trunk[i]), 0);
		rig.trunk[i] = -1;
	}
	rig_open_trunk(&rig, 1);
	assert_int_equal(rig_count(&rig, 1, 1), 0);
}

static void test_pins_are_gone(void **state)
{
	struct rwy_err err = {0};
	char path[96];
	const struct host_network network = {.id = RIG_NETWORK, .mtu = 1500};
	rig_add_all(&rig, 2);
	rig_open_trunk(&rig, 1);
	(void)snprintf(path, sizeof(path), "%s/bpf", rig.run_dir);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
	rig_reopen(&rig);
	const uint32_t ids[] = {10, 11};
	expect_ids(ids, 2);
	expect_frame(0, 1, 1); // By the maps that nobody can name any more.
	assert_int_equal(close(rig.trunk[0]), 0);
	rig.trunk[0] = -1;
	assert_int_equal(host_network_add(rig.host, &network, &err), 0);
	for (unsigned int i = 0; i < 2; i++) {
		struct host_port port = rig_port(i);
		assert_int_equal(host_port_add(rig.host, &port, &err), 0);
	}
	rig_open_trunk(&rig, 1);
	expect_frame(0, 1, 2);
	assert_int_equal(rig_counters(&rig, 0).rx_frames, 1);
	assert_int_equal(rig_count(&rig, 0, 2), 0);
}

// A namespace that ends takes the pair along.
static void test_container_is_gone(void **state)
{
	rig_add_all(&rig, 2);
	expect_frame(0, 1, 1);
	assert_int_equal(close(rig.socket[1]), 0);
	rig.socket[1] = -1;
	assert_int_equal(close(rig.netns[1]), 0);
	// The kernel takes namespaces down in its own time.
	for (int i = 0; i < 5000 && host_port_exists(rig.host, 11); i++)
		(void)usleep(1000);
	assert_false(host_port_exists(rig.host, 11));
	assert_false(host_port_is_up(rig.host, 11));
	rig.netns[1] = dup(rig.netns[3]);
	rig_reopen(&rig);
	struct host_port port = rig_port(1);
	rig_add(&rig, 1, &port, NULL);
	expect_frame(0, 1, 2);
	assert_int_equal(rig_counters(&rig, 1).tx_frames, 2);
}

static void test_conflicts(void **state)
{
	struct rwy_err err = {0};
	const uint32_t ids[] = {10};
	struct host_port port = rig_port(1);
	rig_add_all(&rig, 1);
	rig_mac(0, port.mac);
	assert_int_equal(host_port_add(rig.host, &port, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "MAC address"));
	port = rig_port(1);
	strcpy(port.peer, "lo");
	assert_int_equal(host_port_add(rig.host, &port, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "'lo'"));
	port = rig_port(1);
	port.network = 99;
	assert_int_equal(host_port_add(rig.host, &port, &err), -ENOENT);
	port = rig_port(1);
	strcpy(port.pin_ip, "10.9.0");
	assert_int_equal(host_port_add(rig.host, &port, &err), -EINVAL);
	expect_ids(ids, 1);
	assert_int_equal(host_network_remove(rig.host, RIG_NETWORK, &err), -EBUSY);
	assert_int_equal(host_port_remove(rig.host, 11, &err), 0);
	assert_int_equal(host_port_remove(rig.host, 10, &err), 0);
	assert_int_equal(host_port_remove(rig.host, 10, &err), 0);
	struct host_counters counters;
	assert_int_equal(host_port_counters(rig.host, 10, &counters, &err), -ENOENT);
	assert_int_equal(host_network_remove(rig.host, RIG_NETWORK, &err), 0);
	assert_int_equal(host_network_remove(rig.host, RIG_NETWORK, &err), 0);
	assert_int_equal(close(rig.socket[0]), 0);
	rig.socket[0] = -1;
}

static void interface_address(const char *name, unsigned long what, struct ifreq *ret)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memset(ret, 0, sizeof(*ret));
	(void)snprintf(ret->ifr_name, sizeof(ret->ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, what, ret), 0);
	assert_int_equal(close(fd), 0);
}

// How often the text is in a file of the calling thread's namespace.
static int lines_with(const char *path, const char *text)
{
	char line[512];
	int count = 0;
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, text) != NULL;
	assert_int_equal(fclose(file), 0);
	return count;
}

// The gateway's far end: in the host's namespace, named, addressed, up; and again what it is already.
static void test_gateway(void **state)
{
	struct rwy_err err = {0};
	struct host_port port = rig_port(1);
	struct host_inside inside = {
		.netns_fd = -1,
		.name = "rwg7",
		.address = {"10.9.0.1/24", "fd09::1/64"},
		.up = true};
	struct ifreq request;
	assert_int_equal(host_port_add(rig.host, &port, &err), 0);
	assert_false(host_port_is_up(rig.host, port.id));
	for (int i = 0; i < 2; i++)
		assert_int_equal(host_port_place(rig.host, port.id, &inside, &err), 0);
	rig_await_up(&rig, port.id);
	interface_address("rwg7", SIOCGIFADDR, &request);
	const struct sockaddr_in *address = (const struct sockaddr_in *)&request.ifr_addr;
	assert_int_equal(ntohl(address->sin_addr.s_addr), 0x0a090001);
	assert_int_equal(
		lines_with("/proc/thread-self/net/if_inet6", "fd090000000000000000000000000001"), 1
	);
	interface_address("rwg7", SIOCGIFHWADDR, &request);
	assert_memory_equal(request.ifr_hwaddr.sa_data, port.mac, MAC_SIZE);
	assert_int_equal(host_network_set_mtu(rig.host, RIG_NETWORK, 9000, &err), 0);
	interface_address("rwg7", SIOCGIFMTU, &request);
	assert_int_equal(request.ifr_mtu, 9000);
}

static void test_place(void **state)
{
	struct rwy_err err = {0};
	struct host_port port = rig_port(2);
	struct host_inside inside = {
		.netns_fd = rig.netns[2],
		.name = "net0",
		.address = {"10.9.0.2/24", "fd09::2/64"},
		.gateway = {"10.9.0.1", "fd09::1"},
		.up = true,
	};
	assert_int_equal(host_port_place(rig.host, port.id, &inside, &err), -ENOENT);
	assert_int_equal(host_port_add(rig.host, &port, &err), 0);
	strcpy(inside.name, "lo");
	assert_int_equal(host_port_place(rig.host, port.id, &inside, &err), -EEXIST);
	assert_string_equal(err.msg, "the network namespace has an interface 'lo' already");
	strcpy(inside.name, "net0");
	for (int i = 0; i < 2; i++)
		assert_int_equal(host_port_place(rig.host, port.id, &inside, &err), 0);
	rig_go(&rig, 2);
	int default_routes = lines_with("/proc/thread-self/net/route", "net0\t00000000\t0100090A");
	int default_routes6 = lines_with(
		"/proc/thread-self/net/ipv6_route",
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"fd090000000000000000000000000001"
	);
	rig_return();
	assert_int_equal(default_routes, 1);
	assert_int_equal(default_routes6, 1);
	// Another place is none of ours to take it from.
	inside.netns_fd = rig.netns[3];
	assert_int_equal(host_port_place(rig.host, port.id, &inside, &err), -ENOENT);
	strcpy(inside.address[0], "nonsense");
	inside.netns_fd = rig.netns[2];
	assert_true(host_port_place(rig.host, port.id, &inside, &err) < 0);
	assert_non_null(strstr(err.msg, "nonsense"));
}

// More ports than one list has places.
#define MANY 70

static void test_many(void **state)
{
	struct rwy_err err = {0};
	struct rig_frame frame;
	uint8_t mac[MAC_SIZE];
	rig_add_all(&rig, 1);
	for (unsigned int i = 1; i < MANY; i++) {
		struct host_port port = rig_port(i);
		struct host_inside inside = {.netns_fd = rig.netns[1], .up = true};
		(void)snprintf(inside.name, sizeof(inside.name), "e%u", i);
		assert_int_equal(host_port_add(rig.host, &port, &err), 0);
		assert_int_equal(host_port_place(rig.host, port.id, &inside, &err), 0);
		rig_await_up(&rig, port.id);
	}
	rig_mac(0, mac);
	rig_build(&frame, NULL, mac, 1);
	rig_send(&rig, 0, &frame);
	for (unsigned int i = 1; i < MANY; i++)
		assert_int_equal(rig_counters(&rig, i).tx_frames, 1);
	assert_int_equal(rig_counters(&rig, 0).tx_frames, 0);
	for (unsigned int i = 0; i < MANY - 1; i++)
		assert_int_equal(host_port_remove(rig.host, 10 + i, &err), 0);
	const uint32_t last[] = {10 + MANY - 1};
	expect_ids(last, 1);
	assert_int_equal(close(rig.socket[0]), 0);
	rig.socket[0] = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pins_are_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_container_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conflicts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gateway, setup, teardown),
		cmocka_unit_test_setup_teardown(test_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};
	const char *reason = rig_enter();
	if (reason) {
		print_message("skipped: %s\n", reason);
		return 77; // meson: skipped.
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
