// SPDX-License-Identifier: BSD-3-Clause
// What channel.c relies upon of the kernel's sockets (SO_PEEK_OFF and descriptors), and how it tells the descriptors of one
// message from those of the next.
#include "base/fdmsg.h"
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"
#include "vhost/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
	int ours;
	int peer;
	int fd; // To send.
};

static struct pair pair_new(void)
{
	int sock[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	return (struct pair){sock[0], sock[1], eventfd(0, EFD_CLOEXEC)};
}

static void pair_free(struct pair *pair)
{
	close(pair->ours);
	close(pair->peer);
	close(pair->fd);
}

static void send_with(const struct pair *pair, const void *data, size_t size, size_t fd_count)
{
	int fds[16];

	for (size_t i = 0; i < fd_count; i++)
		fds[i] = pair->fd;
	assert_int_equal(fdmsg_send(pair->peer, data, size, fds, fd_count, MSG_DONTWAIT), size);
}

// Bytes that a peek, or a read, brings; descriptors are counted and closed.
static ssize_t receive(const struct pair *pair, size_t size, int flags, size_t *ret_fd_count)
{
	uint8_t data[1024];
	int fds[64];
	struct fdmsg_buf buf = {.data = data, .data_size = size, .fds = fds, .fd_max = 64};
	ssize_t r = fdmsg_recv(pair->ours, &buf, flags | MSG_DONTWAIT);

	for (size_t i = 0; i < buf.fd_count; i++)
		close(fds[i]);
	*ret_fd_count = buf.fd_count;
	return r;
}

static int offset_of(int sock)
{
	int offset = -2;
	socklen_t size = sizeof(offset);
	assert_int_equal(getsockopt(sock, SOL_SOCKET, SO_PEEK_OFF, &offset, &size), 0);
	return offset;
}

static void set_offset(int sock, int offset)
{
	assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)), 0);
}

// The offset is the socket's: a copy of the descriptor has it, the peer has another.
static void test_offset_is_the_socket_s(void **state)
{
	struct pair pair = pair_new();
	uint8_t bytes[100] = {0};

	set_offset(pair.ours, 0);
	send_with(&pair, bytes, sizeof(bytes), 0);
	assert_int_equal(recv(pair.ours, bytes, 12, MSG_PEEK), 12);
	int copy = dup(pair.ours);
	assert_int_equal(offset_of(copy), 12);
	assert_int_equal(offset_of(pair.peer), -1);
	set_offset(pair.peer, 77);
	assert_int_equal(offset_of(pair.ours), 12);
	set_offset(pair.peer, -1);
	assert_int_equal(offset_of(pair.ours), 12);
	close(pair.ours);
	pair.ours = copy;
	assert_int_equal(recv(pair.ours, bytes, 20, MSG_PEEK), 20);
	assert_int_equal(offset_of(pair.ours), 32);
	// A read takes it back, by what it read.
	assert_int_equal(recv(pair.ours, bytes, 30, 0), 30);
	assert_int_equal(offset_of(pair.ours), 2);
	assert_int_equal(recv(pair.ours, bytes, 30, 0), 30);
	assert_int_equal(offset_of(pair.ours), 0);
	// The peer's end does not move it either.
	assert_int_equal(recv(pair.ours, bytes, 5, MSG_PEEK), 5);
	assert_int_equal(shutdown(pair.peer, SHUT_RDWR), 0);
	assert_int_equal(offset_of(pair.ours), 5);
	pair_free(&pair);
}

