// SPDX-License-Identifier: BSD-3-Clause
// The kernel's own TAP, in a network namespace of the test's: what tap_test.c plays with sockets is so. Needs root and /dev/net/tun. The
// kernel's side is a packet socket, whose frames carry the same header (packet(7), PACKET_VNET_HDR).
#include "switch/deliver.h"
#include "switch/poll.h"
#include "switch/trunk.h"
#include "tests/lib/unit.h"
#include "tests/unit/packet/maker.h"
#include "tests/unit/packet/oracle.h"
#include "tests/unit/switch/rig.h"

#include <rte_rcu_qsbr.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER 12
#define SHORT_HEADER 10 // PACKET_VNET_HDR's.
#define ROOM (HEADER + FRAME_SIZE_MAX)
#define QUEUES 2
#define TYPE 0x88b5 // Set aside for local experiments by IEEE 802.

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t mac_k[MAC_SIZE] = {2, 0, 0, 0, 1, 1};

// a and b, and the TAP behind which k is.
struct scene {
	struct rig *rig;
	struct rig_end *a, *b;
	struct port *trunk;
	int other[QUEUES]; // ringwayd's copies of the queues' descriptors.
	int packet;
};

static int make_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	return fd;
}

static struct ifreq request(short flags)
{
	struct ifreq req = {.ifr_flags = flags};
	(void)snprintf(req.ifr_name, sizeof(req.ifr_name), "tap0"); // It fits.
	return req;
}

static int open_queue(void)
{
	struct ifreq req = request(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE);
	int size = HEADER;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (ioctl(fd, TUNSETIFF, &req) || ioctl(fd, TUNSETVNETHDRSZ, &size) ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void set_link(bool up)
{
	struct ifreq req = request(up ? IFF_UP : 0);
	int fd = make_socket();

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &req), 0);
	close(fd);
}

static int open_packet(void)
{
	struct ifreq req = request(0);
	int one = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(TYPE));

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCGIFINDEX, &req), 0);
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = req.ifr_ifindex,
	};
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int set_up(void **state)
{
	static struct scene s;
	const struct wire_port spec = {
		.port = WIRE_TRUNK_ID(1),
		.network = 1,
		.name = "t",
		.queues = QUEUES,
		.kind = WIRE_PORT_TAP,
		.offloads = WIRE_OFFLOAD_CSUM | WIRE_OFFLOAD_TSO4 | WIRE_OFFLOAD_TSO6 |
			WIRE_OFFLOAD_ECN,
	};
	struct rwy_err err = {0};
	int fds[QUEUES];

	s = (struct scene){.rig = rig_new()};
	s.a = rig_live(s.rig, 1, mac_a, false);
	s.b = rig_live(s.rig, 1, mac_b, false);
	rig_refill(s.b, 32);
	for (int i = 0; i < QUEUES; i++) {
		fds[i] = open_queue();
		assert_true(fds[i] >= 0);
		s.other[i] = dup(fds[i]);
	}
	set_link(true);
	s.packet = open_packet();
	if (trunk_check_queues(fds, QUEUES, &err) || trunk_add(&s.rig->sw, &spec, -1, fds, &err))
		fail_msg("%s", err.msg);
	s.trunk = table_port(&s.rig->sw, spec.port);
	assert_int_equal(rig_station(s.rig, s.trunk, mac_k, 1, NULL, NULL), 0);
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};

	while (drv_ring_collect(s->b->to, &used))
		;
	rig_free(s->rig);
	for (int i = 0; i < QUEUES; i++)
		close(s->other[i]);
	close(s->packet);
	return 0;
}

static void make_frame(
	uint8_t *frame,
	const uint8_t *to,
	const uint8_t *from,
	uint32_t size,
	uint8_t tag
)
{
	for (uint32_t i = 0; i < size; i++)
		frame[i] = (uint8_t)(i * 7);
	memcpy(frame, to, MAC_SIZE);
	memcpy(frame + MAC_SIZE, from, MAC_SIZE);
	memcpy(frame + 12, (uint8_t[]){TYPE >> 8, TYPE & 255, tag}, 3);
}

// The kernel sends a frame through the TAP.
static void put(
	struct scene *s,
	const struct frame_offload *offload,
	const uint8_t *frame,
	uint32_t size
)
{
	static uint8_t bytes[ROOM];

	memset(bytes, 0, SHORT_HEADER);
	if (offload)
		memcpy(bytes, offload, SHORT_HEADER);
	memcpy(bytes + SHORT_HEADER, frame, size);
	ssize_t sent = send(s->packet, bytes, SHORT_HEADER + size, 0);
	if (sent != (ssize_t)(SHORT_HEADER + size))
		fail_msg("the kernel does not take the frame: %s", strerror(errno));
}

