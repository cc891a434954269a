// SPDX-License-Identifier: BSD-3-Clause
// The uplinks' messages: what is sent arrives, and what is none is refused.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "wire/uplink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static int pair[2];
static struct uplink_msg out, in; // Large.

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

// Sends `out` and expects it in `in`; unused bytes are zero on both sides.
static void round_trip(bool from_uplink)
{
	struct rwy_err err = {0};
	if (uplink_send(pair[0], &out, &err))
		fail_msg("send: %s", err.msg);
	if (uplink_recv(pair[1], from_uplink, 0, &in, &err))
		fail_msg("recv: %s", err.msg);
	assert_int_equal(in.op, out.op);
	assert_int_equal(in.id, out.id);
	assert_int_equal(in.is_reply, out.is_reply);
	assert_memory_equal(&in.args, &out.args, sizeof(in.args));
}

static void hello_goes_both_ways(void **state)
{
	out.op = UPLINK_HELLO;
	out.id = 1;
	out.args.hello =
		(struct uplink_hello){.version = UPLINK_WIRE_VERSION, .program = "x 1", .pid = 7};
	round_trip(false);
	out.is_reply = true;
	round_trip(true);
}

static void a_port_arrives(void **state)
{
	out.op = UPLINK_PORT_ADD;
	out.id = 3;
	out.args.port = (struct uplink_port_msg
	){.port = 9, .vlan = 4094, .mtu = 9000, .mac = {2, 0, 0, 0, 0, 9}, .socket = "/run/x.sock"};
	round_trip(false);
}

static void a_full_state_fits(void **state)
{
	struct uplink_state_msg *to = &out.args.state;
	out.op = UPLINK_STATE;
	memcpy(to->driver, "net_af_packet", sizeof("net_af_packet"));
	to->link = true;
	to->port_count = UPLINK_PORTS_MAX;
	for (uint32_t i = 0; i < UPLINK_PORTS_MAX; i++) {
		struct uplink_port_state *port = &to->ports[i];
		port->spec = (struct uplink_port_msg
		){.port = i + 1, .vlan = (uint16_t)i, .mtu = 1500, .mac = {2, 0, 0, 0, 0, 1}};
		memset(port->spec.socket, 's', sizeof(port->spec.socket) - 1);
		memset(port->reason, 'r', sizeof(port->reason) - 1);
		port->rx_frames = UINT64_MAX;
		port->drop_count = UPLINK_WIRE_DROPS;
	}
	round_trip(true); // An event.
	out.id = 5;
	out.is_reply = true;
	round_trip(true); // A reply.
}

static void an_error_arrives_alone(void **state)
{
	struct rwy_err err = {0};
	out.op = UPLINK_PORT_ADD;
	out.id = 4;
	out.is_reply = true;
	err_set(&out.error, -EEXIST, "taken");
	assert_int_equal(uplink_send(pair[0], &out, &err), 0);
	assert_int_equal(uplink_recv(pair[1], true, 0, &in, &err), 0);
	assert_int_equal(in.error.code, -EEXIST);
	assert_string_equal(in.error.msg, "taken");
}

static void refuse(const char *text, bool from_uplink)
{
	struct rwy_err err = {0};
	assert_int_equal(send(pair[0], text, strlen(text), 0), strlen(text));
	assert_int_equal(uplink_recv(pair[1], from_uplink, 0, &in, &err), -EPROTO);
	assert_true(err.msg[0]);
}