// A peek ends behind the bytes that descriptors came with; one that meets none brings those of later bytes. A read does not.
static void test_whose_descriptors_a_peek_brings(void **state)
{
	struct pair pair = pair_new();
	uint8_t bytes[20] = {0};
	size_t fds;

	set_offset(pair.ours, 0);
	send_with(&pair, bytes, 12, 2);
	send_with(&pair, bytes, 8, 0);
	send_with(&pair, bytes, 20, 3);
	assert_int_equal(receive(&pair, 20, MSG_PEEK, &fds), 12);
	assert_int_equal(fds, 2);
	assert_int_equal(receive(&pair, 8, MSG_PEEK, &fds), 8);
	assert_int_equal(fds, 3); // Of the 20 bytes behind.
	assert_int_equal(receive(&pair, 20, 0, &fds), 12);
	assert_int_equal(fds, 2);
	assert_int_equal(receive(&pair, 8, 0, &fds), 8);
	assert_int_equal(fds, 0);
	assert_int_equal(receive(&pair, 20, MSG_PEEK, &fds), 20);
	assert_int_equal(fds, 3);
	pair_free(&pair);
}

// Bytes that were sent together with descriptors bring them to the first reader alone.
static void test_descriptors_go_with_the_first_bytes(void **state)
{
	struct pair pair = pair_new();
	uint8_t bytes[40] = {0};
	size_t fds;

	set_offset(pair.ours, 0);
	send_with(&pair, bytes, 40, 2);
	assert_int_equal(receive(&pair, 20, 0, &fds), 20);
	assert_int_equal(fds, 2);
	assert_int_equal(receive(&pair, 20, MSG_PEEK, &fds), 20);
	assert_int_equal(fds, 0);
	pair_free(&pair);
}

// What is unread gives an edge when it is watched, or watched anew, and when more comes: bytes, or the end.
static void test_edges(void **state)
{
	struct pair pair = pair_new();
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uint8_t byte = 0;

	set_offset(pair.ours, 0);
	send_with(&pair, &byte, 1, 0);
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pair.ours, &event), 0);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 1);
	assert_int_equal(recv(pair.ours, &byte, 1, MSG_PEEK), 1);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 0);
	send_with(&pair, &byte, 1, 0);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 1);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 0);
	event.events = EPOLLIN | EPOLLET;
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_MOD, pair.ours, &event), 0);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 1);
	assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 1);
	close(epoll_fd);
	pair_free(&pair);
}

#define WIRE_SIZE 20

static void fill_wire(uint8_t *bytes, uint32_t request, uint64_t body)
{
	const struct message_header header = {request, MESSAGE_VERSION, 8};
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), &body, sizeof(body));
}

static void send_bytes(struct rig *rig, const uint8_t *bytes, size_t size, int fd)
{
	assert_int_equal(fdmsg_send(rig->front->fd, bytes, size, &fd, fd >= 0, 0), size);
}

// A message in two parts. Its descriptor comes with the second if `late`.
static void send_cut(struct rig *rig, const uint8_t *bytes, size_t cut, int fd, bool late)
{
	send_bytes(rig, bytes, cut, late ? -1 : fd);
	send_bytes(rig, bytes + cut, WIRE_SIZE - cut, late ? fd : -1);
}

static void expect_call(struct rig *rig, unsigned int index, int fd)
{
	uint64_t count = 0;

	assert_int_equal(eventfd_write(fd, index + 1), 0);
	assert_int_equal(eventfd_read(vhost_conn_queue(rig->conn, index)->call_fd, &count), 0);
	assert_int_equal(count, index + 1);
}

// Two messages with a descriptor each, cut anywhere: each gets its own, whichever part brings it.
static void cut_at(size_t cut, bool late, bool apart)
{
	uint8_t bytes[2 * WIRE_SIZE];
	struct rig rig;

	fill_wire(bytes, MESSAGE_SET_VRING_CALL, 0);
	fill_wire(bytes + WIRE_SIZE, MESSAGE_SET_VRING_CALL, 1);
	rig_init(&rig, RIG_CONFIG, NULL);
	int fds[2] = {rig.front->queue[0].kick_fd, rig.front->queue[1].kick_fd};
	send_cut(&rig, bytes, cut, fds[0], late);
	if (apart)
		assert_int_equal(rig_pump(&rig), 0);
	send_cut(&rig, bytes + WIRE_SIZE, cut, fds[1], late);
	assert_int_equal(rig_pump(&rig), 0);
	expect_call(&rig, 0, fds[0]);
	expect_call(&rig, 1, fds[1]);
	rig_fini(&rig);
}