// What the kernel has for the switch in all queues. It may send frames of its own accord, from addresses that are no
// stations.
static uint32_t forward_all(struct scene *s)
{
	struct worker *worker = s->rig->worker;
	uint64_t before = s->trunk->counters[0].drops[DROP_SOURCE];
	uint32_t taken = 0;

	fdb_cache_refresh(s->rig->fdb, &worker->cache);
	for (int i = 0; i < QUEUES; i++) {
		worker->now += worker->tsc_hz;
		taken += forward_queue(worker, &s->trunk->path->rx[i], FRAME_BURST_MAX);
	}
	return taken - (uint32_t)(s->trunk->counters[0].drops[DROP_SOURCE] - before);
}

// The next frame that the kernel got: its size, or 0.
static uint32_t get(struct scene *s, struct frame_offload *ret_offload, uint8_t *ret_frame)
{
	static uint8_t bytes[ROOM];
	ssize_t size = recv(s->packet, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (size < 0)
		return 0;
	assert_true(size > SHORT_HEADER);
	memcpy(ret_offload, bytes, SHORT_HEADER);
	memcpy(ret_frame, bytes + SHORT_HEADER, (size_t)size - SHORT_HEADER);
	return (uint32_t)size - SHORT_HEADER;
}

// From a to where its header says.
static void deliver(struct scene *s, const struct frame *frame)
{
	const struct frame *run[] = {frame};

	s->rig->worker->source = s->a->port;
	deliver_run(s->rig->worker, s->trunk, run, 1);
}

static void test_descriptors_of_a_tap_and_others(void **state)
{
	struct scene *s = *state;
	struct rwy_err err = {0};
	int fds[2] = {s->other[0], open("/dev/net/tun", O_RDWR | O_CLOEXEC)};

	assert_true(fds[1] >= 0);
	assert_int_equal(trunk_check_queues(fds, 1, &err), 0);
	assert_int_equal(trunk_check_queues(fds, 2, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "queue 1 is not attached"));
	close(fds[1]);
	assert_true(fcntl(s->other[0], F_GETFL) & O_NONBLOCK); // They are one description.
}

static void test_frames_of_all_sizes_both_ways(void **state)
{
	static const uint32_t sizes[] = {14, 60, 63, 64, 65, 590, 1514};
	static uint8_t frame[2048], got[ROOM];
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	struct frame_offload offload;
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_frame(frame, mac_b, mac_k, sizes[i], (uint8_t)i);
		put(s, NULL, frame, sizes[i]);
		assert_int_equal(forward_all(s), 1);
		assert_true(drv_ring_collect(s->b->to, &used));
		assert_int_equal(used.size, HEADER + sizes[i]);
		assert_memory_equal(bytes + HEADER, frame, sizes[i]);
		make_frame(frame, mac_k, mac_a, sizes[i], (uint8_t)i);
		rig_send_typed(s->a, mac_k, mac_a, sizes[i], frame + 12, sizes[i] - 12);
		assert_int_equal(rig_forward(s->rig, s->a), 1);
		assert_int_equal(get(s, &offload, got), sizes[i]);
		assert_memory_equal(got, frame, sizes[i]);
	}
	assert_int_equal(s->trunk->counters[0].tx_frames, sizeof(sizes) / sizeof(sizes[0]));
}

// As many as one call writes, and what the kernel does with each is as if it had been one of its own.
static void test_bursts_go_in_order(void **state)
{
	struct scene *s = *state;
	static uint8_t bytes[FRAME_BURST_MAX][200], got[ROOM];
	struct frame_seg seg[FRAME_BURST_MAX];
	struct frame frames[FRAME_BURST_MAX];
	const struct frame *run[FRAME_BURST_MAX];
	struct frame_offload offload;
	bool batches = s->rig->worker->batch;

	for (uint8_t i = 0; i < FRAME_BURST_MAX; i++) {
		make_frame(bytes[i], mac_k, mac_a, 60 + i, i);
		seg[i] = (struct frame_seg){bytes[i], 60u + i};
		frames[i] = (struct frame){
			.head = bytes[i],
			.segs = &seg[i],
			.size = 60u + i,
			.head_size = 60,
			.seg_count = 1,
		};
		run[i] = &frames[i];
	}
	s->rig->worker->source = s->a->port;
	deliver_run(s->rig->worker, s->trunk, run, FRAME_BURST_MAX);
	for (int i = 0; i < FRAME_BURST_MAX; i++) {
		assert_int_equal(get(s, &offload, got), 60 + i);
		assert_memory_equal(got, bytes[i], 60 + i);
	}
	assert_int_equal(s->trunk->counters[0].tx_frames, FRAME_BURST_MAX);
	assert_int_equal(s->rig->worker->batch != NULL, batches); // It was of use.
	set_link(false);
	deliver_run(s->rig->worker, s->trunk, run, FRAME_BURST_MAX);
	assert_int_equal(s->trunk->counters[0].drops[DROP_DOWN], FRAME_BURST_MAX);
	set_link(true);
}

