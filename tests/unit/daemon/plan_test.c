// SPDX-License-Identifier: BSD-3-Clause
// Plans: for every pair of intent and reality, the steps are possible one after the other and lead
// from the one to the other.
#include "daemon/plan/plan.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Fills a member; what does not fit is cut.
#define SET_TEXT(member, text) ((void)snprintf(member, sizeof(member), "%s", text))

#define MANY 6

struct world {
	struct wire_network networks[MANY];
	struct wire_port ports[MANY];
	struct plan_set set;
};

static void add_network(struct world *w, uint32_t id, uint32_t mtu)
{
	w->networks[w->set.network_count++] =
		(struct wire_network){.network = id, .name = "n", .mtu = mtu};
}

static void add_port(struct world *w, uint32_t id, uint32_t network, uint8_t mac)
{
	w->ports[w->set.port_count++] = (struct wire_port
	){.port = id, .network = network, .name = "p", .mac = {2, 0, 0, 0, 0, mac}, .queues = 1};
}

static void wire_up(struct world *w)
{
	w->set.networks = w->networks;
	w->set.ports = w->ports;
}

static bool has_network(const struct world *w, uint32_t id, size_t *ret_at)
{
	for (*ret_at = 0; *ret_at < w->set.network_count; (*ret_at)++)
		if (w->networks[*ret_at].network == id)
			return true;
	return false;
}

static bool has_port(const struct world *w, uint32_t id, size_t *ret_at)
{
	for (*ret_at = 0; *ret_at < w->set.port_count; (*ret_at)++)
		if (w->ports[*ret_at].port == id)
			return true;
	return false;
}

// Does what a switch does, with its refusals.
static void play(struct world *have, const struct world *want, struct plan_step step)
{
	size_t at;
	size_t from;
	switch (step.act) {
	case PLAN_PORT_DEL:
		assert_true(has_port(have, step.id, &at));
		have->ports[at] = have->ports[--have->set.port_count];
		break;
	case PLAN_NETWORK_DEL:
		assert_true(has_network(have, step.id, &at));
		for (size_t i = 0; i < have->set.port_count; i++)
			assert_int_not_equal(have->ports[i].network, step.id);
		have->networks[at] = have->networks[--have->set.network_count];
		break;
	case PLAN_NETWORK_ADD:
		assert_false(has_network(have, step.id, &at));
		assert_true(has_network(want, step.id, &from));
		have->networks[have->set.network_count++] = want->networks[from];
		break;
	case PLAN_PORT_ADD:
		assert_false(has_port(have, step.id, &at));
		assert_true(has_port(want, step.id, &from));
		assert_true(has_network(have, want->ports[from].network, &at));
		have->ports[have->set.port_count++] = want->ports[from];
		break;
	case PLAN_PORT_SET:
		assert_true(has_port(have, step.id, &at));
		assert_true(has_port(want, step.id, &from));
		have->ports[at].limits = want->ports[from].limits;
		break;
	default:
		fail();
	}
}

static int compare_id(const void *a, const void *b)
{
	return (int)*(const uint32_t *)a - (int)*(const uint32_t *)b;
}

static size_t check_plan(struct world *want, struct world *have)
{
	struct plan plan;
	wire_up(want);
	wire_up(have);
	assert_int_equal(plan_make(&want->set, &have->set, &plan), 0);
	for (size_t i = 0; i < plan.count; i++)
		play(have, want, plan.steps[i]);
	qsort(have->networks, have->set.network_count, sizeof(have->networks[0]), compare_id);
	qsort(have->ports, have->set.port_count, sizeof(have->ports[0]), compare_id);
	assert_int_equal(have->set.network_count, want->set.network_count);
	assert_int_equal(have->set.port_count, want->set.port_count);
	size_t size = want->set.port_count * sizeof(want->ports[0]);
	assert_memory_equal(have->ports, want->ports, size);
	size_t count = plan.count;
	plan_fini(&plan);
	return count;
}

static void test_nothing_to_do(void **state)
{
	struct world want = {0};
	struct world have = {0};
	assert_int_equal(check_plan(&want, &have), 0);
	add_network(&want, 3, 1500);
	add_port(&want, 9, 3, 1);
	add_network(&have, 3, 1500);
	add_port(&have, 9, 3, 1);
	SET_TEXT(have.networks[0].name, "old-name"); // For people only.
	assert_int_equal(check_plan(&want, &have), 0);
}

static void test_from_nothing_and_to_nothing(void **state)
{
	struct world full = {0};
	struct world empty = {0};
	add_network(&full, 1, 1500);
	add_network(&full, 2, 9000);
	add_port(&full, 1, 2, 1);
	add_port(&full, 2, 1, 2);
	assert_int_equal(check_plan(&full, &empty), 4);
	struct world none = {0};
	assert_int_equal(check_plan(&none, &full), 4);
}

