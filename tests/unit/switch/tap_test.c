// SPDX-License-Identifier: BSD-3-Clause
// A network's TAP as a port: who may send behind it, what reaches it, what it does not get back, what becomes of frames that it does
// not take, sleep.
#include "switch/deliver.h"
#include "switch/poll.h"
#include "switch/source.h"
#include "tests/lib/unit.h"
#include "tests/unit/switch/tap_scene.h"

#include <rte_rcu_qsbr.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint8_t mac_l[MAC_SIZE] = {2, 0, 0, 0, 1, 2};
static const uint8_t mac_x[MAC_SIZE] = {2, 0, 0, 0, 9, 9};
static const uint8_t broadcast[MAC_SIZE] = {255, 255, 255, 255, 255, 255};

static void test_runs_at_once_and_says_what_it_is(void **state)
{
	struct tap_scene *s = *state;
	struct wire_state *page = calloc(1, sizeof(*page));
	uint32_t fd_count = 1;
	int fds[WIRE_FDS_MAX];

	assert_non_null(page);
	assert_int_equal(s->trunk->state, WIRE_PORT_RUNNING);
	pages_state(&s->rig->sw, s->b->port->spec.port, page, fds, &fd_count);
	assert_int_equal(page->port_count, 1);
	assert_int_equal(page->ports[0].port, WIRE_TRUNK_ID(1));
	assert_int_equal(page->ports[0].kind, WIRE_PORT_TAP);
	assert_int_equal(page->ports[0].queues, 2);
	assert_int_equal(page->ports[0].state, WIRE_PORT_RUNNING);
	assert_int_equal(fd_count, 0);
	free(page);
}

static void test_to_a_station_and_back(void **state)
{
	struct tap_scene *s = *state;

	tap_send_plain(s, mac_k, 5);
	assert_int_equal(tap_get_tag(s), 5);
	assert_int_equal(rig_receive(s->b), -1);
	assert_int_equal(s->trunk->counters[0].tx_frames, 1);
	assert_int_equal(s->trunk->counters[0].tx_bytes, 60);
	tap_put_plain(s, 0, mac_b, mac_k, 6);
	tap_put_plain(s, 1, mac_b, mac_l, 7);
	assert_int_equal(tap_forward(s, 0), 1);
	assert_int_equal(tap_forward(s, 1), 1);
	assert_int_equal(rig_receive(s->b), 6);
	assert_int_equal(rig_receive(s->b), 7);
	assert_int_equal(s->trunk->counters[0].rx_frames, 2);
	assert_int_equal(s->trunk->counters[0].rx_bytes, 120);
	assert_int_equal(tap_get_tag(s), -1);
}

static void test_only_stations_may_send(void **state)
{
	struct tap_scene *s = *state;

	tap_put_plain(s, 0, mac_b, mac_x, 1);	  // Nobody's.
	tap_put_plain(s, 0, mac_b, mac_a, 2);	  // Another port's.
	tap_put_plain(s, 0, mac_b, broadcast, 3); // No source at all.
	tap_put_plain(s, 0, mac_b, mac_k, 4);
	tap_put_plain(s, 0, broadcast, mac_x, 5);
	assert_int_equal(tap_forward(s, 0), 5);
	assert_int_equal(rig_receive(s->b), 4);
	assert_int_equal(rig_receive(s->b), -1);
	assert_int_equal(tap_drops(s->trunk, DROP_SOURCE), 4);
	// Nor one that was a station.
	assert_true(stations_remove(s->rig->sw.stations, s->trunk->network->slot, mac_k));
	tap_put_plain(s, 0, mac_b, mac_k, 6);
	assert_int_equal(tap_forward(s, 0), 1);
	assert_int_equal(tap_drops(s->trunk, DROP_SOURCE), 5);
	// A station's address is nobody's from elsewhere.
	uint8_t frame[60];
	tap_make_plain(frame, mac_b, mac_l, 7);
	tap_send(s, NULL, frame, sizeof(frame));
	assert_int_equal(tap_drops(s->a->port, DROP_SOURCE), 1);
	assert_int_equal(rig_receive(s->b), -1);
}