static struct made *make_tcp(const uint8_t *to, const uint8_t *from, uint32_t version)
{
	struct recipe recipe = {
		.version = version,
		.tcp_option_words = 3,
		.tcp_flags = 0x18,
		.payload = 60000,
		.gso_type = version == 4 ? FRAME_GSO_TCPV4 : FRAME_GSO_TCPV6,
		.gso_size = 1400,
		.seg_max = 4096,
	};
	struct made *made = maker_make(&recipe);

	memcpy(made->data, to, MAC_SIZE);
	memcpy(made->data + MAC_SIZE, from, MAC_SIZE);
	maker_cut(made);
	return made;
}

static void expect_request(
	const struct made *made,
	const struct frame_offload *offload,
	const uint8_t *frame,
	uint32_t size
)
{
	assert_int_equal(size, made->size);
	assert_memory_equal(frame, made->data, size);
	assert_int_equal(offload->flags & FRAME_F_NEEDS_CSUM, FRAME_F_NEEDS_CSUM);
	assert_int_equal(offload->gso_type, made->recipe.gso_type);
	assert_int_equal(offload->gso_size, made->recipe.gso_size);
	assert_int_equal(offload->csum_start, made->l4);
	assert_int_equal(offload->csum_offset, 16);
}

// 60,000 bytes go as one frame each way, with what they ask for.
static void test_segments_travel_whole_both_ways(void **state)
{
	static uint8_t got[ROOM], bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};
	struct drv_layout large = drv_layout_one(70000);
	struct scene *s = *state;
	struct frame_offload offload = {0};

	while (s->b->to->outstanding < 33) // Behind the small buffers.
		assert_true(drv_ring_post(s->b->to, &large, NULL, 0));
	for (uint32_t version = 4; version <= 6; version += 2) {
		struct made *made = make_tcp(mac_k, mac_a, version);
		deliver(s, &made->frame);
		uint32_t size = get(s, &offload, got);
		expect_request(made, &offload, got, size);
		maker_free(made);
	}
	for (int i = 0; i < 32; i++) {
		make_frame(got, mac_b, mac_k, 60, 0);
		put(s, NULL, got, 60);
		assert_int_equal(forward_all(s), 1);
		assert_true(drv_ring_collect(s->b->to, &used));
	}
	s->b->path.accepts = ORACLE_ALL;
	struct made *made = make_tcp(mac_b, mac_k, 4);
	made->frame.offload.hdr_len = (uint16_t)made->headers; // The kernel wants it right.
	put(s, &made->frame.offload, made->data, made->size);
	assert_int_equal(forward_all(s), 1);
	assert_true(drv_ring_collect(s->b->to, &used));
	memcpy(&offload, bytes, sizeof(offload));
	expect_request(made, &offload, bytes + HEADER, used.size - HEADER);
	maker_free(made);
}

static void test_lost_memory_is_the_sources_affair(void **state)
{
	struct scene *s = *state;
	static uint8_t head[FRAME_HEAD_SIZE], got[ROOM];
	struct frame_offload offload;
	void *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct frame_seg seg[2] = {{head, sizeof(head)}, {gone, 1000}};
	const struct frame frame = {
		.head = head,
		.segs = seg,
		.size = sizeof(head) + 1000,
		.head_size = sizeof(head),
		.seg_count = 2,
	};

	assert_ptr_not_equal(gone, MAP_FAILED);
	make_frame(head, mac_k, mac_a, sizeof(head), 1);
	deliver(s, &frame);
	assert_int_equal(s->a->port->counters[0].drops[DROP_MEMORY], 1);
	assert_int_equal(s->a->port->fault, PORT_FAULT_MEMORY);
	assert_int_equal(s->trunk->fault, 0);
	assert_int_equal(get(s, &offload, got), 0);
	assert_int_equal(munmap(gone, 4096), 0);
}

