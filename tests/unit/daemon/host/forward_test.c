// SPDX-License-Identifier: BSD-3-Clause
// How frames go between kernel ports and the trunk, what is dropped, and what is counted. As root.
#include "tests/lib/unit.h"
#include "tests/unit/daemon/host/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

static const uint8_t stranger[MAC_SIZE] = {2, 0, 0, 0, 0x20, 1};

static void test_unicast(void **state)
{
	struct rig_frame frame, got;
	uint8_t mac[3][MAC_SIZE];
	for (unsigned int i = 0; i < 3; i++)
		rig_mac(i, mac[i]);
	rig_add_all(&rig, 3);
	rig_open_trunk(&rig, 1);
	rig_build(&frame, mac[1], mac[0], 1);
	rig_send(&rig, 0, &frame);
	rig_receive(&rig, 1, RIG_TYPE, &got);
	assert_int_equal(got.size, frame.size);
	assert_memory_equal(got.bytes, frame.bytes, frame.size);
	assert_int_equal(rig_count(&rig, 2, 1), 0);
	struct host_counters from = rig_counters(&rig, 0), to = rig_counters(&rig, 1);
	assert_int_equal(from.rx_frames, 1);
	assert_int_equal(from.rx_bytes, 60);
	assert_int_equal(from.tx_frames, 0);
	assert_int_equal(to.tx_frames, 1);
	assert_int_equal(to.tx_bytes, 60);
	assert_int_equal(to.rx_frames, 0);
	for (int i = 0; i < HOST_DROP_COUNT; i++)
		assert_int_equal(from.drops[i] + to.drops[i], 0);
}

static void test_own_address_only(void **state)
{
	struct rig_frame frame;
	uint8_t mac[2][MAC_SIZE];
	rig_mac(0, mac[0]);
	rig_mac(1, mac[1]);
	rig_add_all(&rig, 2);
	rig_open_trunk(&rig, 1);
	rig_build(&frame, mac[1], stranger, 1);
	rig_send(&rig, 0, &frame);
	rig_build(&frame, NULL, mac[1], 1); // Another port's, to everybody.
	rig_send(&rig, 0, &frame);
	rig_build(&frame, mac[0], mac[0], 1); // To itself.
	rig_send(&rig, 0, &frame);
	assert_int_equal(rig_count(&rig, 1, 1), 0);
	assert_int_equal(rig_count(&rig, 0, 1), 0);
	struct host_counters from = rig_counters(&rig, 0);
	assert_int_equal(from.drops[HOST_DROP_SOURCE], 2);
	assert_int_equal(from.drops[HOST_DROP_LOCAL], 1);
	assert_int_equal(from.rx_frames, 3);
}

static void expect_broadcast_once(void)
{
	struct rig_frame frame, got;
	uint8_t mac[MAC_SIZE], header[12];
	rig_mac(0, mac);
	rig_build(&frame, NULL, mac, 1);
	rig_send(&rig, 0, &frame);
	for (unsigned int i = 1; i < RIG_PORTS; i++)
		assert_int_equal(rig_count(&rig, i, 1), 1);
	assert_int_equal(rig_count(&rig, 0, 1), 0);
	assert_true(rig_trunk_receive(&rig, RIG_TYPE, header, &got));
	assert_memory_equal(got.bytes, frame.bytes, frame.size);
	assert_false(rig_trunk_receive(&rig, RIG_TYPE, header, &got));
}

static void test_broadcast(void **state)
{
	rig_add_all(&rig, RIG_PORTS);
	rig_open_trunk(&rig, 2);
	expect_broadcast_once();
	assert_int_equal(rig_counters(&rig, 1).tx_frames, 2); // It, and the end of the count.
}

