// SPDX-License-Identifier: BSD-3-Clause
// Two workers, a control thread and front ends, each a thread of its own. Queues fall asleep at once, so nearly every frame has
// to wake its queue, while the control thread moves queues between workers, publishes paths anew, and lets other ports come and go.
// A wake-up that is lost stops the exchange for good, which is what fails the test. Run it under TSan too (-Db_sanitize=thread).
#include "switch/board.h"
#include "switch/count.h"
#include "switch/eal.h"
#include "switch/switch.h"
#include "switch/trunk.h"
#include "tests/lib/unit.h"

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORKERS 2
#define RING 8
#define HEADER 12
#define FRAME 60
#define BUFFER 256
#define ROUNDS 4000
#define HITS 100000
#define STALL_SECONDS 60 // Nothing happened for so long: it never will.

// virtio 1.1, 2.6.5 to 2.6.8.
struct desc {
	uint64_t addr;
	uint32_t size;
	uint16_t flags, next;
};

struct ring {
	struct desc desc[RING];
	uint16_t avail_flags, avail_idx, avail_ring[RING];
	uint16_t pad[2];
	uint16_t used_flags, used_idx;
	struct {
		uint32_t id, size;
	} used_ring[RING];
	uint8_t buffer[RING][BUFFER];
	uint16_t next; // The front end's: the next entry to make available, or to find used.
} __attribute__((aligned(64)));

struct end {
	struct ring tx, rx;
	struct vring tx_back, rx_back;
	int kick_fd;
	struct port *port;
};

struct scene {
	struct switch_state sw;
	struct board board;
	pthread_t thread[WORKERS];
	struct vring_mem mem;
	struct end end[3];
	uint32_t rounds;    // Of the exchange between the first two ends.
	struct port *trunk; // In the first end's place; NULL: none.
	int peer;	    // The other side of its TAP.
	bool stop;
};

static void init_ring(struct scene *scene, struct ring *ring, struct vring *back, bool receive)
{
	const struct vring_areas areas = {ring->desc, &ring->avail_flags, &ring->used_flags};
	const struct vring_config config = {.size = RING, .header_size = HEADER};

	memset(ring, 0, sizeof(*ring));
	for (uint16_t i = 0; i < RING; i++) {
		ring->desc[i] = (struct desc){
			.addr = (uintptr_t)ring->buffer[i],
			.size = receive ? BUFFER : HEADER + FRAME,
			.flags = receive ? 2 : 0, // VIRTQ_DESC_F_WRITE
		};
		ring->avail_ring[i] = i;
	}
	assert_int_equal(vring_init(back, &areas, &config, &scene->mem), 0);
	if (receive)
		__atomic_store_n(&ring->avail_idx, RING, __ATOMIC_RELEASE);
}

static struct port_path *make_path(struct end *end)
{
	struct port_path *path = calloc(1, sizeof(*path));

	assert_non_null(path);
	path->rx_count = path->tx_count = 1;
	path->rx[0] = (struct port_queue){
		.port = end->port,
		.ring = &end->tx_back,
		.call_fd = -1,
		.kick_fd = end->kick_fd,
	};
	path->tx[0] = (struct port_queue){
		.port = end->port,
		.ring = &end->rx_back,
		.call_fd = -1,
		.kick_fd = -1,
		.lock = &end->port->pair[0].lock,
	};
	return path;
}

static void add_port(struct scene *scene, uint32_t number)
{
	struct end *end = &scene->end[number];
	struct rwy_err err = {0};
	const struct wire_port spec = {
		.port = number + 1,
		.network = 1,
		.name = "p",
		.queues = 1,
		.mac = {2, 0, 0, 0, 0, (uint8_t)number},
	};

	assert_int_equal(table_add_port(&scene->sw, &spec, -1, -1, &err), 0);
	end->port = table_port(&scene->sw, spec.port);
	init_ring(scene, &end->tx, &end->tx_back, false);
	init_ring(scene, &end->rx, &end->rx_back, true);
	end->kick_fd = eventfd(0, EFD_NONBLOCK);
	assert_true(end->kick_fd >= 0);
	assert_int_equal(publish_path(&scene->sw, end->port, make_path(end)), 0);
}

