// SPDX-License-Identifier: BSD-3-Clause
// The wire: every message of the table arrives as it was sent, and nothing else arrives at all.
#include "base/cleanup.h"
#include "base/fdmsg.h"
#include "tests/lib/unit.h"
#include "wire/wire.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int pair[2];
static struct wire_msg out, in; // Too large for the stack.

static int count_fds(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	assert_int_equal(closedir(dir), 0);
	return count;
}

static int setup(void **state)
{
	memset(&out, 0, sizeof(out));
	memset(&in, 0, sizeof(in));
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int teardown(void **state)
{
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return 0;
}

static void add_fds(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		out.fds[i] = dup(STDERR_FILENO);
		assert_true(out.fds[i] >= 0);
	}
	out.fd_count = count;
}

// Sends `out` and expects it in `in`, args compared whole: unused bytes are zero on both sides.
static void round_trip(bool from_switch)
{
	struct rwy_err err = {0};
	if (wire_send(pair[0], &out, &err))
		fail_msg("send: %s", err.msg);
	memset(&in, 0, sizeof(in)); // What the op does not need stays as it is.
	if (wire_recv(pair[1], from_switch, 0, &in, &err))
		fail_msg("recv: %s", err.msg);
	assert_int_equal(in.op, out.op);
	assert_int_equal(in.id, out.id);
	assert_int_equal(in.is_reply, out.is_reply);
	assert_int_equal(in.error.code, out.error.code);
	assert_string_equal(in.error.msg, out.error.msg);
	assert_string_equal(in.error.hint, out.error.hint);
	assert_int_equal(in.fd_count, out.fd_count);
	assert_memory_equal(&in.args, &out.args, sizeof(in.args));
	wire_msg_close_fds(&in);
	wire_msg_close_fds(&out);
	memset(&out.args, 0, sizeof(out.args));
}

static void fill_name(char *name, size_t size, char c)
{
	memset(name, c, size - 1);
}

static void request(enum wire_op op)
{
	out.op = op;
	out.id = INT32_MAX;
	out.is_reply = false;
}

static void reply(enum wire_op op)
{
	request(op);
	out.is_reply = true;
}

static void fill_limits(struct wire_limits *limits)
{
	*limits = (struct wire_limits){
		.rx_bps = UINT64_MAX,
		.rx_burst = 1,
		.rx_fps = UINT64_MAX,
		.rx_frame_burst = 2,
		.tx_bps = UINT64_MAX,
		.tx_burst = 3,
		.tx_fps = UINT64_MAX,
		.tx_frame_burst = 4,
		.flood_fps = UINT64_MAX,
		.flood_burst = UINT64_MAX,
	};
}

static void test_round_trip_requests(void **state)
{
	request(WIRE_HELLO);
	out.args.hello = (struct wire_hello){
		.version = WIRE_VERSION,
		.program = "ringwayd 0.1.0",
		.pid = 4711,
		.start_ns = 0xfedcba9876543210,
	};
	round_trip(false);
	request(WIRE_PING);
	round_trip(false);
	request(WIRE_NETWORK_ADD);
	out.args.network =
		(struct wire_network){.network = 7, .mtu = 65535, .proxy_neighbors = true};
	fill_name(out.args.network.name, WIRE_NAME_SIZE, 'n');
	round_trip(false);
	request(WIRE_PORT_ADD);
	for (uint32_t fds = 0; fds <= 1; fds++) {
		out.args.port = (struct wire_port){
			.port = 1,
			.network = 7,
			.name = "a",
			.mac = {2, 0, 0, 0, 0, 0xff},
			.queues = 16,
			.learning = fds == 1,
			.no_offloads = fds == 0,
		};
		if (fds)
			fill_limits(&out.args.port.limits);
		add_fds(fds);
		round_trip(false);
	}
	request(WIRE_CONN_ADD);
	out.args.ref.id = 9;
	add_fds(1);
	round_trip(false);
	request(WIRE_STATION_SWEEP);
	out.args.epoch.epoch = UINT32_MAX;
	round_trip(false);
	static const enum wire_op by_id[] = {
		WIRE_NETWORK_DEL, WIRE_PORT_DEL, WIRE_STATS, WIRE_STATE};
	for (size_t i = 0; i < 4; i++) {
		request(by_id[i]);
		out.args.ref.id = 12;
		round_trip(false);
	}
	request(WIRE_STOP);
	round_trip(false);
}