static void bad_text_is_refused(void **state)
{
	refuse("{", false);
	refuse("[]", false);
	refuse("{\"op\":\"hello\",\"id\":1}", false);
	refuse("{\"op\":\"nothing\",\"id\":1,\"args\":{}}", false);
	refuse("{\"op\":\"stop\",\"id\":0,\"args\":{}}", true); // No such event.
	refuse("{\"op\":\"stop\",\"id\":-1,\"args\":{}}", false);
	refuse("{\"op\":\"stop\",\"id\":1,\"args\":{\"more\":1}}", false);
	refuse("{\"op\":\"port_del\",\"id\":1,\"args\":{}}", false);
	refuse("{\"op\":\"port_add\",\"id\":1,\"args\":{\"port\":1,\"vlan\":70000,\"mtu\":1,"
	       "\"mac\":\"02:00:00:00:00:01\",\"socket\":\"s\"}}",
	       false);
	refuse("{\"op\":\"stop\",\"id\":1,\"error\":{\"errno\":1}}", false); // A request has none.
	refuse("{\"op\":\"stop\",\"id\":1,\"error\":{\"errno\":0}}", true);
}

static void an_unknown_request_is_not_sent(void **state)
{
	out.op = UPLINK_OP_COUNT;
	out.id = 1;
	assert_int_equal(uplink_send(pair[0], &out, NULL), -EINVAL);
	out.op = UPLINK_STOP;
	out.id = 0; // There is no such event.
	assert_int_equal(uplink_send(pair[0], &out, NULL), -EINVAL);
}

static void the_end_is_told(void **state)
{
	assert_int_equal(uplink_recv(pair[1], true, MSG_DONTWAIT, &in, NULL), -EAGAIN);
	fd_close(&pair[0]);
	assert_int_equal(uplink_recv(pair[1], true, 0, &in, NULL), -EPIPE);
	out.op = UPLINK_STOP;
	out.id = 1;
	assert_int_equal(uplink_send(pair[1], &out, NULL), -EPIPE);
}

static void reasons_have_names(void **state)
{
	for (uint32_t i = 0; i < UPLINK_DROP_COUNT; i++)
		assert_string_not_equal(uplink_drop_text(i), "unknown");
	assert_string_equal(uplink_drop_text(UPLINK_DROP_COUNT), "unknown");
}

static void pci_addresses_are_read(void **state)
{
	char address[UPLINK_PCI_SIZE];
	assert_true(uplink_read_pci("0000:03:00.0", address));
	assert_string_equal(address, "0000:03:00.0");
	assert_true(uplink_read_pci("a:1f.7,option=1", address));
	assert_string_equal(address, "0000:0a:1f.7");
	static const char *const bad[] = {
		"",
		":",
		"eth0",
		"03:00",
		"03:00.",
		"03:00.x",
		"03:00.10",
		"00000:03:00.0",
		"0:0:0:0.0",
		"03:00.0 "};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(uplink_read_pci(bad[i], address));
}

static void interfaces_are_read(void **state)
{
	char name[UPLINK_IFACE_SIZE] = "";
	assert_int_equal(
		uplink_read_iface("net_af_packet0,qpairs=1,iface=eth1,framesz=2048", name), 0
	);
	assert_string_equal(name, "eth1");
	assert_int_equal(uplink_read_iface("net_pcap0,iface=fifteen-letters", name), 0);
	assert_string_equal(name, "fifteen-letters");
	assert_int_equal(uplink_read_iface("net_pcap0,iface=sixteen-letters!", name), -EINVAL);
	assert_int_equal(uplink_read_iface("net_pcap0,iface=", name), -EINVAL);
	assert_int_equal(uplink_read_iface("net_pcap0,iface=,x=1", name), -EINVAL);
	assert_int_equal(uplink_read_iface("net_tap0,iface=tap7", name), -ENOENT);
	assert_int_equal(uplink_read_iface("net_null0", name), -ENOENT);
	assert_int_equal(uplink_read_iface("", name), -ENOENT);
	assert_string_equal(name, "fifteen-letters");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hello_goes_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(a_port_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_state_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(an_error_arrives_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_text_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unknown_request_is_not_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_is_told, setup, teardown),
		cmocka_unit_test(reasons_have_names),
		cmocka_unit_test(pci_addresses_are_read),
		cmocka_unit_test(interfaces_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
