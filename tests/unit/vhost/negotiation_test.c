// SPDX-License-Identifier: BSD-3-Clause
// What is offered, what is accepted, and the messages without rings.
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

static uint64_t ask(struct rig *rig, uint32_t request)
{
	union message_body body;
	assert_int_equal(front_request(rig->front, request, NULL, 0), 0);
	assert_int_equal(front_reply(rig->front, request, &body), 0);
	return body.u64;
}

static void test_offers_what_is_configured(void **state)
{
	struct rig rig;
	const uint64_t always = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF |
		VHOST_FEATURE_RING_INDIRECT_DESC | VHOST_FEATURE_RING_EVENT_IDX |
		VHOST_FEATURE_RING_PACKED | VHOST_FEATURE_IN_ORDER | VHOST_FEATURE_ANY_LAYOUT |
		VHOST_FEATURE_GUEST_ANNOUNCE | VHOST_FEATURE_PROTOCOL_FEATURES;

	rig_init(&rig, &(struct vhost_conn_config){.queue_pairs = 1}, NULL);
	assert_int_equal(ask(&rig, MESSAGE_GET_FEATURES), always);
	rig_fini(&rig);

	rig_init(&rig, &(struct vhost_conn_config){.queue_pairs = 3, .mtu = 1500}, NULL);
	assert_int_equal(
		ask(&rig, MESSAGE_GET_FEATURES), always | VHOST_FEATURE_MQ | VHOST_FEATURE_MTU
	);
	assert_int_equal(
		ask(&rig, MESSAGE_GET_PROTOCOL_FEATURES),
		PROTOCOL_MQ | PROTOCOL_RARP | PROTOCOL_REPLY_ACK | PROTOCOL_NET_MTU |
			PROTOCOL_RESET_DEVICE | PROTOCOL_CONFIGURE_MEM_SLOTS
	);
	assert_int_equal(front_negotiate(rig.front), 0);
	assert_int_equal(ask(&rig, MESSAGE_GET_QUEUE_NUM), 3);
	assert_int_equal(ask(&rig, MESSAGE_GET_MAX_MEM_SLOTS), VRING_REGIONS_MAX);
	assert_int_equal(vhost_conn_features(rig.conn), rig.front->features);
	assert_int_equal(vhost_conn_protocol_features(rig.conn), rig.front->protocol_features);
	assert_non_null(vhost_conn_queue(rig.conn, 5));
	assert_null(vhost_conn_queue(rig.conn, 6));
	rig_fini(&rig);
}

