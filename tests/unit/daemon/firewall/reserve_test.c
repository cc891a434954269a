// SPDX-License-Identifier: BSD-3-Clause
// Ports of the host: who gets which, who is refused with which words, and what others cannot do meanwhile.
#include "base/cleanup.h"
#include "daemon/firewall/reserve.h"
#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct reservations reservations;

static int teardown(void **state)
{
	reservations_fini(&reservations);
	return 0;
}

static struct firewall_publish publish(uint8_t proto, const char *host_ip, uint16_t port)
{
	struct firewall_publish made = {
		.port = 1,
		.proto = proto,
		.address = "10.1.0.2",
		.container_port = 80,
		.host_port = port,
	};
	(void)snprintf(made.host_ip, sizeof(made.host_ip), "%s", host_ip);
	return made;
}

// As another program would, with SO_REUSEADDR as servers have it. A negative errno, or the socket.
static int take(int type, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1;
	_cleanup_close_ int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (type == SOCK_STREAM)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    (type == SOCK_STREAM && listen(fd, 1)))
		return -errno;
	return fd_take(&fd);
}

static void test_free_port(void **state)
{
	struct rwy_err err = {0};
	struct firewall_publish first = publish(IPPROTO_TCP, "", 0);
	struct firewall_publish second = publish(IPPROTO_TCP, "", 0);
	struct firewall_publish udp = publish(IPPROTO_UDP, "", 0);
	assert_int_equal(reservations_add(&reservations, &first, &err), 0);
	assert_int_equal(reservations_add(&reservations, &second, &err), 0);
	assert_true(first.bound && second.bound && first.bound != second.bound);
	assert_int_equal(take(SOCK_STREAM, first.bound), -EADDRINUSE);
	udp.host_port = first.bound;
	assert_int_equal(reservations_add(&reservations, &udp, &err), 0);
	assert_int_equal(udp.bound, first.bound);
	assert_int_equal(take(SOCK_DGRAM, udp.bound), -EADDRINUSE);
	// Let go of, and not given out again at once.
	reservations_remove(&reservations, 1);
	assert_int_equal(reservations.count, 0);
	_cleanup_close_ int fd = take(SOCK_STREAM, first.bound);
	assert_true(fd >= 0);
	struct firewall_publish third = publish(IPPROTO_TCP, "", 0);
	assert_int_equal(reservations_add(&reservations, &third, &err), 0);
	assert_true(third.bound != first.bound && third.bound != second.bound);
}

static void test_in_use(void **state)
{
	struct rwy_err err = {0};
	char words[64];
	struct firewall_publish first = publish(IPPROTO_TCP, "", 0);
	assert_int_equal(reservations_add(&reservations, &first, &err), 0);
	struct firewall_publish again = publish(IPPROTO_TCP, "", first.bound);
	again.port = 2;
	assert_int_equal(reservations_add(&reservations, &again, &err), -EADDRINUSE);
	(void)snprintf(words, sizeof(words), "cannot publish port %u/tcp: in use", first.bound);
	assert_string_equal(err.msg, words);
	struct firewall_publish one = publish(IPPROTO_TCP, "127.0.0.1", first.bound);
	assert_int_equal(reservations_add(&reservations, &one, &err), -EADDRINUSE);
	(void)snprintf(words, sizeof(words), "port 127.0.0.1:%u/tcp: in use", first.bound);
	assert_non_null(strstr(err.msg, words));
	// Another program's, found where the kernel looks for free ones.
	reservations_remove(&reservations, 1);
	_cleanup_close_ int fd = take(SOCK_STREAM, first.bound);
	assert_true(fd >= 0);
	assert_int_equal(reservations_add(&reservations, &again, &err), -EADDRINUSE);
	assert_int_equal(again.bound, 0);
}