static void remove_port(struct scene *scene, uint32_t number)
{
	struct end *end = &scene->end[number];

	publish_remove(&scene->sw, end->port);
	assert_int_equal(table_remove_port(&scene->sw, number + 1, NULL), 0);
	close(end->kick_fd);
}

static void kick(struct end *end)
{
	// virtio 1.1, 2.6.10: the index is visible, then the flag is read.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&end->tx.used_flags, __ATOMIC_RELAXED) & 1))
		(void)eventfd_write(end->kick_fd, 1);
}

static bool send_frame(struct scene *scene, struct end *end, uint8_t to, uint32_t sequence)
{
	struct ring *ring = &end->tx;
	uint8_t *frame = ring->buffer[ring->next % RING] + HEADER;
	const uint8_t mac = (uint8_t)(end - scene->end);

	while ((uint16_t)(ring->next - __atomic_load_n(&ring->used_idx, __ATOMIC_ACQUIRE)) == RING
	) {
		if (__atomic_load_n(&scene->stop, __ATOMIC_ACQUIRE))
			return false;
		sched_yield();
	}
	memset(frame, 0, FRAME);
	memcpy(frame, (uint8_t[]){2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, mac, 0x88, 0xb5}, 14);
	memcpy(frame + 14, &sequence, sizeof(sequence));
	__atomic_store_n(&ring->avail_idx, ++ring->next, __ATOMIC_RELEASE);
	kick(end);
	return true;
}

static bool receive_frame(struct scene *scene, struct end *end, uint32_t *ret_sequence)
{
	struct ring *ring = &end->rx;

	while (__atomic_load_n(&ring->used_idx, __ATOMIC_ACQUIRE) == ring->next) {
		if (__atomic_load_n(&scene->stop, __ATOMIC_ACQUIRE))
			return false;
		sched_yield();
	}
	uint32_t id = ring->used_ring[ring->next % RING].id;
	memcpy(ret_sequence, ring->buffer[id] + HEADER + 14, sizeof(*ret_sequence));
	ring->avail_ring[ring->next % RING] = (uint16_t)id;
	ring->next++;
	__atomic_store_n(&ring->avail_idx, (uint16_t)(ring->next + RING), __ATOMIC_RELEASE);
	return true;
}

static void *run_asker(void *arg)
{
	struct scene *scene = arg;
	uint32_t sequence = 0;
	uint32_t state = 1;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (!send_frame(scene, &scene->end[0], 1, i) ||
		    !receive_frame(scene, &scene->end[0], &sequence))
			return NULL;
		if (sequence != i)
			return NULL; // The rounds say so.
		__atomic_store_n(&scene->rounds, i + 1, __ATOMIC_RELEASE);
		state = state * 1664525 + 1013904223;
		for (uint32_t n = state >> 20; n; n--)
			__asm__ volatile("");
	}
	return NULL;
}

// Sends a frame shortly after the last one was given back: while the worker finds the ring empty, arms it, looks again, or has
// just fallen asleep. Nobody has to receive them.
static void *run_hitter(void *arg)
{
	struct scene *scene = arg;
	struct ring *ring = &scene->end[0].tx;
	uint32_t state = 1;

	for (uint32_t i = 0; i < HITS; i++) {
		uint32_t waits = 0;
		if (!send_frame(scene, &scene->end[0], 1, i))
			return NULL;
		while (__atomic_load_n(&ring->used_idx, __ATOMIC_ACQUIRE) != ring->next) {
			if (__atomic_load_n(&scene->stop, __ATOMIC_ACQUIRE))
				return NULL;
			if (++waits % 4096 == 0)
				sched_yield();
		}
		__atomic_store_n(&scene->rounds, i + 1, __ATOMIC_RELEASE);
		state = state * 1664525 + 1013904223;
		for (uint32_t n = state >> 22; n; n--)
			__asm__ volatile("");
	}
	return NULL;
}

static void *run_answerer(void *arg)
{
	struct scene *scene = arg;
	uint32_t sequence;

	while (receive_frame(scene, &scene->end[1], &sequence))
		if (!send_frame(scene, &scene->end[1], 0, sequence))
			return NULL;
	return NULL;
}