// Places in the list of ports are taken again, and a list goes on behind a hole.
static void test_broadcast_after_removal(void **state)
{
	struct rwy_err err = {0};
	rig_add_all(&rig, RIG_PORTS);
	rig_open_trunk(&rig, 1);
	for (unsigned int i = 1; i < 3; i++) {
		struct host_port port = rig_port(i);
		assert_int_equal(host_port_remove(rig.host, port.id, &err), 0);
	}
	struct rig_frame frame;
	uint8_t mac[MAC_SIZE];
	rig_mac(0, mac);
	rig_build(&frame, NULL, mac, 2);
	rig_send(&rig, 0, &frame);
	assert_int_equal(rig_count(&rig, 3, 2), 1);
	uint8_t header[12];
	assert_true(rig_trunk_receive(&rig, RIG_TYPE, header, &frame));
	for (unsigned int i = 1; i < 3; i++) {
		struct host_port port = rig_port(i);
		rig_add(&rig, i, &port, NULL);
	}
	expect_broadcast_once();
}

static void test_other_network(void **state)
{
	struct rwy_err err = {0};
	struct rig_frame frame;
	struct host_network network = {.id = 8, .mtu = 1500};
	struct host_port port = rig_port(1);
	uint8_t mac[2][MAC_SIZE];
	rig_mac(0, mac[0]);
	rig_mac(1, mac[1]);
	assert_int_equal(host_network_add(rig.host, &network, &err), 0);
	port.network = 8;
	rig_add_all(&rig, 1);
	rig_add(&rig, 1, &port, NULL);
	rig_build(&frame, mac[1], mac[0], 1);
	rig_send(&rig, 0, &frame);
	rig_build(&frame, NULL, mac[0], 1);
	rig_send(&rig, 0, &frame);
	// Without a trunk there is nobody else on this network.
	assert_int_equal(rig_counters(&rig, 0).drops[HOST_DROP_NO_PORT], 2);
	assert_int_equal(rig_counters(&rig, 1).tx_frames, 0);
	assert_int_equal(host_port_remove(rig.host, port.id, &err), 0);
	assert_int_equal(host_network_remove(rig.host, 8, &err), 0);
}

static void test_trunk(void **state)
{
	struct rig_frame frame, got;
	uint8_t mac[MAC_SIZE], header[12];
	rig_mac(0, mac);
	rig_add_all(&rig, 3);
	rig_open_trunk(&rig, 2);
	rig_build(&frame, stranger, mac, 1); // Nobody's that is known here.
	rig_send(&rig, 0, &frame);
	assert_true(rig_trunk_receive(&rig, RIG_TYPE, header, &got));
	assert_memory_equal(got.bytes, frame.bytes, frame.size);
	rig_build(&frame, mac, stranger, 2);
	rig_trunk_send(&rig, &frame);
	assert_int_equal(rig_count(&rig, 0, 2), 1);
	rig_build(&frame, NULL, stranger, 3);
	rig_trunk_send(&rig, &frame);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(rig_count(&rig, i, 3), 1);
	rig_build(&frame, stranger, stranger, 4); // No port here.
	rig_trunk_send(&rig, &frame);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(rig_count(&rig, i, 4), 0);
	assert_false(rig_trunk_receive(&rig, RIG_TYPE, header, &got));
	assert_true(rig.offloads & HOST_OFFLOAD_CSUM);
}

static void set_mtu_inside(unsigned int n, int mtu)
{
	struct ifreq request = {.ifr_name = "eth0"};
	rig_go(&rig, n);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	request.ifr_mtu = mtu;
	assert_int_equal(ioctl(fd, SIOCSIFMTU, &request), 0);
	assert_int_equal(close(fd), 0);
	rig_return();
}