static void test_cut_anywhere(void **state)
{
	for (size_t cut = 1; cut < WIRE_SIZE; cut++) {
		cut_at(cut, false, false);
		cut_at(cut, false, true);
		cut_at(cut, true, false);
		cut_at(cut, true, true);
	}
}

// A message without the descriptor that it announces does not get the next one's.
static void test_takes_none_of_a_later_message(void **state)
{
	uint8_t bytes[2 * WIRE_SIZE];
	struct rig rig;

	fill_wire(bytes, MESSAGE_SET_VRING_CALL, 0);
	fill_wire(bytes + WIRE_SIZE, MESSAGE_SET_VRING_KICK, 0);
	rig_init(&rig, RIG_CONFIG, NULL);
	send_bytes(&rig, bytes, WIRE_SIZE, -1);
	send_bytes(&rig, bytes + WIRE_SIZE, WIRE_SIZE, rig.front->queue[0].kick_fd);
	rig_expect_break(&rig, "SET_VRING_CALL: comes with 0 descriptors");
	rig_fini(&rig);
	// Nor does one that brings none, and need not.
	fill_wire(bytes, MESSAGE_SET_VRING_CALL, MESSAGE_RING_NOFD);
	rig_init(&rig, RIG_CONFIG, NULL);
	send_bytes(&rig, bytes, WIRE_SIZE, -1);
	send_bytes(&rig, bytes + WIRE_SIZE, WIRE_SIZE, rig.front->queue[0].kick_fd);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(vhost_conn_queue(rig.conn, 0)->kick_fd >= 0);
	assert_int_equal(vhost_conn_queue(rig.conn, 0)->call_fd, -1);
	rig_fini(&rig);
}

// Two in one piece, with one descriptor: the first's.
static void test_two_messages_in_one_piece(void **state)
{
	uint8_t bytes[2 * WIRE_SIZE];
	struct rig rig;

	fill_wire(bytes, MESSAGE_SET_VRING_CALL, 0);
	fill_wire(bytes + WIRE_SIZE, MESSAGE_SET_VRING_KICK, MESSAGE_RING_NOFD);
	rig_init(&rig, RIG_CONFIG, NULL);
	send_bytes(&rig, bytes, sizeof(bytes), rig.front->queue[0].kick_fd);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(vhost_conn_queue(rig.conn, 0)->call_fd >= 0);
	assert_int_equal(vhost_conn_queue(rig.conn, 0)->kick_fd, -1);
	assert_true(vhost_conn_queue(rig.conn, 0)->started);
	rig_fini(&rig);
}

// A keeper that cannot take them now: the message waits, and nothing has happened.
static void test_waits_for_the_keeper(void **state)
{
	uint8_t bytes[WIRE_SIZE];
	struct rig rig;

	fill_wire(bytes, MESSAGE_SET_VRING_CALL, 0);
	rig_init(&rig, RIG_CONFIG, NULL);
	unsigned int fds = count_fds();
	rig.keep_waits = true;
	send_bytes(&rig, bytes, 5, rig.front->queue[0].kick_fd);
	assert_int_equal(vhost_conn_process(rig.conn, &rig.err), 0);
	send_bytes(&rig, bytes + 5, WIRE_SIZE - 5, -1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vhost_conn_process(rig.conn, &rig.err), -EAGAIN);
		assert_int_equal(count_fds(), fds);
		assert_int_equal(vhost_conn_queue(rig.conn, 0)->call_fd, -1);
	}
	rig.keep_waits = false;
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(vhost_conn_queue(rig.conn, 0)->call_fd >= 0);
	assert_int_equal(rig.id_count, 1);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offset_is_the_socket_s),
		cmocka_unit_test(test_whose_descriptors_a_peek_brings),
		cmocka_unit_test(test_descriptors_go_with_the_first_bytes),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_takes_none_of_a_later_message),
		cmocka_unit_test(test_two_messages_in_one_piece),
		cmocka_unit_test(test_waits_for_the_keeper),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