static void test_offers_offloads_where_wanted(void **state)
{
	const struct vhost_conn_config with = {.queue_pairs = 1, .offloads = true};
	const uint64_t offloads = VHOST_FEATURES_HOST | VHOST_FEATURES_GUEST;
	struct rig rig;

	rig_init(&rig, &(struct vhost_conn_config){.queue_pairs = 1}, NULL);
	assert_int_equal(ask(&rig, MESSAGE_GET_FEATURES) & offloads, 0);
	rig_fini(&rig);
	rig_init(&rig, &with, &(struct front_config){.features = ~0ull});
	assert_int_equal(ask(&rig, MESSAGE_GET_FEATURES) & offloads, offloads);
	assert_int_equal(front_negotiate(rig.front), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_int_equal(vhost_conn_features(rig.conn) & offloads, offloads);
	rig_fini(&rig);
}

// virtio 1.1, 5.1.3.1: nobody gets a request without what it needs beside it; what a front end may ask for holds.
static void test_offloads_need_each_other(void **state)
{
	static const struct {
		uint64_t accepted;
		uint64_t holds;
	} cases[] = {
		{VHOST_FEATURES_GUEST, VHOST_FEATURES_GUEST},
		{VHOST_FEATURES_GUEST & ~VHOST_FEATURE_GUEST_CSUM, 0},
		{VHOST_FEATURES_GUEST & ~VHOST_FEATURE_GUEST_TSO4,
		 VHOST_FEATURES_GUEST & ~VHOST_FEATURE_GUEST_TSO4},
		{VHOST_FEATURES_GUEST & ~VHOST_FEATURE_GUEST_TSO6,
		 VHOST_FEATURES_GUEST & ~VHOST_FEATURE_GUEST_TSO6},
		{VHOST_FEATURE_GUEST_CSUM | VHOST_FEATURE_GUEST_ECN, VHOST_FEATURE_GUEST_CSUM},
		{VHOST_FEATURE_CSUM | VHOST_FEATURE_GUEST_TSO4, VHOST_FEATURE_CSUM},
		{VHOST_FEATURE_GUEST_CSUM | VHOST_FEATURE_GUEST_UFO,
		 VHOST_FEATURE_GUEST_CSUM | VHOST_FEATURE_GUEST_UFO},
		{VHOST_FEATURE_GUEST_UFO, 0},
		{VHOST_FEATURE_GUEST_USO4 | VHOST_FEATURE_GUEST_USO6, 0},
		{VHOST_FEATURE_GUEST_CSUM | VHOST_FEATURE_GUEST_USO4,
		 VHOST_FEATURE_GUEST_CSUM | VHOST_FEATURE_GUEST_USO4},
		{VHOST_FEATURE_HOST_USO, VHOST_FEATURE_HOST_USO},
		// DPDK's virtio-user for an application that asks for TSO alone.
		{VHOST_FEATURE_HOST_TSO4 | VHOST_FEATURE_HOST_TSO6,
		 VHOST_FEATURE_HOST_TSO4 | VHOST_FEATURE_HOST_TSO6},
	};
	const struct vhost_conn_config with = {.queue_pairs = 1, .offloads = true};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig rig;
		struct front_config config = {
			.features = cases[i].accepted | VHOST_FEATURE_VERSION_1};
		rig_init(&rig, &with, &config);
		rig_start(&rig);
		assert_int_equal(
			vhost_conn_features(rig.conn), cases[i].holds | VHOST_FEATURE_VERSION_1
		);
		const struct vring *tx = &vhost_conn_queue(rig.conn, 1)->ring;
		assert_int_equal(tx->offloads, !!(cases[i].accepted & VHOST_FEATURES_HOST));
		rig_fini(&rig);
	}
}

static void expect_alien(uint32_t request, uint64_t value)
{
	struct rig rig;
	rig_init(&rig, RIG_CONFIG, NULL);
	assert_int_equal(front_request(rig.front, request, &value, sizeof(value)), 0);
	rig_expect_break(&rig, "not offered");
	rig_fini(&rig);
}

static void test_refuses_what_was_not_offered(void **state)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		struct rig rig;
		rig_init(&rig, RIG_CONFIG, NULL);
		uint64_t features = ask(&rig, MESSAGE_GET_FEATURES);
		uint64_t protocol = ask(&rig, MESSAGE_GET_PROTOCOL_FEATURES);
		rig_fini(&rig);
		if (!(features >> bit & 1))
			expect_alien(MESSAGE_SET_FEATURES, 1ull << bit);
		if (!(protocol >> bit & 1))
			expect_alien(MESSAGE_SET_PROTOCOL_FEATURES, 1ull << bit);
	}
}

