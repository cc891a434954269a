// SPDX-License-Identifier: BSD-3-Clause
// What a port's state memory carries from one switch to the next, which memories are refused, and that frames move
// between start and release only.
#include "switch/portstate.h"
#include "tests/lib/unit.h"
#include "tests/unit/switch/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};

static int make_memory(uint64_t size, int seals)
{
	int fd = memfd_create("state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int new_memory(void)
{
	return make_memory(sizeof(struct port_state), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

static int add(struct rig *rig, const uint8_t *mac, bool learning, int memory, struct rwy_err *err)
{
	struct wire_port spec = {
		.port = 7, .network = 1, .name = "p", .queues = 1, .learning = learning};
	int own = dup(memory);

	memcpy(spec.mac, mac, MAC_SIZE);
	assert_true(own >= 0);
	int r = table_add_port(&rig->sw, &spec, own, -1, err);
	if (r)
		close(own);
	return r;
}

static struct port *add_port(struct rig *rig, bool learning, int memory)
{
	struct rwy_err err = {0};

	assert_int_equal(add(rig, mac_a, learning, memory, &err), 0);
	return table_port(&rig->sw, 7);
}

static void test_counters_and_quarantine_go_on(void **state)
{
	int memory = new_memory();
	struct rig *rig = rig_new();
	struct port *port = add_port(rig, false, memory);

	assert_int_equal(port->state, WIRE_PORT_WAITING);
	port->counters[0].rx_frames = 5;
	port->counters[0].drops[DROP_MTU] = 2;
	attach_quarantine(&rig->sw, port, "it went too far");
	rig_free(rig);

	rig = rig_new();
	port = add_port(rig, false, memory);
	assert_int_equal(port->counters[0].rx_frames, 5);
	assert_int_equal(port->counters[0].drops[DROP_MTU], 2);
	assert_int_equal(port->state, WIRE_PORT_QUARANTINED);
	assert_string_equal(port->reason, "it went too far");
	rig_free(rig);
	close(memory);
}

// By ringwayd's word, and from then on by the memory's.
static void test_quarantine_can_be_told(void **state)
{
	int memory = new_memory();
	struct rig *rig = rig_new();
	struct wire_port spec = {
		.port = 7, .network = 1, .name = "p", .queues = 1, .quarantine = "twice"};

	memcpy(spec.mac, mac_a, MAC_SIZE);
	assert_int_equal(table_add_port(&rig->sw, &spec, dup(memory), -1, NULL), 0);
	assert_string_equal(table_port(&rig->sw, 7)->reason, "twice");
	rig_free(rig);
	rig = rig_new();
	assert_int_equal(add_port(rig, false, memory)->state, WIRE_PORT_QUARANTINED);
	rig_free(rig);
	close(memory);
}

static void test_learned_addresses_go_on(void **state)
{
	static const uint8_t learned[2][MAC_SIZE] = {{2, 0, 0, 1, 0, 1}, {2, 0, 0, 1, 0, 2}};
	int memory = new_memory();
	struct rig *rig = rig_new();
	struct port *port = add_port(rig, true, memory);

	for (int i = 0; i < 2; i++)
		fdb_learn(rig->fdb, fdb_key(1, learned[i]), port, 1);
	handover_note_learned(&rig->sw);
	rig_free(rig);

	rig = rig_new();
	port = add_port(rig, true, memory);
	for (int i = 0; i < 2; i++)
		assert_ptr_equal(rig_lookup(rig, 1, learned[i])->port, port);
	assert_int_equal(port->learned, 2);
	rig_free(rig);
	// One that may not learn takes none.
	rig = rig_new();
	(void)add_port(rig, false, memory);
	assert_null(rig_lookup(rig, 1, learned[0]));
	rig_free(rig);
	close(memory);
}

static void expect_refused(struct rig *rig, int memory)
{
	struct rwy_err err = {0};

	assert_int_equal(add(rig, mac_b, false, memory, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "cannot add port 'p': its state memory"));
	assert_null(table_port(&rig->sw, 7));
	assert_null(rig_lookup(rig, 1, mac_b));
	close(memory);
}

static void test_refuses_other_memories(void **state)
{
	struct rig *rig = rig_new();
	uint32_t other = PORT_STATE_FORM + 1;
	int memory = new_memory();

	assert_int_equal(
		pwrite(memory, &other, sizeof(other), offsetof(struct port_state, form)),
		sizeof(other)
	);
	expect_refused(rig, memory);
	expect_refused(rig, make_memory(sizeof(struct port_state), F_SEAL_GROW));
	expect_refused(rig, make_memory(sizeof(struct port_state), F_SEAL_SHRINK));
	expect_refused(
		rig, make_memory(sizeof(struct port_state) - 1, F_SEAL_SHRINK | F_SEAL_GROW)
	);
	expect_refused(rig, open("/dev/null", O_RDWR | O_CLOEXEC));
	rig_free(rig);
}

// A trunk has its queues at once, and shows them when frames may move.
static void test_frames_move_between_start_and_release(void **state)
{
	struct rig *rig = rig_new();
	int peer;

	rig->sw.active = rig->sw.running = false;
	const struct port *trunk = rig_trunk(rig, 1, 1, 0, &peer);
	assert_null(trunk->path);
	assert_int_equal(handover_start(&rig->sw, -1, NULL), 0);
	assert_non_null(trunk->path);
	assert_true(trunk->pair[0].recall);
	handover_freeze(&rig->sw);
	assert_non_null(trunk->path);
	handover_release(&rig->sw);
	assert_null(trunk->path);
	assert_null(trunk->network->flood);
	assert_int_equal(handover_start(&rig->sw, -1, NULL), 0);
	assert_non_null(trunk->path);
	assert_int_equal(trunk->network->flood->count, 1);
	rig_free(rig);
	close(peer);
}

static void test_a_succeeded_switch_does_not_start_again(void **state)
{
	int memory = new_memory();
	struct rig *rig = rig_new();
	struct port *port = add_port(rig, false, memory);

	rig->sw.loop = loop_new();
	assert_non_null(rig->sw.loop);
	handover_own(&rig->sw, port);
	handover_release(&rig->sw);
	assert_false(handover_is_succeeded(&rig->sw));
	port->saved->owner++; // As another switch's start does.
	assert_true(handover_is_succeeded(&rig->sw));
	assert_int_equal(handover_start(&rig->sw, -1, NULL), -EBUSY);
	assert_false(rig->sw.running);
	loop_free(rig->sw.loop);
	rig_free(rig);
	close(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_and_quarantine_go_on),
		cmocka_unit_test(test_quarantine_can_be_told),
		cmocka_unit_test(test_learned_addresses_go_on),
		cmocka_unit_test(test_refuses_other_memories),
		cmocka_unit_test(test_frames_move_between_start_and_release),
		cmocka_unit_test(test_a_succeeded_switch_does_not_start_again),
	};
	return cmocka_run_group_tests(tests, rig_start_eal, NULL);
}
