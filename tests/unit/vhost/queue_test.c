// SPDX-License-Identifier: BSD-3-Clause
// Rings: when they become live and stop being so, and every set-up that is refused.
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void send_state(struct rig *rig, uint32_t request, uint32_t index, uint32_t num)
{
	struct message_ring_state state = {index, num};
	assert_int_equal(front_request(rig->front, request, &state, sizeof(state)), 0);
}

static void send_fd(struct rig *rig, uint32_t request, uint64_t value, int fd)
{
	assert_int_equal(front_request_fd(rig->front, request, &value, sizeof(value), fd), 0);
}

static void test_start_and_stop(void **state)
{
	struct front_config config = {.queue_pairs = 2, .with_calls = true};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	for (unsigned int i = 0; i < 4; i++) {
		struct vhost_queue *queue = vhost_conn_queue(rig.conn, i);
		assert_true(queue->live && queue->started && queue->enabled);
		assert_true(queue->kick_fd >= 0 && queue->call_fd >= 0);
		assert_int_equal(queue->ring.size, 256);
		assert_int_equal(queue->ring.header_size, 12);
		assert_true(queue->ring.mergeable && queue->ring.indirect);
		assert_true(fcntl(queue->call_fd, F_GETFL) & O_NONBLOCK);
	}
	assert_int_equal(rig.quiesces, rig.resumes);
	// Disabled: not live, but its place is kept.
	struct vhost_queue *queue = vhost_conn_queue(rig.conn, 1);
	queue->ring.next_avail = 5;
	assert_int_equal(front_enable_queue(rig.front, 1, false), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(!queue->live && queue->started && !queue->enabled);
	assert_int_equal(front_enable_queue(rig.front, 1, true), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(queue->live);
	assert_int_equal(queue->ring.next_avail, 5);
	// GET_VRING_BASE stops and tells the place.
	union message_body body;
	send_state(&rig, MESSAGE_GET_VRING_BASE, 1, 0);
	assert_int_equal(front_reply(rig.front, MESSAGE_GET_VRING_BASE, &body), 0);
	assert_int_equal(body.state.index, 1);
	assert_int_equal(body.state.num, 5);
	assert_true(!queue->live && !queue->started && queue->kick_fd == -1);
	assert_int_equal(front_enable_queue(rig.front, 1, true), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_false(queue->live);
	// A restart, polled this time.
	send_state(&rig, MESSAGE_SET_VRING_BASE, 1, 65535);
	send_fd(&rig, MESSAGE_SET_VRING_KICK, 1 | MESSAGE_RING_NOFD, -1);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(queue->live && queue->kick_fd == -1);
	assert_int_equal(queue->ring.next_avail, 65535);
	rig_fini(&rig);
}

// A front end that outlived its back end says 0 to the next one (DPDK's virtio-user as server).
static void test_goes_on_where_a_lost_back_end_stood(void **state)
{
	struct front_config config = {.queue_pairs = 1};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	struct vhost_queue *queue = vhost_conn_queue(rig.conn, 1);
	void *used = queue->ring.used;
	union message_body body;
	send_state(&rig, MESSAGE_GET_VRING_BASE, 1, 0);
	assert_int_equal(front_reply(rig.front, MESSAGE_GET_VRING_BASE, &body), 0);
	((uint16_t *)used)[1] = 700; // virtio 1.1, 2.6.8: flags, then idx.
	send_state(&rig, MESSAGE_SET_VRING_BASE, 1, 0);
	send_fd(&rig, MESSAGE_SET_VRING_KICK, 1 | MESSAGE_RING_NOFD, -1);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(queue->live);
	assert_int_equal(queue->ring.next_avail, 700);
	assert_int_equal(queue->ring.next_used, 700);
	rig_fini(&rig);
}

// "Ring states": without protocol features a ring is enabled from its start.
static void test_legacy_front_end(void **state)
{
	struct front_config config = {.features = VHOST_FEATURE_ANY_LAYOUT, .queue_pairs = 2};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	struct vhost_queue *queue = vhost_conn_queue(rig.conn, 3);
	assert_true(queue->live);
	assert_int_equal(queue->ring.header_size, 10);
	assert_false(queue->ring.mergeable || queue->ring.indirect);
	assert_int_equal(queue->call_fd, -1);
	// Older virtio-user disables without having negotiated that.
	assert_int_equal(front_enable_queue(rig.front, 3, false), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_false(queue->live);
	assert_int_equal(front_request(rig.front, MESSAGE_RESET_OWNER, NULL, 0), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_false(vhost_conn_queue(rig.conn, 0)->live);
	send_fd(&rig, MESSAGE_SET_VRING_KICK, MESSAGE_RING_NOFD, -1);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(vhost_conn_queue(rig.conn, 0)->live);
	rig_fini(&rig);
}

static void test_resets(void **state)
{
	struct front_config config = {
		.queue_pairs = 2,
		.protocol_features = PROTOCOL_RESET_DEVICE | PROTOCOL_CONFIGURE_MEM_SLOTS};
	struct rig rig;
	uint64_t size;

	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	assert_int_equal(front_request(rig.front, MESSAGE_RESET_OWNER, NULL, 0), 0);
	assert_int_equal(rig_pump(&rig), 0);
	for (unsigned int i = 0; i < 4; i++) {
		assert_false(vhost_conn_queue(rig.conn, i)->live);
		assert_int_equal(front_enable_queue(rig.front, i, true), 0);
		assert_int_equal(rig_pump(&rig), 0);
		assert_true(vhost_conn_queue(rig.conn, i)->live);
	}
	unsigned int fds = count_fds();
	assert_int_equal(front_request(rig.front, MESSAGE_RESET_DEVICE, NULL, 0), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_int_equal(count_fds(), fds - 4);
	assert_int_equal(vhost_conn_features(rig.conn), 0);
	assert_int_equal(vhost_conn_regions(rig.conn, &size), 1);
	for (unsigned int i = 0; i < 4; i++) {
		assert_false(vhost_conn_queue(rig.conn, i)->live);
		assert_false(vhost_conn_queue(rig.conn, i)->started);
	}
	rig_start(&rig);
	assert_true(vhost_conn_queue(rig.conn, 3)->live);
	rig_fini(&rig);
}

static void test_refuses_bad_states(void **state)
{
	static const struct {
		uint32_t request;
		uint32_t index;
		uint32_t num;
		const char *reason;
	} cases[] = {
		{MESSAGE_SET_VRING_NUM,
		 0,
		 0,
		 "SET_VRING_NUM: ring 0: 0 entries, not a power of two"},
		{MESSAGE_SET_VRING_NUM, 0, 1, "ring 0: 1 entries"},
		{MESSAGE_SET_VRING_NUM, 0, 3, "ring 0: 3 entries"},
		{MESSAGE_SET_VRING_NUM, 0, 32769, "ring 0: 32769 entries"},
		{MESSAGE_SET_VRING_NUM, 0, 65536, "ring 0: 65536 entries"},
		// Grown while it runs, over what lies behind it.
		{MESSAGE_SET_VRING_NUM, 1, 32768, "ring 1: "},
		{MESSAGE_SET_VRING_NUM, 4, 256, "ring 4 of 4"},
		{MESSAGE_SET_VRING_NUM, 255, 256, "ring 255 of 4"},
		{MESSAGE_SET_VRING_NUM, 256, 256, "ring 256 of 4"},
		{MESSAGE_SET_VRING_NUM, UINT32_MAX, 256, "ring 4294967295 of 4"},
		{MESSAGE_SET_VRING_BASE, 0, 65536, "ring 0 at index 65536"},
		{MESSAGE_SET_VRING_BASE, 4, 0, "ring 4 of 4"},
		{MESSAGE_GET_VRING_BASE, 4, 0, "ring 4 of 4"},
		{MESSAGE_SET_VRING_ENABLE, 0, 2, "ring 0 to state 2"},
		{MESSAGE_SET_VRING_ENABLE, 4, 1, "ring 4 of 4"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig rig;
		struct front_config config = {.queue_pairs = 2};
		rig_init(&rig, RIG_CONFIG, &config);
		rig_start(&rig);
		send_state(&rig, cases[i].request, cases[i].index, cases[i].num);
		rig_expect_break(&rig, cases[i].reason);
		assert_int_equal(rig.quiesces, rig.resumes);
		rig_fini(&rig);
	}
}

// Each moves the addresses of ring 1, which runs, to a place where it cannot be.
static void test_refuses_bad_addresses(void **state)
{
	enum {
		DESC,
		AVAIL,
		USED,
		FLAGS
	};
	static const struct {
		int which;
		int64_t by;
		const char *reason;
	} cases[] = {
		{DESC, 8, "descriptor table at"},
		{AVAIL, 1, "available ring at"},
		{USED, 2, "used ring at"},
		{DESC, -(1ll << 40), "lies outside"},
		{AVAIL, 1ll << 40, "lies outside"},
		{USED, 1ll << 62, "lies outside"},
		{DESC, 4096, "overlap"},
		{AVAIL, -64, "overlap"},
		{USED, -64, "overlap"},
		{FLAGS, 1, "logging"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig rig;
		struct front_config config = {.queue_pairs = 2};
		rig_init(&rig, RIG_CONFIG, &config);
		rig_start(&rig);
		struct message_ring_addr addr = front_addr_message(rig.front, 1);
		uint64_t by = (uint64_t)cases[i].by;
		addr.desc += cases[i].which == DESC ? by : 0;
		addr.avail += cases[i].which == AVAIL ? by : 0;
		addr.used += cases[i].which == USED ? by : 0;
		addr.flags += cases[i].which == FLAGS ? 1 : 0;
		assert_int_equal(
			front_request(rig.front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr)), 0
		);
		rig_expect_break(&rig, cases[i].reason);
		// Its neighbour is untouched.
		assert_true(vhost_conn_queue(rig.conn, 0)->live);
		rig_fini(&rig);
	}
}

static void test_area_at_the_end_of_memory(void **state)
{
	struct front_config config = {.queue_pairs = 1};
	struct rig rig;

	rig_init(&rig, &(struct vhost_conn_config){.queue_pairs = 1}, &config);
	rig_start(&rig);
	struct front_region *region = &rig.front->region[0];
	struct message_ring_addr addr = front_addr_message(rig.front, 1);
	addr.used = (uintptr_t)region->addr + region->size -
		vring_area_size(&(struct vring_config){.size = 256}, VRING_AREA_USED);
	assert_int_equal(front_request(rig.front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr)), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(vhost_conn_queue(rig.conn, 1)->live);
	addr.used += 4;
	assert_int_equal(front_request(rig.front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr)), 0);
	rig_expect_break(&rig, "used ring at");
	rig_fini(&rig);
}

static void test_refuses_what_is_no_eventfd(void **state)
{
	struct rig rig;
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	const int bad[] = {
		pipe_fds[0],
		pipe_fds[1],
		open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		open("/dev/null", O_RDWR | O_CLOEXEC),
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (uint32_t what = MESSAGE_SET_VRING_KICK; what <= MESSAGE_SET_VRING_ERR;
		     what++) {
			rig_init(&rig, RIG_CONFIG, NULL);
			assert_int_equal(front_negotiate(rig.front), 0);
			send_fd(&rig, what, 0, bad[i]);
			rig_expect_break(&rig, "not an eventfd");
			rig_fini(&rig);
		}
		close(bad[i]);
	}
}

static void test_descriptor_and_payload_agree(void **state)
{
	static const struct {
		uint64_t value;
		bool with_fd;
		const char *reason;
	} cases[] = {
		{0, false, "comes with 0 descriptors"},
		{MESSAGE_RING_NOFD, true, "comes with 1 descriptors"},
		{0x200, true, "payload 0x200"},
		{1ull << 63 | MESSAGE_RING_NOFD, false, "payload 0x8000000000000100"},
		{255, true, "ring 255 of 4"},
		{4 | MESSAGE_RING_NOFD, false, "ring 4 of 4"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig rig;
		rig_init(&rig, RIG_CONFIG, NULL);
		assert_int_equal(front_negotiate(rig.front), 0);
		send_fd(&rig,
			MESSAGE_SET_VRING_CALL,
			cases[i].value,
			cases[i].with_fd ? rig.front->queue[0].kick_fd : -1);
		rig_expect_break(&rig, cases[i].reason);
		rig_fini(&rig);
	}
}

// Hostile catalogue, 20: swapped as fast as it goes; each old descriptor is closed, each change quiesced.
static void test_swaps_eventfds(void **state)
{
	struct front_config config = {.queue_pairs = 2, .with_calls = true};
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, &config);
	rig_start(&rig);
	unsigned int fds = count_fds();
	unsigned int quiesces = rig.quiesces;
	for (int i = 0; i < 1000; i++) {
		struct front_queue *queue = &rig.front->queue[i % 4];
		send_fd(&rig, MESSAGE_SET_VRING_KICK, (unsigned int)i % 4, queue->call_fd);
		send_fd(&rig, MESSAGE_SET_VRING_CALL, (unsigned int)i % 4, queue->kick_fd);
		send_fd(&rig, MESSAGE_SET_VRING_ERR, (unsigned int)i % 4, queue->kick_fd);
		assert_int_equal(rig_pump(&rig), 0);
	}
	assert_int_equal(count_fds(), fds + 4); // The four of SET_VRING_ERR.
	assert_int_equal(rig.quiesces, quiesces + 3000);
	assert_int_equal(rig.quiesces, rig.resumes);
	rig_fini(&rig);
}

static void test_features_stay_while_running(void **state)
{
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, NULL);
	rig_start(&rig);
	uint64_t features = rig.front->features;
	assert_int_equal(front_request(rig.front, MESSAGE_SET_FEATURES, &features, 8), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(vhost_conn_queue(rig.conn, 1)->live);
	features &= ~VHOST_FEATURE_MRG_RXBUF;
	assert_int_equal(front_request(rig.front, MESSAGE_SET_FEATURES, &features, 8), 0);
	rig_expect_break(&rig, "changed while a ring is running");
	rig_fini(&rig);
}

// Nothing is quiesced while nothing runs: a set-up disturbs no worker before its first ring.
static void test_quiesces_only_when_needed(void **state)
{
	struct rig rig;

	rig_init(&rig, RIG_CONFIG, NULL);
	assert_int_equal(front_negotiate(rig.front), 0);
	assert_int_equal(front_share_memory(rig.front), 0);
	send_state(&rig, MESSAGE_SET_VRING_NUM, 0, 256);
	send_state(&rig, MESSAGE_SET_VRING_BASE, 0, 0);
	assert_int_equal(front_enable_queue(rig.front, 0, true), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_int_equal(rig.quiesces, 0);
	send_fd(&rig, MESSAGE_SET_VRING_KICK, 0, rig.front->queue[0].kick_fd);
	assert_int_equal(rig_pump(&rig), 0);
	assert_int_equal(rig.quiesces, 0);
	// Started without addresses: it waits for them.
	assert_false(vhost_conn_queue(rig.conn, 0)->live);
	struct message_ring_addr addr = front_addr_message(rig.front, 0);
	assert_int_equal(front_request(rig.front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr)), 0);
	assert_int_equal(rig_pump(&rig), 0);
	assert_true(vhost_conn_queue(rig.conn, 0)->live);
	assert_int_equal(rig.quiesces, 0);
	assert_true(rig.grows > 0);
	// Another ring's set-up leaves this one alone.
	send_state(&rig, MESSAGE_SET_VRING_NUM, 1, 256);
	assert_int_equal(rig_pump(&rig), 0);
	assert_int_equal(rig.quiesces, 0);
	// Disabled, stopped: one more, for the first of the two.
	assert_int_equal(front_stop(rig.front), 0);
	assert_int_equal(rig.quiesces, 1);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_and_stop),
		cmocka_unit_test(test_goes_on_where_a_lost_back_end_stood),
		cmocka_unit_test(test_legacy_front_end),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_refuses_bad_states),
		cmocka_unit_test(test_refuses_bad_addresses),
		cmocka_unit_test(test_area_at_the_end_of_memory),
		cmocka_unit_test(test_refuses_what_is_no_eventfd),
		cmocka_unit_test(test_descriptor_and_payload_agree),
		cmocka_unit_test(test_swaps_eventfds),
		cmocka_unit_test(test_features_stay_while_running),
		cmocka_unit_test(test_quiesces_only_when_needed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