static void test_messages_that_need_a_protocol_feature(void **state)
{
	static const struct {
		uint32_t request;
		uint32_t size;
		uint64_t without;
	} cases[] = {
		{MESSAGE_GET_QUEUE_NUM, 0, PROTOCOL_MQ},
		{MESSAGE_SEND_RARP, 8, PROTOCOL_RARP},
		{MESSAGE_NET_SET_MTU, 8, PROTOCOL_NET_MTU},
		{MESSAGE_RESET_DEVICE, 0, PROTOCOL_RESET_DEVICE},
		{MESSAGE_GET_MAX_MEM_SLOTS, 0, PROTOCOL_CONFIGURE_MEM_SLOTS},
		{MESSAGE_ADD_MEM_REG, 40, PROTOCOL_CONFIGURE_MEM_SLOTS},
		{MESSAGE_REM_MEM_REG, 40, PROTOCOL_CONFIGURE_MEM_SLOTS},
	};
	static const uint8_t zeros[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct front_config config = {.protocol_features = ~cases[i].without};
		struct rig rig;
		rig_init(&rig, RIG_CONFIG, &config);
		assert_int_equal(front_negotiate(rig.front), 0);
		assert_int_equal(
			front_request(rig.front, cases[i].request, zeros, cases[i].size), 0
		);
		rig_expect_break(&rig, "was not negotiated");
		rig_fini(&rig);
	}
}

static void test_announces(void **state)
{
	struct front_config config = {.protocol_features = PROTOCOL_RARP};
	uint64_t mac = 0x665544332202;
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	assert_int_equal(front_negotiate(rig.front), 0);
	assert_int_equal(front_request(rig.front, MESSAGE_SEND_RARP, &mac, sizeof(mac)), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_int_equal(rig.announces, 1);
	assert_memory_equal(rig.announced, "\x02\x22\x33\x44\x55\x66", MAC_SIZE);
	mac |= 1;
	assert_int_equal(front_request(rig.front, MESSAGE_SEND_RARP, &mac, sizeof(mac)), 0);
	rig_expect_break(&rig, "multicast");
	assert_int_equal(rig.announces, 1);
	rig_fini(&rig);
}

// NET_SET_MTU: the answer says whether it is valid; the connection goes on.
static void test_judges_the_mtu(void **state)
{
	struct front_config config = {.protocol_features = PROTOCOL_NET_MTU | PROTOCOL_REPLY_ACK};
	static const struct {
		uint64_t mtu;
		bool valid;
	} cases[] = {{67, false}, {68, true}, {9000, true}, {9001, false}, {~0ull, false}};
	struct rig rig;

	rig_init(&rig, &(struct vhost_conn_config){.queue_pairs = 1, .mtu = 9000}, &config);
	assert_int_equal(front_negotiate(rig.front), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = front_request_ack(
			rig.front, MESSAGE_NET_SET_MTU, &cases[i].mtu, sizeof(cases[i].mtu), -1
		);
		assert_int_equal(r, cases[i].valid ? 0 : 1);
	}
	// Without an answer asked for, there is no other way to say it.
	assert_int_equal(front_request(rig.front, MESSAGE_NET_SET_MTU, &cases[0].mtu, 8), 0);
	rig_expect_break(&rig, "MTU 67");
	rig_fini(&rig);
}

static void test_tells_a_good_end_from_a_bad_one(void **state)
{
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, NULL);
	assert_false(vhost_conn_is_gone(rig.conn));
	assert_int_equal(vhost_conn_events(rig.conn), EPOLLIN | EPOLLET);
	front_attach(rig.front, -1);
	assert_true(vhost_conn_is_gone(rig.conn));
	assert_int_equal(rig_pump(&rig), -EPIPE);
	rig_fini(&rig);

	// A reply that nobody read resets the connection: no fault of the protocol.
	rig_init(&rig, RIG_CONFIG, NULL);
	assert_int_equal(front_request(rig.front, MESSAGE_GET_FEATURES, NULL, 0), 0);
	assert_int_equal(rig_pump(&rig), 0);
	front_attach(rig.front, -1);
	assert_int_equal(rig_pump(&rig), -EPIPE);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offers_what_is_configured),
		cmocka_unit_test(test_offers_offloads_where_wanted),
		cmocka_unit_test(test_offloads_need_each_other),
		cmocka_unit_test(test_refuses_what_was_not_offered),
		cmocka_unit_test(test_messages_that_need_a_protocol_feature),
		cmocka_unit_test(test_announces),
		cmocka_unit_test(test_judges_the_mtu),
		cmocka_unit_test(test_tells_a_good_end_from_a_bad_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