static void test_a_burst_of_several_stations(void **state)
{
	struct tap_scene *s = *state;

	for (uint8_t i = 0; i < 20; i++)
		tap_put_plain(s, 0, i % 5 == 4 ? broadcast : mac_b, i / 3 % 2 ? mac_l : mac_k, i);
	tap_put_plain(s, 0, mac_b, mac_x, 99);
	tap_put_plain(s, 0, mac_b, mac_k, 20);
	assert_int_equal(tap_forward(s, 0), 22);
	for (int i = 0; i < 21; i++)
		assert_int_equal(rig_receive(s->b), i);
	assert_int_equal(tap_drops(s->trunk, DROP_SOURCE), 1);
	assert_int_equal(tap_get_tag(s), -1);
}

static void test_floods_go_to_the_trunk_once_and_never_back(void **state)
{
	struct tap_scene *s = *state;

	tap_send_plain(s, broadcast, 1);
	assert_int_equal(tap_get_tag(s), 1);
	assert_int_equal(tap_get_tag(s), -1);
	assert_int_equal(rig_receive(s->b), 1);
	tap_send_plain(s, mac_x, 2);
	assert_int_equal(tap_get_tag(s), 2);
	assert_int_equal(tap_get_tag(s), -1);
	assert_int_equal(rig_receive(s->b), 2);
	rig_refill(s->a, 4);
	tap_put_plain(s, 0, broadcast, mac_k, 3);
	tap_put_plain(s, 0, mac_x, mac_k, 4);
	assert_int_equal(tap_forward(s, 0), 2);
	for (int i = 3; i <= 4; i++) {
		assert_int_equal(rig_receive(s->a), i);
		assert_int_equal(rig_receive(s->b), i);
	}
	assert_int_equal(tap_get_tag(s), -1);
	// Nor is a station's frame for another one its affair.
	tap_put_plain(s, 1, mac_l, mac_k, 5);
	assert_int_equal(tap_forward(s, 1), 1);
	assert_int_equal(tap_get_tag(s), -1);
	assert_int_equal(tap_drops(s->trunk, DROP_LOCAL), 1);
}