static void test_mtu(void **state)
{
	struct rwy_err err = {0};
	struct rig_frame frame, got;
	uint8_t mac[2][MAC_SIZE];
	rig_mac(0, mac[0]);
	rig_mac(1, mac[1]);
	rig_add_all(&rig, 2);
	set_mtu_inside(0, 3000);
	rig_build(&frame, mac[1], mac[0], 1);
	frame.size = 1514;
	rig_send(&rig, 0, &frame);
	rig_receive(&rig, 1, RIG_TYPE, &got);
	assert_int_equal(got.size, 1514);
	frame.size = 1515;
	rig_send(&rig, 0, &frame);
	assert_int_equal(rig_counters(&rig, 0).drops[HOST_DROP_MTU], 1);
	assert_int_equal(host_network_set_mtu(rig.host, RIG_NETWORK, 2000, &err), 0);
	rig_send(&rig, 0, &frame);
	rig_receive(&rig, 1, RIG_TYPE, &got);
	assert_int_equal(got.size, 1515);
	assert_int_equal(rig_counters(&rig, 0).drops[HOST_DROP_MTU], 1);
}

static void test_limits(void **state)
{
	struct rwy_err err = {0};
	struct rig_frame frame;
	struct host_port port = rig_port(0);
	uint8_t mac[2][MAC_SIZE];
	rig_mac(0, mac[0]);
	rig_mac(1, mac[1]);
	rig_add_all(&rig, 2);
	rig_open_trunk(&rig, 1);
	port.limits = (struct port_limits){.rx_fps = 1, .rx_frame_burst = 5};
	assert_int_equal(host_port_add(rig.host, &port, &err), 0);
	rig_build(&frame, mac[1], mac[0], 1);
	for (int i = 0; i < 30; i++)
		rig_send(&rig, 0, &frame);
	unsigned int passed = rig_count(&rig, 1, 1);
	// Tokens flow in meanwhile, on a machine that is slow enough.
	assert_in_range(passed, 5, 29);
	assert_int_equal(rig_counters(&rig, 0).drops[HOST_DROP_RATE], 30 - passed);
	port.limits = (struct port_limits){.flood_fps = 1, .flood_burst = 3};
	assert_int_equal(host_port_add(rig.host, &port, &err), 0);
	rig_build(&frame, NULL, mac[0], 2);
	for (int i = 0; i < 20; i++)
		rig_send(&rig, 0, &frame);
	passed = rig_count(&rig, 1, 2);
	assert_in_range(passed, 3, 19);
	assert_int_equal(rig_counters(&rig, 0).drops[HOST_DROP_FLOOD], 20 - passed);
	// To the port: the limit of bytes lets one frame over it pass, and then none.
	port.limits = (struct port_limits){.tx_bps = 8, .tx_burst = 60};
	assert_int_equal(host_port_add(rig.host, &port, &err), 0);
	rig_build(&frame, mac[0], stranger, 3);
	for (int i = 0; i < 10; i++)
		rig_trunk_send(&rig, &frame);
	assert_in_range(rig_counters(&rig, 0).drops[HOST_DROP_RATE], 31 - 5, 30 - 5 + 9);
	port.limits = (struct port_limits){0};
	assert_int_equal(host_port_add(rig.host, &port, &err), 0);
	rig_trunk_send(&rig, &frame);
	assert_true(rig_count(&rig, 0, 3) >= 1);
}

static void test_overflow(void **state)
{
	struct rwy_err err = {0};
	struct rig_frame frame;
	uint8_t mac[MAC_SIZE];
	uint64_t missed = 1;
	rig_mac(0, mac);
	rig_add_all(&rig, 1);
	assert_int_equal(host_trunk_missed(rig.host, RIG_NETWORK, &missed, &err), -ENOENT);
	rig_open_trunk(&rig, 1);
	assert_int_equal(host_trunk_missed(rig.host, RIG_NETWORK, &missed, &err), 0);
	assert_int_equal(missed, 0);
	rig_build(&frame, stranger, mac, 1);
	for (int i = 0; i < 1500; i++) // More than the TAP keeps.
		rig_send(&rig, 0, &frame);
	assert_int_equal(host_trunk_missed(rig.host, RIG_NETWORK, &missed, &err), 0);
	assert_in_range(missed, 1, 1499);
}

