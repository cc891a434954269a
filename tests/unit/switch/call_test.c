// SPDX-License-Identifier: BSD-3-Clause
// Call eventfds are raised without waiting, whatever their owner made of them.
#include "switch/call.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct call_ring *make_ring(void)
{
	struct call_ring *ring = call_ring_new();
	if (!ring)
		skip(); // A kernel or an emulator without io_setup(2).
	return ring;
}

static void test_raises(void **state)
{
	struct call_ring *ring = make_ring();
	int fd = eventfd(0, EFD_NONBLOCK);
	eventfd_t count = 0;

	// More than the ring holds, one after the other.
	for (int i = 0; i < 10000; i++)
		assert_int_equal(call_raise(ring, fd), 0);
	assert_int_equal(eventfd_read(fd, &count), 0);
	assert_int_equal(count, 10000);
	assert_int_equal(close(fd), 0);
	call_ring_free(ring);
}

static void test_wakes_who_waits(void **state)
{
	struct call_ring *ring = make_ring();
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int fd = eventfd(0, EFD_NONBLOCK);
	int epoll_fd = epoll_create1(0);

	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 0);
	for (int i = 0; i < 3; i++) { // Each is an event, though nobody reads.
		assert_int_equal(call_raise(ring, fd), 0);
		assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 1);
	}
	assert_int_equal(close(epoll_fd), 0);
	assert_int_equal(close(fd), 0);
	call_ring_free(ring);
}

static void test_full_and_blocking_does_not_wait(void **state)
{
	struct call_ring *ring = make_ring();
	int fd = eventfd(0, EFD_NONBLOCK);

	assert_int_equal(eventfd_write(fd, UINT64_MAX - 1), 0);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	(void)alarm(30); // A wait would be without end.
	for (int i = 0; i < 100; i++)
		assert_int_equal(call_raise(ring, fd), 0);
	(void)alarm(0);
	assert_int_equal(close(fd), 0);
	call_ring_free(ring);
}

static void test_refuses_what_is_no_eventfd(void **state)
{
	struct call_ring *ring = make_ring();
	int epoll_fd = epoll_create1(0);
	int fd = eventfd(0, EFD_NONBLOCK);

	assert_int_equal(call_raise(ring, epoll_fd), -EINVAL);
	assert_int_equal(call_raise(ring, -1), -EBADF);
	assert_int_equal(call_raise(ring, fd), 0);
	assert_int_equal(close(epoll_fd), 0);
	assert_int_equal(close(fd), 0);
	call_ring_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_raises),
		cmocka_unit_test(test_wakes_who_waits),
		cmocka_unit_test(test_full_and_blocking_does_not_wait),
		cmocka_unit_test(test_refuses_what_is_no_eventfd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