static void test_range(void **state)
{
	struct rwy_err err = {0};
	struct firewall_publish probe = publish(IPPROTO_TCP, "", 0);
	// Three in a row that are free.
	uint16_t base = 0;
	while (!base) {
		assert_int_equal(reservations_add(&reservations, &probe, &err), 0);
		reservations_remove(&reservations, 1);
		_cleanup_close_ int a = take(SOCK_STREAM, probe.bound);
		_cleanup_close_ int b = take(SOCK_STREAM, (uint16_t)(probe.bound + 1));
		_cleanup_close_ int c = take(SOCK_STREAM, (uint16_t)(probe.bound + 2));
		if (a >= 0 && b >= 0 && c >= 0)
			base = probe.bound;
	}
	_cleanup_close_ int middle = take(SOCK_STREAM, (uint16_t)(base + 1));
	assert_true(middle >= 0);
	struct firewall_publish range = publish(IPPROTO_TCP, "", base);
	range.host_port_end = (uint16_t)(base + 2);
	assert_int_equal(reservations_add(&reservations, &range, &err), 0);
	assert_int_equal(range.bound, base);
	assert_int_equal(reservations_add(&reservations, &range, &err), 0);
	assert_int_equal(range.bound, base + 2);
	assert_int_equal(reservations_add(&reservations, &range, &err), -EADDRINUSE);
	assert_non_null(strstr(err.msg, "/tcp: all are in use"));
	range.host_port_end = (uint16_t)(base - 1);
	assert_int_equal(reservations_add(&reservations, &range, &err), -EINVAL);
}

// One port in both families, or none: the second's refusal gives back the first.
static void test_both_families(void **state)
{
	struct rwy_err err = {0};
	_cleanup_close_ int six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int only = 1;
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	socklen_t size = sizeof(address);
	if (six < 0)
		skip();
	assert_int_equal(setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)), 0);
	assert_int_equal(bind(six, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(six, (struct sockaddr *)&address, &size), 0);
	uint16_t port = ntohs(address.sin6_port);
	struct firewall_publish both = publish(IPPROTO_TCP, "", port);
	(void)snprintf(both.address6, sizeof(both.address6), "fd00:1::2");
	assert_int_equal(reservations_add(&reservations, &both, &err), -EADDRINUSE);
	struct firewall_publish four = publish(IPPROTO_TCP, "0.0.0.0", port);
	assert_int_equal(reservations_add(&reservations, &four, &err), 0);
	reservations_remove(&reservations, 1);
	fd_close(&six);
	assert_int_equal(reservations_add(&reservations, &both, &err), 0);
	assert_true(reservations.list[0].fds[0] >= 0 && reservations.list[0].fds[1] >= 0);
}

static void test_addresses(void **state)
{
	struct rwy_err err = {0};
	struct firewall_publish away = publish(IPPROTO_TCP, "192.0.2.77", 8080);
	assert_int_equal(reservations_add(&reservations, &away, &err), -EADDRNOTAVAIL);
	assert_string_equal(
		err.msg, "cannot publish port 192.0.2.77:8080/tcp: the host has no such address"
	);
	struct firewall_publish bad = publish(IPPROTO_TCP, "localhost", 8080);
	assert_int_equal(reservations_add(&reservations, &bad, &err), -EINVAL);
	assert_int_equal(reservations.count, 0);
}

// With or without sockets of SCTP in the kernel.
static void test_sctp(void **state)
{
	struct rwy_err err = {0};
	struct firewall_publish first = publish(IPPROTO_SCTP, "", 9999);
	struct firewall_publish same = publish(IPPROTO_SCTP, "127.0.0.1", 9999);
	assert_int_equal(reservations_add(&reservations, &first, &err), 0);
	assert_int_equal(reservations_add(&reservations, &same, &err), -EADDRINUSE);
	reservations_remove(&reservations, 1);
	assert_int_equal(reservations_add(&reservations, &same, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_free_port, teardown),
		cmocka_unit_test_teardown(test_in_use, teardown),
		cmocka_unit_test_teardown(test_range, teardown),
		cmocka_unit_test_teardown(test_both_families, teardown),
		cmocka_unit_test_teardown(test_addresses, teardown),
		cmocka_unit_test_teardown(test_sctp, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