static void test_learning(void **state)
{
	struct rig_frame frame;
	struct host_port port = rig_port(1);
	uint8_t mac[3][MAC_SIZE];
	for (unsigned int i = 0; i < 3; i++)
		rig_mac(i, mac[i]);
	rig_add_all(&rig, 3);
	port.learning = true;
	rig_add(&rig, 1, &port, NULL);
	rig_open_trunk(&rig, 1);
	rig_build(&frame, mac[0], stranger, 1);
	rig_send(&rig, 1, &frame);
	assert_int_equal(rig_count(&rig, 0, 1), 1);
	rig_build(&frame, stranger, mac[0], 2);
	rig_send(&rig, 0, &frame);
	assert_int_equal(rig_count(&rig, 1, 2), 1);
	// Another port's address stays its own.
	rig_build(&frame, mac[0], mac[2], 3);
	rig_send(&rig, 1, &frame);
	assert_int_equal(rig_count(&rig, 0, 3), 0);
	assert_int_equal(rig_counters(&rig, 1).drops[HOST_DROP_SOURCE], 1);
}

static void test_end_is_down(void **state)
{
	struct rwy_err err = {0};
	struct rig_frame frame;
	struct host_port port = rig_port(1);
	uint8_t mac[MAC_SIZE];
	rig_mac(0, mac);
	rig_add_all(&rig, 1);
	assert_int_equal(host_port_add(rig.host, &port, &err), 0);
	rig_build(&frame, NULL, mac, 1);
	rig_send(&rig, 0, &frame);
	assert_int_equal(rig_counters(&rig, 1).drops[HOST_DROP_DOWN], 1);
	assert_int_equal(rig_counters(&rig, 1).tx_frames, 0);
}

static void set_up_inside(unsigned int n, bool up)
{
	struct ifreq request = {.ifr_name = "eth0"};
	rig_go(&rig, n);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	assert_int_equal(close(fd), 0);
	rig_return();
	// The packet socket was told too, and would say so in place of a frame.
	int told;
	socklen_t size = sizeof(told);
	assert_int_equal(getsockopt(rig.socket[n], SOL_SOCKET, SO_ERROR, &told, &size), 0);
}

// Sends to port 1 until a frame counts there as dropped, or as sent: the kernel tells of a change in its own time.
static void send_until(const struct rig_frame *frame, bool dropped)
{
	for (int i = 0; i < 1000; i++) {
		struct pollfd watch = {.fd = host_watch_fd(rig.host), .events = POLLIN};
		struct host_counters before = rig_counters(&rig, 1), after;
		rig_send(&rig, 0, frame);
		after = rig_counters(&rig, 1);
		assert_int_equal(
			after.tx_frames + after.drops[HOST_DROP_DOWN],
			before.tx_frames + before.drops[HOST_DROP_DOWN] + 1
		);
		if ((after.drops[HOST_DROP_DOWN] > before.drops[HOST_DROP_DOWN]) == dropped)
			return;
		(void)poll(&watch, 1, 100); // Too early is one turn more.
		host_watch_read(rig.host);
	}
	fail_msg("the kernel's word never came");
}

static void test_unicast_to_an_end_that_is_down(void **state)
{
	struct rwy_err err = {0};
	struct rig_frame frame, got;
	struct host_port port = rig_port(1);
	uint8_t mac[2][MAC_SIZE];
	rig_mac(0, mac[0]);
	rig_mac(1, mac[1]);
	rig_add_all(&rig, 2);
	rig_build(&frame, mac[1], mac[0], 1);
	send_until(&frame, false);
	set_up_inside(1, false);
	send_until(&frame, true);
	// Known from then on, to a ringwayd that comes later too, and whatever else of the port changes.
	rig_reopen(&rig);
	send_until(&frame, true);
	assert_int_equal(host_port_add(rig.host, &port, &err), 0);
	uint64_t sent = rig_counters(&rig, 1).tx_frames;
	rig_send(&rig, 0, &frame);
	assert_int_equal(rig_counters(&rig, 1).tx_frames, sent);
	// What is known being old costs a count, but no frame.
	set_up_inside(1, true);
	rig_await_up(&rig, port.id);
	rig_build(&frame, mac[1], mac[0], 2);
	rig_send(&rig, 0, &frame);
	do
		rig_receive(&rig, 1, RIG_TYPE, &got);
	while (got.bytes[got.size - 1] != 2);
	send_until(&frame, false);
}