static void test_round_trip_trunk(void **state)
{
	for (uint16_t queues = 1; queues <= WIRE_QUEUES_MAX; queues++) {
		request(WIRE_PORT_ADD);
		out.args.port = (struct wire_port){
			.port = WIRE_TRUNK_ID(7),
			.network = 7,
			.name = "t",
			.queues = queues,
			.kind = WIRE_PORT_TAP,
			.offloads = WIRE_OFFLOAD_CSUM | WIRE_OFFLOAD_USO,
		};
		add_fds(queues);
		round_trip(false);
	}
}

static void test_round_trip_stations(void **state)
{
	static const enum wire_op ops[] = {WIRE_STATION_ADD, WIRE_STATION_DEL};

	for (size_t i = 0; i < 4; i++) {
		request(ops[i % 2]);
		out.args.station = (struct wire_station){
			.port = WIRE_TRUNK_ID(7),
			.network = 7,
			.mac = {2, 0, 0, 0, 0, 1},
			.epoch = UINT32_MAX,
		};
		if (i < 2) {
			fill_name(out.args.station.ip, WIRE_ADDR_SIZE, '4');
			fill_name(out.args.station.ip6, WIRE_ADDR_SIZE, '6');
		}
		round_trip(false);
		reply(ops[i % 2]);
		round_trip(true);
	}
}

static void test_round_trip_replies(void **state)
{
	reply(WIRE_HELLO);
	out.args.hello = (struct wire_hello){
		.version = WIRE_VERSION,
		.program = "ringway-switch 0.1.0",
		.pid = 1,
		.start_ns = 1,
	};
	round_trip(true);
	reply(WIRE_PING);
	out.args.pong = (struct wire_pong){2, UINT64_MAX, true};
	round_trip(true);
	static const enum wire_op empty[] = {
		WIRE_NETWORK_ADD,
		WIRE_NETWORK_DEL,
		WIRE_PORT_ADD,
		WIRE_PORT_DEL,
		WIRE_CONN_ADD,
		WIRE_STATION_SWEEP,
		WIRE_STOP};
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		reply(empty[i]);
		round_trip(true);
	}
	out.op = WIRE_PORT_EVENT;
	out.id = 0;
	out.is_reply = false;
	out.args.event = (struct wire_port_event){3, WIRE_PORT_QUARANTINED, "bad index"};
	round_trip(true);
}

static void test_round_trip_error(void **state)
{
	for (int op = 0; op < WIRE_PORT_EVENT; op++) {
		reply((enum wire_op)op);
		err_set(&out.error, -ENOSPC, "cannot add port 'a': no room");
		err_hint(&out.error, "remove a port");
		round_trip(true);
	}
	err_set(&out.error, -EIO, "%s", "");
	round_trip(true);
}

// A full page of everything at its largest must fit a datagram.
static void test_round_trip_largest_stats(void **state)
{
	reply(WIRE_STATS);
	struct wire_stats *stats = &out.args.stats;
	*stats = (struct wire_stats){
		.time_ns = UINT64_MAX,
		.tsc_hz = UINT64_MAX,
		.cpu_ns = UINT64_MAX,
		.worker_count = WIRE_WORKERS_MAX,
		.port_count = WIRE_STATS_PORTS,
		.more = true,
	};
	for (uint32_t i = 0; i < WIRE_WORKERS_MAX; i++)
		stats->workers[i] = (struct wire_worker_stats){
			.core = i,
			.busy_cycles = UINT64_MAX,
			.idle_cycles = UINT64_MAX,
			.turns = UINT64_MAX,
			.frames = UINT64_MAX,
			.queues = UINT32_MAX,
			.awake = UINT32_MAX,
			.sleeps = UINT64_MAX,
		};
	for (uint32_t i = 0; i < WIRE_STATS_PORTS; i++) {
		struct wire_port_stats *port = &stats->ports[i];
		*port = (struct wire_port_stats){
			.port = INT32_MAX,
			.state = WIRE_PORT_RUNNING,
			.features = UINT64_MAX,
			.regions = INT32_MAX,
			.memory = UINT64_MAX,
			.own_memory = UINT64_MAX,
			.queues_live = UINT16_MAX,
			.rx_frames = UINT64_MAX,
			.rx_bytes = UINT64_MAX,
			.tx_frames = UINT64_MAX,
			.tx_bytes = UINT64_MAX,
			.neighbor_answers = UINT64_MAX,
			.drop_count = WIRE_DROPS_MAX,
			.queue_count = WIRE_QUEUES_MAX,
		};
		for (uint32_t j = 0; j < WIRE_QUEUES_MAX; j++)
			port->queues[j] =
				(struct wire_queue_stats){j, UINT16_MAX, true, UINT64_MAX};
		fill_name(port->reason, sizeof(port->reason), 'r');
		for (uint32_t j = 0; j < WIRE_DROPS_MAX; j++) {
			fill_name(port->drops[j].reason, sizeof(port->drops[j].reason), 'd');
			port->drops[j].count = UINT64_MAX;
		}
	}
	round_trip(true);
}