static void test_a_link_that_is_down(void **state)
{
	struct scene *s = *state;
	static uint8_t got[ROOM];
	struct frame_offload offload;

	set_link(false);
	rig_send(s->a, mac_k, mac_a, 60, 1);
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	assert_int_equal(s->trunk->counters[0].drops[DROP_DOWN], 1);
	assert_int_equal(s->trunk->fault, 0);
	set_link(true);
	rig_send(s->a, mac_k, mac_a, 60, 2);
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	uint32_t size;
	do // A socket learns of the link's end by an error.
		size = get(s, &offload, got);
	while (!size && errno == ENETDOWN);
	assert_int_equal(size, 60);
	assert_int_equal(got[14], 2);
}

// As "ip link del" does.
static void delete_link(void)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} message = {
		.header =
			{
				.nlmsg_len = sizeof(message),
				.nlmsg_type = RTM_DELLINK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			},
		.info.ifi_index = (int)if_nametoindex("tap0"),
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	assert_true(fd >= 0);
	assert_int_equal(send(fd, &message, sizeof(message), 0), sizeof(message));
	assert_true(recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)sizeof(answer.header) + 4);
	assert_int_equal(answer.error.error, 0);
	close(fd);
}

static void test_a_tap_that_is_gone(void **state)
{
	struct scene *s = *state;

	delete_link();
	rig_send(s->a, mac_k, mac_a, 60, 1);
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	assert_int_equal(s->trunk->counters[0].drops[DROP_DOWN], 1);
	assert_int_equal(s->trunk->fault, PORT_FAULT_TAP);
	attach_check_faults(&s->rig->sw);
	assert_int_equal(s->trunk->state, WIRE_PORT_QUARANTINED);
	assert_string_equal(s->trunk->reason, "its TAP is gone");
}

// Whether queue 0's descriptor, which the test reads on its own, is an event of the worker's epoll set within a second.
static bool wait_for_event(struct scene *s)
{
	struct pollfd pfd = {.fd = s->rig->worker->epoll_fd, .events = POLLIN};

	return poll(&pfd, 1, 1000) == 1;
}

static void drain_sleepily(struct scene *s)
{
	poll_sleep(s->rig->worker);
	rte_rcu_qsbr_thread_offline(s->rig->sw.qsbr, 0);
}

static bool fall_asleep(struct scene *s)
{
	struct turns *set = &s->rig->worker->set;

	while (set->place[s->trunk->slot]) {
		struct turn *turn = &set->turn[set->place[s->trunk->slot] - 1];
		if (!poll_arm(s->rig->worker, &turn->queue[turn->count - 1], 0))
			return false;
		turns_take_out(set, turn, turn->count - 1u);
	}
	return true;
}

static void test_every_frame_is_an_event(void **state)
{
	struct scene *s = *state;
	uint8_t frame[60];

	poll_refresh(s->rig->worker);
	for (int i = 0; i < 3; i++) {
		while (!fall_asleep(s)) // What the kernel sends of its own accord.
			(void)forward_all(s);
		while (wait_for_event(s))
			drain_sleepily(s);
		while (!fall_asleep(s))
			(void)forward_all(s);
		make_frame(frame, mac_b, mac_k, sizeof(frame), 1);
		put(s, NULL, frame, sizeof(frame));
		assert_true(wait_for_event(s));
		drain_sleepily(s);
		assert_true(s->rig->worker->set.queue_count > 0);
		assert_false(fall_asleep(s)); // Its event is fetched, the frame not read.
		while (forward_all(s) == 0)
			;
		assert_int_not_equal(rig_receive(s->b), -1);
	}
}

// Whether this can be tried here; prints why not.
static bool is_possible(void)
{
	if (unshare(CLONE_NEWNET)) {
		print_message("skipped: no network namespace: %s\n", strerror(errno));
		return false;
	}
	int sysctl = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
	if (sysctl >= 0) { // Fewer frames of the kernel's own.
		(void)!write(sysctl, "1", 1);
		close(sysctl);
	}
	int fd = open_queue();
	if (fd < 0) {
		print_message("skipped: no TAP: %s\n", strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_descriptors_of_a_tap_and_others),
		TEST(test_frames_of_all_sizes_both_ways),
		TEST(test_bursts_go_in_order),
		TEST(test_segments_travel_whole_both_ways),
		TEST(test_lost_memory_is_the_sources_affair),
		TEST(test_a_link_that_is_down),
		TEST(test_a_tap_that_is_gone),
		TEST(test_every_frame_is_an_event),
	};
	if (!is_possible())
		return 77; // meson: skipped.
	return cmocka_run_group_tests(tests, rig_start_eal, NULL);
}