static int listen_inside(unsigned int n, struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	rig_go(&rig, n);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
	rig_return();
	return fd;
}

// A stream with whole segments: every byte as it was sent.
static void pump(int from, int to, size_t total)
{
	static uint8_t out[65536], in[65536];
	size_t sent = 0, received = 0;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + (i >> 8));
	while (received < total) {
		size_t at = sent % sizeof(out);
		ssize_t n = sent == total
			? 0
			: send(from, out + at, sizeof(out) - at, MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		struct pollfd wait = {.fd = to, .events = POLLIN};
		assert_int_equal(poll(&wait, 1, 5000), 1);
		n = recv(to, in, sizeof(in), 0);
		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(in[i], out[(received + (size_t)i) % sizeof(out)]);
		received += (size_t)n;
	}
}

static void test_tcp(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct host_port port[2] = {rig_port(0), rig_port(1)};
	rig_add(&rig, 0, &port[0], "10.9.0.1/24");
	rig_add(&rig, 1, &port[1], "10.9.0.2/24");
	assert_int_equal(inet_pton(AF_INET, "10.9.0.2", &address.sin_addr), 1);
	int listener = listen_inside(1, &address);
	rig_go(&rig, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	rig_return();
	assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
	int server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	pump(client, server, 16 << 16);
	pump(server, client, 16 << 16);
	// Segments went as large as the stack made them.
	struct host_counters counters = rig_counters(&rig, 0);
	assert_true(counters.rx_bytes / counters.rx_frames > 1514);
	assert_int_equal(counters.drops[HOST_DROP_MTU], 0);
	(void)close(listener);
	(void)close(client);
	(void)close(server);
}

// What the stack leaves to the device stays left to it: the request is in the virtio-net header.
static void test_checksum_request(void **state)
{
	struct rwy_err err = {0};
	struct rig_frame frame;
	struct host_port port = rig_port(0);
	uint8_t header[12];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	const struct host_network network = {
		.id = RIG_NETWORK, .mtu = 1500, .proxy_neighbors = true};
	assert_int_equal(inet_pton(AF_INET, "10.9.0.9", &to.sin_addr), 1);
	assert_int_equal(host_network_add(rig.host, &network, &err), 0);
	assert_int_equal(
		host_station_add(rig.host, RIG_NETWORK, stranger, "10.9.0.9", NULL, &err), 0
	);
	rig_add(&rig, 0, &port, "10.9.0.1/24");
	rig_open_trunk(&rig, 1);
	rig_go(&rig, 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rig_return();
	assert_int_equal(sendto(fd, "ringway", 7, 0, (const struct sockaddr *)&to, sizeof(to)), 7);
	assert_int_equal(close(fd), 0);
	struct pollfd wait = {.fd = rig.trunk[0], .events = POLLIN};
	assert_int_equal(poll(&wait, 1, 5000), 1);
	assert_true(rig_trunk_receive(&rig, ETH_P_IP, header, &frame));
	assert_memory_equal(frame.bytes, stranger, MAC_SIZE);
	// VIRTIO_NET_HDR_F_NEEDS_CSUM; csum_start, csum_offset (virtio 1.2, 5.1.6).
	assert_int_equal(header[0] & 1, 1);
	assert_int_equal(header[6] | header[7] << 8, 34);
	assert_int_equal(header[8] | header[9] << 8, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unicast, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_address_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broadcast, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broadcast_after_removal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_network, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trunk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mtu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_learning, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_is_down, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_unicast_to_an_end_that_is_down, setup, teardown
		),
		cmocka_unit_test_setup_teardown(test_tcp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_checksum_request, setup, teardown),
	};
	const char *reason = rig_enter();
	if (reason) {
		print_message("skipped: %s\n", reason);
		return 77; // meson: skipped.
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