static void test_round_trip_largest_state(void **state)
{
	reply(WIRE_STATE);
	struct wire_state *page = &out.args.state;
	page->network_count = WIRE_NETWORKS_MAX;
	page->port_count = WIRE_STATE_PORTS;
	for (uint32_t i = 0; i < WIRE_NETWORKS_MAX; i++) {
		page->networks[i].network = INT32_MAX;
		page->networks[i].mtu = UINT16_MAX;
		page->networks[i].proxy_neighbors = i % 2 == 0; // "false" is the longer word.
		fill_name(page->networks[i].name, WIRE_NAME_SIZE, 'n');
	}
	for (uint32_t i = 0; i < WIRE_STATE_PORTS; i++) {
		page->ports[i] = (struct wire_state_port){
			.port = i + 1,
			.network = INT32_MAX,
			.mac = {2, 0, 0, 0, 0, (uint8_t)i},
			.queues = 16,
			.kind = i % 2 ? WIRE_PORT_TAP : WIRE_PORT_VHOST,
			.has_listener = i % 2 == 0,
		};
		fill_name(page->ports[i].name, WIRE_NAME_SIZE, 'p');
		fill_limits(&page->ports[i].limits);
	}
	add_fds(WIRE_STATE_PORTS / 2);
	round_trip(true);
}

static void test_init_clears_what_the_op_needs(void **state)
{
	static struct wire_msg msg, moved;

	memset(&msg, 0x5a, sizeof(msg));
	wire_msg_init(&msg, WIRE_PORT_ADD, false);
	const struct wire_port none = {0};
	assert_memory_equal(&msg.args.port, &none, sizeof(none));
	assert_int_equal(msg.fd_count, 0);
	assert_int_equal(msg.error.code, 0);
	assert_int_equal(msg.id, 0);
	wire_msg_init(&msg, WIRE_STATS, true);
	assert_int_equal(msg.args.stats.port_count, 0);
	assert_int_equal(msg.args.stats.ports[WIRE_STATS_PORTS - 1].queue_count, 0);
	wire_msg_init(&msg, WIRE_KEEP, false);
	msg.args.kept = (struct wire_kept){.port = 3, .id_count = 1, .ids = {{9}}};
	msg.fds[0] = 7;
	msg.fd_count = 1;
	wire_msg_move(&moved, &msg);
	assert_int_equal(msg.fd_count, 0);
	assert_int_equal(moved.fd_count, 1);
	assert_int_equal(moved.fds[0], 7);
	assert_int_equal(moved.args.kept.ids[0].id, 9);
}

static void expect_refused(bool from_switch, const char *text, uint32_t fds, const char *why)
{
	struct rwy_err err = {0};
	int before = count_fds();
	int sent[WIRE_FDS_MAX];
	for (uint32_t i = 0; i < fds; i++)
		sent[i] = STDERR_FILENO;
	assert_true(fdmsg_send(pair[0], text, strlen(text), sent, fds, 0) > 0);
	assert_int_equal(wire_recv(pair[1], from_switch, 0, &in, &err), -EPROTO);
	assert_int_equal(err.code, -EPROTO);
	if (!strstr(err.msg, why))
		fail_msg("'%s' refused with '%s', not '%s'", text, err.msg, why);
	assert_int_equal(in.fd_count, 0);
	assert_int_equal(count_fds(), before);
}

static void test_refuses_malformed(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"x", "not JSON"},
		{"{\"op\":\"ping\",\"id\":1,\"args\":{}", "not JSON"},
		{"{\"op\":\"ping\",\"op\":\"stop\",\"id\":1,\"args\":{}}", "not JSON"},
		{"[]", "not an object"},
		{"{\"op\":\"ping\",\"id\":1}", "not an object"},
		{"{\"op\":\"ping\",\"id\":1,\"args\":{},\"x\":1}", "not an object"},
		{"{\"op\":\"ping\",\"id\":\"1\",\"args\":{}}", "not an object"},
		{"{\"op\":\"ping\",\"id\":-1,\"args\":{}}", "out of range"},
		{"{\"op\":\"ping\",\"id\":2147483648,\"args\":{}}", "out of range"},
		{"{\"op\":\"pong\",\"id\":1,\"args\":{}}", "unknown message 'pong'"},
		{"{\"op\":7,\"id\":1,\"args\":{}}", "unknown message"},
		{"{\"op\":\"ping\",\"id\":1,\"args\":{\"a\":1}}", "unknown field 'a'"},
		{"{\"op\":\"ping\",\"id\":1,\"args\":[]}", "not a JSON object"},
		{"{\"op\":\"ping\",\"id\":0,\"args\":{}}", "goes this way"},
		{"{\"op\":\"port_event\",\"id\":1,\"args\":{}}", "goes this way"},
		{"{\"op\":\"port_del\",\"id\":1,\"args\":{}}", "'id' is missing"},
		{"{\"op\":\"port_del\",\"id\":1,\"args\":{\"id\":\"2\"}}", "must be an integer"},
		{"{\"op\":\"ping\",\"id\":1,\"error\":{\"errno\":5,\"message\":\"m\"}}", "none"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refused(false, cases[i].text, 0, cases[i].why);
}