static void *run_worker(void *arg)
{
	(void)worker_main(arg); // Always 0.
	return NULL;
}

static void set_up_workers(struct scene *scene, uint64_t quiet_cycles)
{
	struct switch_state *sw = &scene->sw;
	struct rwy_err err = {0};
	struct worker_config config = {
		.guarded = true,
		.fault_fd = sw->fault_fd,
		.quiet_cycles = quiet_cycles,
		.tsc_hz = sw->tsc_hz,
		.start_tsc = sw->start_tsc,
		.ports = &sw->table,
		.fdb = sw->fdb,
		.stations = sw->stations,
		.qsbr = sw->qsbr,
	};

	for (uint32_t i = 0; i < WORKERS; i++) {
		config.index = i;
		config.board = &scene->board.worker[i];
		sw->workers[i] = worker_new(&config, &err);
		assert_non_null(sw->workers[i]);
		sw->worker_count++;
	}
	for (uint32_t i = 0; i < WORKERS; i++)
		assert_int_equal(
			pthread_create(&scene->thread[i], NULL, run_worker, sw->workers[i]), 0
		);
}

static struct scene *scene_new(uint64_t quiet_cycles)
{
	struct scene *scene = aligned_alloc(64, sizeof(*scene));
	const struct wire_network network = {.network = 1, .name = "n", .mtu = 1500};
	size_t size = (rte_rcu_qsbr_get_memsize(WORKERS) + 63) & ~(size_t)63;
	struct rwy_err err = {0};

	assert_non_null(scene);
	memset(scene, 0, sizeof(*scene));
	struct switch_state *sw = &scene->sw;
	sw->qsbr = aligned_alloc(64, size);
	assert_non_null(sw->qsbr);
	assert_int_equal(rte_rcu_qsbr_init(sw->qsbr, WORKERS), 0);
	sw->fdb = fdb_new(sw->qsbr, &err);
	assert_non_null(sw->fdb);
	sw->stations = stations_new(sw->qsbr, sw->fdb);
	assert_non_null(sw->stations);
	sw->tsc_hz = rte_get_tsc_hz();
	sw->start_tsc = rte_rdtsc();
	sw->fault_fd = eventfd(0, EFD_NONBLOCK);
	sw->board = &scene->board;
	sw->running = sw->active = true;
	sw->daemon_fd = -1;
	scene->mem = (struct vring_mem){
		.count = 1,
		.region[0] =
			{
				.gpa = (uintptr_t)scene->end,
				.size = sizeof(scene->end),
				.user = (uintptr_t)scene->end,
				.host = (uint8_t *)scene->end,
			},
	};
	assert_int_equal(table_add_network(sw, &network, &err), 0);
	set_up_workers(scene, quiet_cycles);
	return scene;
}

static void scene_free(struct scene *scene)
{
	struct switch_state *sw = &scene->sw;

	if (scene->trunk) {
		assert_int_equal(table_remove_port(sw, scene->trunk->spec.port, NULL), 0);
		close(scene->peer);
	}
	while (sw->ports)
		remove_port(scene, sw->ports->spec.port - 1);
	for (uint32_t i = 0; i < WORKERS; i++) {
		__atomic_store_n(&sw->workers[i]->stop, true, __ATOMIC_RELEASE);
		(void)eventfd_write(sw->workers[i]->wake_fd, 1); // It cannot be full.
		assert_int_equal(pthread_join(scene->thread[i], NULL), 0);
		assert_int_equal(sw->load[i].queues, 0);
		worker_free(sw->workers[i]);
	}
	assert_int_equal(table_remove_network(sw, 1, NULL), 0);
	stations_free(sw->stations);
	fdb_free(sw->fdb);
	close(sw->fault_fd);
	free(sw->qsbr);
	free(scene);
}

