// SPDX-License-Identifier: BSD-3-Clause
// Messages as a stream: in pieces, malformed, with descriptors that do not belong there, in numbers, and
// replies that nobody reads (hostile catalogue, 1 to 6, 26, 28, 29).
#include "base/fdmsg.h"
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_bytes(struct rig *rig, const void *data, size_t size)
{
	assert_int_equal(fdmsg_send(rig->front->fd, data, size, NULL, 0, MSG_DONTWAIT), size);
}

// Every byte on its own; the descriptor with one of them, in the middle.
static void test_message_in_pieces(void **state)
{
	struct {
		struct message_header header;
		uint32_t body[2];
	} wire = {{MESSAGE_SET_VRING_CALL, MESSAGE_VERSION, 8}, {1, 0}};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, NULL);
	int fd = rig.front->queue[1].kick_fd;
	for (size_t i = 0; i < sizeof(wire); i++) {
		const uint8_t *byte = (const uint8_t *)&wire + i;
		assert_int_equal(vhost_conn_queue(rig.conn, 1)->call_fd, -1);
		assert_int_equal(fdmsg_send(rig.front->fd, byte, 1, &fd, i == 13, 0), 1);
		assert_int_equal(rig_pump(&rig), 0);
	}
	assert_true(vhost_conn_queue(rig.conn, 1)->call_fd >= 0);
	rig_fini(&rig);
}

static void test_silence_and_end_within_a_message(void **state)
{
	struct message_header header = {MESSAGE_SET_FEATURES, MESSAGE_VERSION, 8};
	struct rig rig;

	for (size_t size = 1; size <= sizeof(header); size++) {
		rig_init(&rig, RIG_CONFIG, NULL);
		send_bytes(&rig, &header, size);
		assert_int_equal(rig_pump(&rig), 0); // It waits, and delays nobody.
		front_attach(rig.front, -1);
		rig_expect_break(&rig, "closed within a message");
		rig_fini(&rig);
	}
	// The same with a descriptor received already.
	rig_init(&rig, RIG_CONFIG, NULL);
	int fd = rig.front->queue[0].kick_fd;
	assert_int_equal(fdmsg_send(rig.front->fd, &header, 4, &fd, 1, 0), 4);
	assert_int_equal(rig_pump(&rig), 0);
	rig_fini(&rig);
}