static void test_changed_network_takes_its_ports(void **state)
{
	struct world want = {0};
	struct world have = {0};
	add_network(&want, 1, 9000);
	add_network(&want, 2, 1500);
	add_port(&want, 1, 1, 1);
	add_port(&want, 2, 2, 2);
	add_network(&have, 1, 1500);
	add_network(&have, 2, 1500);
	add_port(&have, 1, 1, 1);
	add_port(&have, 2, 2, 2);
	assert_int_equal(check_plan(&want, &have), 4);
	assert_int_equal(have.networks[0].mtu, 9000);
}

static void test_changed_port(void **state)
{
	for (int what = 0; what < 10; what++) {
		struct world want = {0};
		struct world have = {0};
		add_network(&want, 1, 1500);
		add_network(&want, 2, 1500);
		add_port(&want, 1, 1, 1);
		have = want;
		struct wire_port *port = &want.ports[0];
		if (what == 0)
			port->network = 2;
		else if (what == 1)
			port->mac[5] = 7;
		else if (what == 2)
			port->queues = 2;
		else if (what == 3)
			port->learning = true;
		else if (what == 4)
			SET_TEXT(port->name, "q");
		else if (what == 5)
			port->no_offloads = true;
		else if (what == 6)
			port->allow_spoof = true;
		else if (what == 7)
			port->pin_address = true;
		else if (what == 8)
			SET_TEXT(port->ip, "10.0.0.2");
		else
			SET_TEXT(port->ip6, "fd00::2");
		assert_int_equal(check_plan(&want, &have), 2);
	}
}

// Limits change while the front end stays connected.
static void test_changed_limits(void **state)
{
	struct world want = {0};
	struct world have = {0};
	add_network(&want, 1, 1500);
	add_port(&want, 1, 1, 1);
	add_port(&want, 2, 1, 2);
	have = want;
	want.ports[1].limits.flood_burst = 1;
	assert_int_equal(check_plan(&want, &have), 1);
	assert_int_equal(have.ports[1].limits.flood_burst, 1);
	// What is added anew has its limits from the start.
	want.ports[0].queues = 2;
	want.ports[0].limits.rx_bps = 1;
	assert_int_equal(check_plan(&want, &have), 2);
}

static void add_trunk(struct world *w, uint32_t network, uint16_t queues)
{
	w->ports[w->set.port_count++] = (struct wire_port
	){.port = WIRE_TRUNK_ID(network),
	  .network = network,
	  .name = "trunk",
	  .kind = WIRE_PORT_TAP,
	  .queues = queues};
}

// A trunk is made after its network and goes with it; how it was opened is its own affair.
static void test_trunks(void **state)
{
	struct world want = {0};
	struct world have = {0};
	add_network(&want, 1, 1500);
	add_port(&want, 7, 1, 1);
	have = want;
	add_trunk(&want, 1, 1);
	assert_int_equal(check_plan(&want, &have), 1);
	assert_int_equal(check_plan(&want, &have), 0);
	have.networks[0].proxy_neighbors = true; // A network that changes takes all along.
	assert_int_equal(check_plan(&want, &have), 6);

	struct plan plan;
	have = want;
	wire_up(&have);
	have.ports[1].queues = 4;
	have.ports[1].offloads = 3;
	SET_TEXT(have.ports[1].name, "older");
	assert_int_equal(plan_make(&want.set, &have.set, &plan), 0);
	assert_int_equal(plan.count, 0);
	plan_fini(&plan);
	// But for who may be behind it, which it is told.
	have.ports[1].allow_spoof = true;
	assert_int_equal(plan_make(&want.set, &have.set, &plan), 0);
	assert_int_equal(plan.count, 1);
	assert_int_equal(plan.steps[0].act, PLAN_PORT_SET);
	plan_fini(&plan);
	have.ports[1].allow_spoof = false;
	have.ports[1].kind = WIRE_PORT_VHOST;
	assert_int_equal(plan_make(&want.set, &have.set, &plan), 0);
	assert_int_equal(plan.count, 2);
	plan_fini(&plan);
}

// Bits 0 and 1: networks; two bits for each port: the network that it is on, if that is there.
static void fill_world(struct world *w, unsigned int bits)
{
	for (uint32_t id = 1; id <= 2; id++)
		if (bits >> (id - 1) & 1)
			add_network(w, id, 1500);
	for (uint32_t id = 1; id <= 3; id++) {
		unsigned int network = bits >> (2 * id) & 3;
		if (network && network < 3 && (bits >> (network - 1) & 1))
			add_port(w, id, network, (uint8_t)id);
	}
}

// Every intent against every reality of two networks and three ports on either.
static void test_all_pairs(void **state)
{
	for (unsigned int pair = 0; pair < (1U << 16); pair++) {
		struct world want;
		struct world have;
		memset(&want, 0, sizeof(want));
		memset(&have, 0, sizeof(have));
		fill_world(&want, pair & 0xff);
		fill_world(&have, pair >> 8);
		(void)check_plan(&want, &have); // The count is free here.
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_from_nothing_and_to_nothing),
		cmocka_unit_test(test_changed_network_takes_its_ports),
		cmocka_unit_test(test_changed_port),
		cmocka_unit_test(test_changed_limits),
		cmocka_unit_test(test_trunks),
		cmocka_unit_test(test_all_pairs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