// What the control thread does meanwhile, one thing after the other.
static void disturb(struct scene *scene, uint32_t step)
{
	struct end *end = &scene->end[step / 4 % 2];

	if (scene->trunk) {
		struct port *port = step % 2 ? scene->trunk : scene->end[1].port;
		assign_move(&scene->sw, port, 0, port->pair[0].worker ^ 1);
		return;
	}
	switch (step % 4) {
	case 0: // The same rings in a new path: nobody notices.
		assert_int_equal(publish_path(&scene->sw, end->port, make_path(end)), 0);
		break;
	case 1:
		assign_move(&scene->sw, end->port, 0, end->port->pair[0].worker ^ 1);
		break;
	case 2: // A third port comes and goes, kicks without work, and leaves events behind.
		add_port(scene, 2);
		for (int i = 0; i < 20; i++)
			(void)eventfd_write(scene->end[2].kick_fd, 1);
		break;
	default:
		(void)eventfd_write(scene->end[2].kick_fd, 1);
		remove_port(scene, 2);
		break;
	}
}

// Returns false when nothing moves any more.
static bool watch(struct scene *scene, uint32_t wanted, bool disturbing)
{
	uint64_t deadline = rte_rdtsc() + STALL_SECONDS * scene->sw.tsc_hz;
	uint32_t seen = 0;

	for (uint32_t step = 0;; step++) {
		uint32_t rounds = __atomic_load_n(&scene->rounds, __ATOMIC_ACQUIRE);
		if (rounds == wanted && step % 4 == 0)
			return true;
		if (rounds != seen)
			deadline = rte_rdtsc() + STALL_SECONDS * scene->sw.tsc_hz;
		seen = rounds;
		if (rte_rdtsc() > deadline)
			return false;
		if (disturbing)
			disturb(scene, step);
		usleep(200);
	}
}

static void exchange(uint64_t quiet_cycles, bool disturbing)
{
	struct scene *scene = scene_new(quiet_cycles);
	pthread_t asker, answerer;

	add_port(scene, 0);
	add_port(scene, 1);
	assert_int_equal(pthread_create(&answerer, NULL, run_answerer, scene), 0);
	assert_int_equal(pthread_create(&asker, NULL, run_asker, scene), 0);
	bool done = watch(scene, ROUNDS, disturbing);
	__atomic_store_n(&scene->stop, true, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(asker, NULL), 0);
	assert_int_equal(pthread_join(answerer, NULL), 0);
	if (!done)
		fail_msg("stuck after %u of %u rounds", scene->rounds, ROUNDS);
	// The ports started on different workers, and both had to sleep for this to be a test.
	if (quiet_cycles == 0)
		for (uint32_t i = 0; i < WORKERS; i++)
			assert_true(count_read(&scene->sw.workers[i]->sleeps) > 100);
	scene_free(scene);
}

// A TAP with the first end's address behind it: a socket pair, which keeps frames apart as a TAP does.
static void add_tap(struct scene *scene)
{
	const struct wire_port port = {
		.port = WIRE_TRUNK_ID(1),
		.network = 1,
		.name = "t",
		.queues = 1,
		.kind = WIRE_PORT_TAP,
	};
	const struct wire_station station = {
		.port = port.port, .network = 1, .mac = {2, 0, 0, 0, 0, 0}};
	const struct timeval patience = {.tv_sec = STALL_SECONDS};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(
		setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0
	);
	assert_int_equal(trunk_add(&scene->sw, &port, -1, pair, NULL), 0);
	scene->trunk = table_port(&scene->sw, port.port);
	scene->peer = pair[1];
	assert_int_equal(stations_add(scene->sw.stations, &station, scene->trunk, NULL), 0);
}

static void *run_tap_asker(void *arg)
{
	struct scene *scene = arg;
	uint8_t frame[HEADER + FRAME] = {0};
	const uint8_t head[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0x88, 0xb5};
	uint32_t state = 1;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		memcpy(frame + HEADER, head, sizeof(head));
		memcpy(frame + HEADER + sizeof(head), &i, sizeof(i));
		if (write(scene->peer, frame, sizeof(frame)) != sizeof(frame) ||
		    read(scene->peer, frame, sizeof(frame)) != sizeof(frame) ||
		    memcmp(frame + HEADER + sizeof(head), &i, sizeof(i)) != 0)
			return NULL; // The rounds say so.
		__atomic_store_n(&scene->rounds, i + 1, __ATOMIC_RELEASE);
		state = state * 1664525 + 1013904223;
		for (uint32_t n = state >> 20; n; n--)
			__asm__ volatile("");
	}
	return NULL;
}