static void test_refuses_malformed_headers(void **state)
{
	static const struct {
		struct message_header header;
		const char *reason;
	} cases[] = {
		{{0, 1, 0}, "message 0 is not known"},
		{{41, 1, 0}, "message 41 is not known"},
		{{UINT32_MAX, 1, 0}, "message 4294967295 is not known"},
		{{MESSAGE_GET_FEATURES, 0, 0}, "flags 0x0"},
		{{MESSAGE_GET_FEATURES, 2, 0}, "flags 0x2"},
		{{MESSAGE_GET_FEATURES, 3, 0}, "flags 0x3"},
		{{MESSAGE_GET_FEATURES, 5, 0}, "flags 0x5"}, // A reply.
		{{MESSAGE_GET_FEATURES, 0x11, 0}, "flags 0x11"},
		{{MESSAGE_GET_FEATURES, 0x80000001, 0}, "flags 0x80000001"},
		{{MESSAGE_GET_FEATURES, 1, 1}, "GET_FEATURES with a payload of 1 bytes"},
		{{MESSAGE_GET_FEATURES, 1, UINT32_MAX}, "payload of 4294967295 bytes"},
		{{MESSAGE_SET_FEATURES, 1, 7}, "payload of 7 bytes"},
		{{MESSAGE_SET_FEATURES, 1, 9}, "payload of 9 bytes"},
		{{MESSAGE_SET_MEM_TABLE, 1, 7}, "payload of 7 bytes"},
		{{MESSAGE_SET_MEM_TABLE, 1, 265}, "payload of 265 bytes"},
		{{MESSAGE_SET_VRING_ADDR, 1, 39}, "payload of 39 bytes"},
		{{MESSAGE_ADD_MEM_REG, 1, 32}, "payload of 32 bytes"},
		// Known to the protocol, not offered here: logs, IOTLB, configuration, postcopy,
		// crypto sessions, inflight, status.
		{{6, 1, 16}, "message 6 is not known"},
		{{7, 1, 0}, "message 7 is not known"},
		{{21, 1, 0}, "message 21 is not known"},
		{{22, 1, 32}, "message 22 is not known"},
		{{23, 1, 8}, "message 23 is not known"},
		{{24, 1, 12}, "message 24 is not known"},
		{{25, 1, 12}, "message 25 is not known"},
		{{26, 1, 0}, "message 26 is not known"},
		{{27, 1, 8}, "message 27 is not known"},
		{{28, 1, 0}, "message 28 is not known"},
		{{29, 1, 0}, "message 29 is not known"},
		{{30, 1, 0}, "message 30 is not known"},
		{{31, 1, 20}, "message 31 is not known"},
		{{32, 1, 20}, "message 32 is not known"},
		{{35, 1, 8}, "message 35 is not known"},
		{{39, 1, 8}, "message 39 is not known"},
		{{40, 1, 0}, "message 40 is not known"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig rig;
		rig_init(&rig, RIG_CONFIG, NULL);
		// The header alone: nothing waits for a body that is refused anyway.
		send_bytes(&rig, &cases[i].header, sizeof(cases[i].header));
		rig_expect_break(&rig, cases[i].reason);
		rig_fini(&rig);
	}
}

// Eight descriptors on messages that carry none, one or many; nine on any.
static void test_refuses_descriptors(void **state)
{
	static const uint8_t zeros[64];
	static const struct message_header headers[] = {
		{MESSAGE_GET_FEATURES, MESSAGE_VERSION, 0},
		{MESSAGE_SET_OWNER, MESSAGE_VERSION, 0},
		{MESSAGE_SET_FEATURES, MESSAGE_VERSION, 8},
		{MESSAGE_SET_VRING_BASE, MESSAGE_VERSION, 8},
		{MESSAGE_SET_VRING_KICK, MESSAGE_VERSION, 8},
		{MESSAGE_ADD_MEM_REG, MESSAGE_VERSION, 40},
		{MESSAGE_RESET_OWNER, MESSAGE_VERSION, 0},
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		for (size_t count = 8; count <= 9; count++) {
			struct rig rig;
			int fds[9];
			rig_init(&rig, RIG_CONFIG, NULL);
			assert_int_equal(front_negotiate(rig.front), 0);
			assert_int_equal(rig_pump(&rig), 0);
			unsigned int before = count_fds();
			for (size_t k = 0; k < count; k++)
				fds[k] = rig.front->queue[0].kick_fd;
			assert_int_equal(
				front_message(rig.front, &headers[i], zeros, fds, count), 0
			);
			rig_expect_break(&rig, count == 8 ? "with 8 desc" : "more than 8 desc");
			assert_int_equal(count_fds(), before);
			rig_fini(&rig);
		}
	}
}

// A front end that asks and never reads stops itself: bounded memory, no waiting.
static void test_replies_that_nobody_reads(void **state)
{
	struct message_header header = {MESSAGE_GET_FEATURES, MESSAGE_VERSION, 0};
	struct rig rig;
	unsigned int sent = 0;

	rig_init(&rig, RIG_CONFIG, NULL);
	for (;;) {
		ssize_t r =
			fdmsg_send(rig.front->fd, &header, sizeof(header), NULL, 0, MSG_DONTWAIT);
		assert_int_equal(rig_pump(&rig), 0);
		if (r == -EAGAIN && vhost_conn_events(rig.conn) == (EPOLLOUT | EPOLLET))
			break;
		sent += r > 0;
		assert_true(sent < 1000000);
	}
	// Once it reads, everything goes on and nothing was lost or torn.
	for (unsigned int i = 0; i < sent; i++) {
		union message_body body;
		assert_int_equal(front_reply(rig.front, MESSAGE_GET_FEATURES, &body), 0);
		assert_true(body.u64 & VHOST_FEATURE_VERSION_1);
	}
	assert_int_equal(rig_pump(&rig), 0);
	assert_int_equal(vhost_conn_events(rig.conn), EPOLLIN | EPOLLET);
	rig_fini(&rig);
}

static void test_bounded_work_a_call(void **state)
{
	struct front_config config = {.protocol_features = PROTOCOL_RARP};
	uint64_t mac = 2;
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	assert_int_equal(front_negotiate(rig.front), 0);
	assert_int_equal(rig_pump(&rig), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(front_request(rig.front, MESSAGE_SEND_RARP, &mac, 8), 0);
	assert_int_equal(vhost_conn_process(rig.conn, &rig.err), 1);
	assert_in_range(rig.announces, 1, 16);
	assert_int_equal(rig_pump(&rig), 0);
	assert_int_equal(rig.announces, 100);
	rig_fini(&rig);
}

static void test_no_ack_without_reply_ack(void **state)
{
	struct front_config config = {.protocol_features = PROTOCOL_MQ};
	struct message_header header = {MESSAGE_SET_OWNER, MESSAGE_VERSION | MESSAGE_NEED_REPLY, 0};
	union message_body body;
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	assert_int_equal(front_negotiate(rig.front), 0);
	assert_int_equal(front_message(rig.front, &header, NULL, NULL, 0), 0);
	// The next reply is that of the next request.
	assert_int_equal(front_request(rig.front, MESSAGE_GET_QUEUE_NUM, NULL, 0), 0);
	assert_int_equal(front_reply(rig.front, MESSAGE_GET_QUEUE_NUM, &body), 0);
	rig_fini(&rig);

	// With it: one answer a message, for those with a reply of their own too.
	rig_init(&rig, RIG_CONFIG, NULL);
	assert_int_equal(front_negotiate(rig.front), 0);
	assert_int_equal(front_message(rig.front, &header, NULL, NULL, 0), 0);
	assert_int_equal(front_reply(rig.front, MESSAGE_SET_OWNER, &body), 0);
	assert_int_equal(body.u64, 0);
	header.request = MESSAGE_GET_QUEUE_NUM;
	assert_int_equal(front_message(rig.front, &header, NULL, NULL, 0), 0);
	assert_int_equal(front_reply(rig.front, MESSAGE_GET_QUEUE_NUM, &body), 0);
	assert_int_equal(body.u64, 2);
	assert_int_equal(recv(rig.front->fd, &body, 1, MSG_DONTWAIT), -1);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_in_pieces),
		cmocka_unit_test(test_silence_and_end_within_a_message),
		cmocka_unit_test(test_refuses_malformed_headers),
		cmocka_unit_test(test_refuses_descriptors),
		cmocka_unit_test(test_replies_that_nobody_reads),
		cmocka_unit_test(test_bounded_work_a_call),
		cmocka_unit_test(test_no_ack_without_reply_ack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