static void test_refuses_bad_replies(void **state)
{
	expect_refused(true, "{\"op\":\"ping\",\"id\":0,\"args\":{}}", 0, "goes this way");
	expect_refused(true, "{\"op\":\"port_event\",\"id\":4,\"args\":{}}", 0, "goes this way");
	expect_refused(
		true,
		"{\"op\":\"ping\",\"id\":1,\"error\":{\"errno\":0,\"message\":\"m\"}}",
		0,
		"none"
	);
	expect_refused(
		true,
		"{\"op\":\"ping\",\"id\":1,\"error\":{\"errno\":-5,\"message\":\"\"}}",
		0,
		"none"
	);
	expect_refused(
		true, "{\"op\":\"ping\",\"id\":1,\"error\":{\"message\":\"m\"}}", 0, "'errno'"
	);
	expect_refused(true, "{\"op\":\"ping\",\"id\":1,\"args\":{}}", 0, "'workers' is missing");
}

#define PORT_ADD                                                                           \
	"{\"op\":\"port_add\",\"id\":1,\"args\":{\"port\":1,\"network\":1,\"name\":\"a\"," \
	"\"queues\":3,\"learning\":false,"

static void test_refuses_wrong_fds(void **state)
{
	expect_refused(false, "{\"op\":\"ping\",\"id\":1,\"args\":{}}", 1, "1 descriptors");
	expect_refused(
		false, "{\"op\":\"conn_add\",\"id\":1,\"args\":{\"id\":1}}", 0, "0 descriptors"
	);
	expect_refused(
		false, "{\"op\":\"conn_add\",\"id\":1,\"args\":{\"id\":1}}", 253, "253 descriptors"
	);
	expect_refused(false, PORT_ADD "\"kind\":1}}", 0, "not 3 to 3");
	expect_refused(false, PORT_ADD "\"kind\":1}}", 4, "not 3 to 3");
	expect_refused(false, PORT_ADD "\"kind\":0}}", 2, "not 0 to 1");
	expect_refused(
		true, "{\"op\":\"state\",\"id\":1,\"args\":{\"more\":false}}", 1, "not 0 to 0"
	);
	expect_refused(
		true,
		"{\"op\":\"state\",\"id\":1,\"args\":{\"more\":false,\"ports\":[{\"port\":1,"
		"\"network\":1,\"name\":\"a\",\"mac\":\"02:00:00:00:00:01\",\"queues\":1,"
		"\"learning\":false,\"state\":0,\"has_listener\":true}]}}",
		0,
		"not 1 to 1"
	);
}

static void test_refuses_oversized(void **state)
{
	static char text[WIRE_DATAGRAM_MAX + 2];
	memset(text, ' ', sizeof(text) - 1);
	expect_refused(false, text, 3, "larger than");
}

static void test_send_refuses(void **state)
{
	struct rwy_err err = {0};
	request(WIRE_CONN_ADD);
	assert_int_equal(wire_send(pair[0], &out, &err), -EPROTO);
	request(WIRE_PORT_EVENT);
	assert_int_equal(wire_send(pair[0], &out, &err), -EINVAL);
	request(WIRE_OP_COUNT);
	assert_int_equal(wire_send(pair[0], &out, &err), -EINVAL);
}

static void test_peer_gone(void **state)
{
	struct rwy_err err = {0};
	assert_int_equal(wire_recv(pair[1], false, MSG_DONTWAIT, &in, &err), -EAGAIN);
	fd_close(&pair[1]);
	request(WIRE_PING);
	assert_int_equal(wire_send(pair[0], &out, &err), -EPIPE);
	assert_int_equal(wire_recv(pair[0], true, 0, &in, &err), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip_trunk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip_stations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip_largest_stats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip_largest_state, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_init_clears_what_the_op_needs, setup, teardown
		),
		cmocka_unit_test_setup_teardown(test_refuses_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_bad_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_wrong_fds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_oversized, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_gone, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