static void exchange_with_tap(uint64_t quiet_cycles, bool disturbing)
{
	struct scene *scene = scene_new(quiet_cycles);
	pthread_t asker, answerer;

	add_tap(scene);
	add_port(scene, 1);
	assert_int_equal(pthread_create(&answerer, NULL, run_answerer, scene), 0);
	assert_int_equal(pthread_create(&asker, NULL, run_tap_asker, scene), 0);
	bool done = watch(scene, ROUNDS, disturbing);
	__atomic_store_n(&scene->stop, true, __ATOMIC_RELEASE);
	(void)shutdown(scene->peer, SHUT_RD); // Whoever waits there.
	assert_int_equal(pthread_join(asker, NULL), 0);
	assert_int_equal(pthread_join(answerer, NULL), 0);
	if (!done)
		fail_msg("stuck after %u of %u rounds", scene->rounds, ROUNDS);
	if (quiet_cycles == 0)
		for (uint32_t i = 0; i < WORKERS; i++)
			assert_true(count_read(&scene->sw.workers[i]->sleeps) > 100);
	scene_free(scene);
}

static void test_no_wake_up_by_a_tap_is_lost(void **state)
{
	exchange_with_tap(0, false);
}

static void test_nor_while_its_queue_moves(void **state)
{
	exchange_with_tap(0, true);
}

static void test_nor_with_naps_beside_a_tap(void **state)
{
	exchange_with_tap(rte_get_tsc_hz() / 50000, true);
}

// The moment of falling asleep, again and again.
static void test_no_frame_is_overlooked(void **state)
{
	struct scene *scene = scene_new(0);
	pthread_t hitter;

	add_port(scene, 0);
	add_port(scene, 1);
	assert_int_equal(pthread_create(&hitter, NULL, run_hitter, scene), 0);
	bool done = watch(scene, HITS, false);
	__atomic_store_n(&scene->stop, true, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(hitter, NULL), 0);
	if (!done)
		fail_msg("stuck after %u of %u frames", scene->rounds, HITS);
	scene_free(scene);
}

static void test_no_wake_up_is_lost(void **state)
{
	exchange(0, false);
}

static void test_nor_while_queues_move(void **state)
{
	exchange(0, true);
}

static void test_nor_with_short_naps(void **state)
{
	exchange(rte_get_tsc_hz() / 500000, true);
}

static void test_always_awake(void **state)
{
	exchange(UINT64_MAX, true);
}

// More news than the worker's list holds, while it sleeps: all are seen.
static void test_a_flood_of_news(void **state)
{
	struct scene *scene = scene_new(0);

	for (uint32_t i = 0; i < 3 * POLL_NEWS; i++) {
		add_port(scene, 2);
		remove_port(scene, 2);
	}
	add_port(scene, 0);
	add_port(scene, 1);
	uint32_t sequence = 0;
	assert_true(send_frame(scene, &scene->end[0], 1, 77));
	assert_true(receive_frame(scene, &scene->end[1], &sequence));
	assert_int_equal(sequence, 77);
	scene_free(scene);
}

static int start_eal(void **state)
{
	struct eal_cores cores;
	struct rwy_err err = {0};

	if (eal_parse_cores("", &cores, &err) || eal_start(&cores, &err)) {
		print_error("%s\n", err.msg);
		return -1;
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_frame_is_overlooked),
		cmocka_unit_test(test_no_wake_up_is_lost),
		cmocka_unit_test(test_nor_while_queues_move),
		cmocka_unit_test(test_nor_with_short_naps),
		cmocka_unit_test(test_always_awake),
		cmocka_unit_test(test_a_flood_of_news),
		cmocka_unit_test(test_no_wake_up_by_a_tap_is_lost),
		cmocka_unit_test(test_nor_while_its_queue_moves),
		cmocka_unit_test(test_nor_with_naps_beside_a_tap),
	};
	return cmocka_run_group_tests_name("poll", tests, start_eal, NULL);
}