static void test_networks_are_apart(void **state)
{
	struct tap_scene *s = *state;
	int peer;
	uint8_t byte;
	struct port *other = rig_trunk(s->rig, 2, 1, 0, &peer);

	assert_int_equal(rig_station(s->rig, other, mac_x, 1, NULL, NULL), 0);
	tap_send_plain(s, mac_x, 1); // Unknown on this network.
	tap_send_plain(s, broadcast, 2);
	assert_int_equal(read(peer, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(other->counters[0].tx_frames, 0);
	close(peer);
}

static void test_frames_that_are_none(void **state)
{
	struct tap_scene *s = *state;
	static uint8_t bytes[ROOM];

	tap_make_plain(bytes + HEADER, mac_b, mac_k, 1);
	assert_int_equal(write(s->peer[0], bytes, HEADER + FRAME_SIZE_MIN - 1), HEADER + 13);
	assert_int_equal(write(s->peer[0], bytes, 3), 3);
	assert_int_equal(write(s->peer[0], bytes, ROOM), ROOM);
	assert_int_equal(write(s->peer[0], bytes, HEADER + 1515), HEADER + 1515);
	assert_int_equal(write(s->peer[0], bytes, HEADER + 1514), HEADER + 1514);
	assert_int_equal(tap_forward(s, 0), 5);
	assert_int_equal(tap_drops(s->trunk, DROP_SHORT), 2);
	assert_int_equal(tap_drops(s->trunk, DROP_LONG), 1);
	assert_int_equal(tap_drops(s->trunk, DROP_MTU), 1);
	assert_int_equal(s->trunk->counters[0].rx_frames, 2);
	assert_int_equal(rig_receive(s->b), 1);
	assert_int_equal(rig_receive(s->b), -1);
}

static void test_a_full_queue_drops_and_holds_up_nobody(void **state)
{
	struct tap_scene *s = *state;
	uint64_t sent = 0;

	while (!tap_drops(s->trunk, DROP_FULL)) {
		tap_send_plain(s, mac_k, (uint8_t)sent);
		assert_true(++sent < 100000);
	}
	tap_send_plain(s, mac_b, 77);
	assert_int_equal(rig_receive(s->b), 77);
	assert_int_equal(s->trunk->counters[0].tx_frames, sent - 1);
	for (uint64_t i = 0; i < sent - 1; i++)
		assert_int_equal(tap_get_tag(s), (uint8_t)i);
	assert_int_equal(tap_get_tag(s), -1);
	tap_send_plain(s, mac_k, 78);
	assert_int_equal(tap_get_tag(s), 78);
}

// A frame whose bytes behind its head are in memory that is not there any more.
static void test_lost_memory_costs_the_source_its_port(void **state)
{
	struct tap_scene *s = *state;
	uint8_t head[FRAME_HEAD_SIZE];
	void *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct frame_seg seg[2] = {{head, sizeof(head)}, {gone, 1000}};
	const struct frame frame = {
		.head = head,
		.segs = seg,
		.size = sizeof(head) + 1000,
		.head_size = sizeof(head),
		.seg_count = 2,
	};
	const struct frame *run[] = {&frame, &frame};

	assert_ptr_not_equal(gone, MAP_FAILED);
	tap_make_plain(head, mac_k, mac_a, 1);
	s->rig->worker->source = s->a->port;
	deliver_run(s->rig->worker, s->trunk, run, 2);
	assert_int_equal(tap_drops(s->a->port, DROP_MEMORY), 2);
	assert_int_equal(s->a->port->fault, PORT_FAULT_MEMORY);
	assert_int_equal(s->trunk->fault, 0);
	assert_int_equal(s->trunk->counters[0].tx_frames, 0);
	assert_int_equal(tap_get_tag(s), -1);
	tap_send_plain(
		s, mac_k, 2
	); // Until the control thread comes round, what is sound still goes.
	assert_int_equal(tap_get_tag(s), 2);
	assert_int_equal(munmap(gone, 4096), 0);
}

// A frame of the test's own, in so many pieces behind its head.
static void make_pieces(
	struct frame *frame,
	struct frame_seg *segs,
	// NOLINTNEXTLINE(readability-non-const-parameter): the address of segments.
	uint8_t *bytes,
	uint32_t size,
	uint16_t pieces
)
{
	*frame = (struct frame){
		.head = bytes,
		.segs = segs,
		.size = size,
		.head_size = 14,
		.seg_count = pieces,
	};
	for (uint16_t i = 0; i < pieces; i++)
		segs[i] = (struct frame_seg){bytes + i, 1};
	segs[pieces - 1].size = size - pieces + 1u;
}

// Sound ones, such as need more than their share of a batch, and such whose memory is gone, all in one burst.
static void test_a_burst_of_all_kinds(void **state)
{
	struct tap_scene *s = *state;
	static uint8_t bytes[FRAME_BURST_MAX][200];
	static struct frame_seg segs[FRAME_BURST_MAX][100];
	struct frame frames[FRAME_BURST_MAX];
	const struct frame *run[FRAME_BURST_MAX];
	void *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(gone, MAP_FAILED);
	for (uint8_t i = 0; i < FRAME_BURST_MAX; i++) {
		tap_make_plain(bytes[i], mac_k, mac_a, i);
		make_pieces(&frames[i], segs[i], bytes[i], 200, i % 11 == 5 ? 100 : 1 + i / 2);
		if (i % 13 == 4)
			segs[i][frames[i].seg_count - 1].addr = gone;
		run[i] = &frames[i];
	}
	s->rig->worker->source = s->a->port;
	deliver_run(s->rig->worker, s->trunk, run, FRAME_BURST_MAX);
	for (int i = 0; i < FRAME_BURST_MAX; i++)
		if (i % 13 != 4)
			assert_int_equal(tap_get_tag(s), i);
	assert_int_equal(tap_get_tag(s), -1);
	assert_int_equal(tap_drops(s->a->port, DROP_MEMORY), 3);
	assert_int_equal(s->trunk->counters[0].tx_frames, FRAME_BURST_MAX - 3);
	assert_int_equal(s->trunk->counters[0].tx_bytes, 200 * (FRAME_BURST_MAX - 3));
	// The rest of a burst that does not fit is counted, frame by frame.
	uint64_t sent = FRAME_BURST_MAX - 3;
	for (int i = 0; i < FRAME_BURST_MAX; i++)
		run[i] = &frames[0];
	while (!tap_drops(s->trunk, DROP_FULL) && sent < 100000) {
		deliver_run(s->rig->worker, s->trunk, run, FRAME_BURST_MAX);
		sent += FRAME_BURST_MAX;
	}
	assert_true(s->trunk->counters[0].tx_frames > FRAME_BURST_MAX);
	assert_int_equal(s->trunk->counters[0].tx_frames + tap_drops(s->trunk, DROP_FULL), sent);
	assert_int_equal(munmap(gone, 4096), 0);
}

// More pieces than one call of writev(2) takes.
static void test_frames_in_many_pieces(void **state)
{
	struct tap_scene *s = *state;
	static uint8_t bytes[1500], got[ROOM];
	static struct frame_seg segs[FRAME_SEGS_MAX];
	struct frame frame;
	struct frame_offload offload;
	const struct frame *run[] = {&frame};

	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	make_pieces(&frame, segs, bytes, sizeof(bytes), FRAME_SEGS_MAX);
	s->rig->worker->source = s->a->port;
	deliver_run(s->rig->worker, s->trunk, run, 1);
	uint32_t size = tap_get(s, 0, &offload, got);
	if (!size)
		size = tap_get(s, 1, &offload, got);
	assert_int_equal(size, sizeof(bytes));
	assert_memory_equal(got, bytes, sizeof(bytes));
}

// A flow has one queue; flows are spread.
static void test_flows_and_queues(void **state)
{
	struct tap_scene *s = *state;
	static uint8_t frame[ROOM];
	struct frame_offload offload;
	uint32_t seen[2] = {0};

	for (uint8_t flow = 0; flow < 32; flow++) {
		uint8_t bytes[60];
		int queue_of = -1;
		tap_make_plain(bytes, mac_k, mac_a, 0x45);
		memcpy(bytes + 20, (uint8_t[]){0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, flow}, 14
		);
		for (int i = 0; i < 3; i++)
			tap_send(s, NULL, bytes, sizeof(bytes));
		for (int queue = 0; queue < 2; queue++)
			if (tap_get(s, queue, &offload, frame))
				queue_of = queue;
		assert_true(queue_of >= 0);
		seen[queue_of]++;
		assert_true(tap_get(s, queue_of, &offload, frame));
		assert_true(tap_get(s, queue_of, &offload, frame));
		assert_int_equal(tap_get_tag(s), -1);
	}
	assert_true(seen[0] >= 4 && seen[1] >= 4);
}

// A look at a TAP is a system call, so after one that found nothing there is a pause, which a wake-up ends.
static void test_an_empty_queue_is_not_asked_again_at_once(void **state)
{
	struct tap_scene *s = *state;
	struct worker *worker = s->rig->worker;
	struct port_queue *queue = &s->trunk->path->rx[0];

	assert_int_equal(tap_forward(s, 0), 0);
	tap_put_plain(s, 0, mac_b, mac_k, 1);
	assert_int_equal(forward_queue(worker, queue, 1), 0);
	worker->now += worker->tsc_hz / 1000000;
	assert_int_equal(forward_queue(worker, queue, 1), 0);
	worker->now += worker->tsc_hz / 100000;
	assert_int_equal(forward_queue(worker, queue, 1), 1);
	assert_int_equal(tap_forward(s, 0), 0);
	tap_put_plain(s, 0, mac_b, mac_k, 2);
	source_wake(queue);
	assert_int_equal(forward_queue(worker, queue, 1), 1);
}

// A worker that has slept; off line again, since the test is the control thread too.
static void nap(struct tap_scene *s)
{
	poll_sleep(s->rig->worker);
	rte_rcu_qsbr_thread_offline(s->rig->sw.qsbr, 0);
}

static struct turn *turn_of(struct tap_scene *s)
{
	struct turns *set = &s->rig->worker->set;

	return set->place[s->trunk->slot] ? &set->turn[set->place[s->trunk->slot] - 1] : NULL;
}

// Arms all queues of the trunk and takes them out of the set, as turns do. False: one has work.
static bool fall_asleep(struct tap_scene *s)
{
	struct turns *set = &s->rig->worker->set;
	struct turn *turn;

	while ((turn = turn_of(s))) {
		if (!poll_arm(s->rig->worker, &turn->queue[turn->count - 1], 0))
			return false;
		turns_take_out(set, turn, turn->count - 1u);
	}
	return true;
}

static void test_sleep_and_wake(void **state)
{
	struct tap_scene *s = *state;
	struct worker *worker = s->rig->worker;

	poll_refresh(worker); // The news of both queues.
	assert_int_equal(worker->set.queue_count, 2);
	assert_true(fall_asleep(s));
	assert_false(s->trunk->pair[0].awake);
	tap_put_plain(s, 1, mac_b, mac_k, 1);
	nap(s); // Would wait for ever.
	if (!worker->set.queue_count)
		poll_sleep(worker
		); // The first one may have been the wake-up of the control thread.
	assert_int_equal(worker->set.queue_count, 1);
	assert_true(s->trunk->pair[1].awake);
	// Not read, and its event is fetched: the look finds it.
	assert_false(fall_asleep(s));
	assert_true(s->trunk->pair[1].awake);
	assert_int_equal(tap_forward(s, 1), 1);
	assert_true(fall_asleep(s));
	// Two frames, one event: nothing is left behind either.
	tap_put_plain(s, 0, mac_b, mac_k, 1);
	tap_put_plain(s, 0, mac_b, mac_k, 2);
	nap(s);
	assert_int_equal(worker->set.queue_count, 1);
	assert_int_equal(forward_queue(worker, &s->trunk->path->rx[0], 1), 1);
	assert_false(fall_asleep(s));
	assert_int_equal(forward_queue(worker, &s->trunk->path->rx[0], 1), 1);
	assert_true(fall_asleep(s));
}

static void test_a_tap_that_is_gone(void **state)
{
	struct tap_scene *s = *state;

	poll_refresh(s->rig->worker);
	assert_true(fall_asleep(s));
	close(s->peer[0]);
	s->peer[0] = -1;
	nap(s);
	if (!s->rig->worker->set.queue_count)
		nap(s);
	assert_int_equal(s->rig->worker->set.queue_count, 1); // It learns of it.
	assert_int_equal(tap_forward(s, 0), 0);
	assert_int_equal(s->trunk->fault, PORT_FAULT_TAP);
	attach_check_faults(&s->rig->sw);
	assert_int_equal(s->trunk->state, WIRE_PORT_QUARANTINED);
	assert_string_equal(s->trunk->reason, "its TAP is gone");
	assert_null(s->trunk->path);
	tap_send_plain(s, mac_k, 1);
	assert_int_equal(tap_drops(s->trunk, DROP_DOWN), 1);
	tap_send_plain(s, mac_b, 2);
	assert_int_equal(rig_receive(s->b), 2);
	tap_send_plain(s, broadcast, 3);
	assert_int_equal(rig_receive(s->b), 3);
}

static void test_its_limits_and_flood_rules(void **state)
{
	struct tap_scene *s = *state;
	const struct wire_limits spec = {
		.flood_fps = 1, .flood_burst = 2, .tx_fps = 1, .tx_frame_burst = 3};

	limits_init(&s->trunk->limits, &spec, s->rig->worker->tsc_hz, s->rig->worker->now);
	for (uint8_t i = 0; i < 5; i++)
		tap_put_plain(s, 0, broadcast, mac_k, i);
	assert_int_equal(forward_queue(s->rig->worker, &s->trunk->path->rx[0], FRAME_BURST_MAX), 5);
	assert_int_equal(tap_drops(s->trunk, DROP_FLOOD), 3);
	for (uint8_t i = 0; i < 5; i++)
		tap_send_plain(s, mac_k, i);
	assert_int_equal(tap_drops(s->trunk, DROP_RATE), 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(tap_get_tag(s), i);
	assert_int_equal(tap_get_tag(s), -1);
}

static void test_what_is_no_trunk(void **state)
{
	struct tap_scene *s = *state;
	struct wire_port spec = {
		.port = WIRE_TRUNK_ID(2),
		.network = 2,
		.name = "t",
		.queues = 1,
		.kind = WIRE_PORT_TAP,
	};
	struct rwy_err err = {0};
	struct wire_port bad;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(trunk_check_queues(fds, 1, &err), -EINVAL);
	bad = spec;
	bad.port = 7;
	assert_int_equal(trunk_add(&s->rig->sw, &bad, -1, fds, &err), -EINVAL);
	bad = spec;
	bad.mac[0] = 2;
	assert_int_equal(trunk_add(&s->rig->sw, &bad, -1, fds, &err), -EINVAL);
	bad = spec;
	bad.queues = WIRE_QUEUES_MAX + 1;
	assert_int_equal(trunk_add(&s->rig->sw, &bad, -1, fds, &err), -EINVAL);
	bad = spec;
	bad.network = 3;
	bad.port = WIRE_TRUNK_ID(3);
	assert_int_equal(trunk_add(&s->rig->sw, &bad, -1, fds, &err), -ENOENT);
	bad = spec;
	bad.network = 1;
	bad.port = WIRE_TRUNK_ID(1);
	assert_int_equal(trunk_add(&s->rig->sw, &bad, -1, fds, &err), -EEXIST);
	close(fds[0]); // Still the test's.
	fds[0] = -1;
	assert_int_equal(trunk_add(&s->rig->sw, &spec, -1, fds, &err), -EBADF);
	assert_null(table_port(&s->rig->sw, spec.port));
	// A connection is nothing for a TAP.
	assert_int_equal(attach_connection(&s->rig->sw, s->trunk, fds[1], &err), -EINVAL);
	assert_int_equal(close(fds[1]), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tap_set_up, tap_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_runs_at_once_and_says_what_it_is),
		TEST(test_to_a_station_and_back),
		TEST(test_only_stations_may_send),
		TEST(test_a_burst_of_several_stations),
		TEST(test_floods_go_to_the_trunk_once_and_never_back),
		TEST(test_networks_are_apart),
		TEST(test_frames_that_are_none),
		TEST(test_a_full_queue_drops_and_holds_up_nobody),
		TEST(test_lost_memory_costs_the_source_its_port),
		TEST(test_a_burst_of_all_kinds),
		TEST(test_frames_in_many_pieces),
		TEST(test_flows_and_queues),
		TEST(test_an_empty_queue_is_not_asked_again_at_once),
		TEST(test_sleep_and_wake),
		TEST(test_a_tap_that_is_gone),
		TEST(test_its_limits_and_flood_rules),
		TEST(test_what_is_no_trunk),
	};
	int failed = cmocka_run_group_tests_name("in batches", tests, rig_start_eal, NULL);
	tap_without_batches = true;
	return failed + cmocka_run_group_tests_name("one by one", tests, NULL, NULL);
}
