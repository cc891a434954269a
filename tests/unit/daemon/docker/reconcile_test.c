// SPDX-License-Identifier: BSD-3-Clause
// What is collected, adopted and made, and above all what is left alone because it is fresh.
#include "daemon/docker/reconcile.h"
#include "tests/lib/unit.h"

#include <string.h>

#define ID "886228fd4cdb810d1c4bf3c5c8c8be5ea463277b50a5740fe1bbad636476ebb7"
#define PROVISIONAL "886228fd4cdb"
#define BEGIN 100000
#define OLD (BEGIN - RECONCILE_PLACE_GRACE_MS - 1)

static const struct reconcile_listed listed = {ID, "fast", false, true, ""};

static struct reconcile_plan decide(struct reconcile_input input)
{
	struct reconcile_plan plan;
	input.begin_ms = BEGIN;
	assert_int_equal(reconcile_decide(&input, &plan), 0);
	return plan;
}

static void expect_one(struct reconcile_input input, enum reconcile_op op, bool again)
{
	struct reconcile_plan plan = decide(input);
	assert_int_equal(plan.count, 1);
	assert_int_equal(plan.actions[0].op, op);
	assert_int_equal(plan.again, again);
	reconcile_plan_fini(&plan);
}

static void expect_none(struct reconcile_input input, bool again)
{
	struct reconcile_plan plan = decide(input);
	assert_int_equal(plan.count, 0);
	assert_int_equal(plan.again, again);
	reconcile_plan_fini(&plan);
}

static struct reconcile_input with_network(const struct reconcile_network *network, bool in_docker)
{
	return (struct reconcile_input){
		.networks = network,
		.network_count = 1,
		.listed = &listed,
		.listed_count = in_docker,
	};
}

static void test_nothing(void **state)
{
	expect_none((struct reconcile_input){0}, false);
}

static void test_endpoint(void **state)
{
	struct reconcile_network network = {"fast", ID, true, 1, OLD, ""};
	struct reconcile_port port = {"p", "e1", ID, OLD};
	struct reconcile_id endpoint = {"e1"};
	struct reconcile_input input = with_network(&network, true);
	input.ports = &port;
	input.port_count = 1;
	expect_one(input, RECONCILE_PORT_REMOVE, false);
	port.since_ms = BEGIN - RECONCILE_GRACE_MS; // Not older than the grace.
	expect_none(input, true);
	port.since_ms = BEGIN + 5; // Made while the lists were asked for.
	expect_none(input, true);
	port.since_ms = OLD;
	input.endpoints = &endpoint;
	input.endpoint_count = 1;
	expect_none(input, false);
}

static void test_endpoint_of_unasked_network(void **state)
{
	struct reconcile_network network = {"fast", ID, true, 1, OLD, ""};
	struct reconcile_listed silent = listed;
	struct reconcile_port port = {"p", "e1", ID, OLD};
	struct reconcile_input input = with_network(&network, true);
	silent.endpoints_known = false;
	input.listed = &silent;
	input.ports = &port;
	input.port_count = 1;
	expect_none(input, true);
}

static void test_place(void **state)
{
	struct reconcile_place place = {"00112233445566ff", OLD};
	struct reconcile_id key = {"00112233445566ff"};
	struct reconcile_input input = {.places = &place, .place_count = 1};
	expect_one(input, RECONCILE_PLACE_REMOVE, false);
	place.since_ms = BEGIN - RECONCILE_PLACE_GRACE_MS;
	expect_none(input, true);
	// The event says that its container is gone, whatever its age.
	input.destroyed = &key;
	input.destroyed_count = 1;
	expect_one(input, RECONCILE_PLACE_REMOVE, false);
	// Unless another one has the key still.
	input.keys = &key;
	input.key_count = 1;
	expect_none(input, false);
}

static void test_network_forgotten(void **state)
{
	struct reconcile_network network = {"fast", ID, true, 0, OLD, ""};
	expect_one(with_network(&network, false), RECONCILE_NETWORK_REMOVE, false);
	network.since_ms = BEGIN - 5; // CreateNetwork was answered; Docker lists it in a moment.
	expect_none(with_network(&network, false), true);
}

// Driver calls do not tell the range that addresses are picked from; the lists do.
static void test_network_range(void **state)
{
	struct reconcile_network network = {PROVISIONAL, ID, true, 0, OLD, ""};
	struct reconcile_listed ranged = listed;
	struct reconcile_input input = with_network(&network, true);
	memcpy(ranged.ip_range, "10.1.0.128/25", 14);
	input.listed = &ranged;
	struct reconcile_plan plan = decide(input);
	assert_int_equal(plan.count, 2);
	assert_int_equal(plan.actions[0].op, RECONCILE_NETWORK_RENAME);
	assert_int_equal(plan.actions[1].op, RECONCILE_NETWORK_RANGE);
	reconcile_plan_fini(&plan);
	memcpy(network.name, "fast", 5);
	expect_one(input, RECONCILE_NETWORK_RANGE, false);
	memcpy(network.ip_range, "10.1.0.128/25", 14);
	expect_none(input, false);
}

static void test_network_wanted(void **state)
{
	struct reconcile_network network = {"fast", "", true, 0, OLD, ""};
	expect_one(with_network(&network, false), RECONCILE_NETWORK_CREATE, false);
	network.since_ms = BEGIN - 5; // Whoever made the row is about to do it.
	expect_none(with_network(&network, false), true);
	network.docker = false;
	network.since_ms = OLD;
	expect_none(with_network(&network, false), false);
}

static void test_network_renamed(void **state)
{
	struct reconcile_network network = {PROVISIONAL, ID, true, 0, BEGIN, ""};
	struct reconcile_listed named = listed;
	expect_one(with_network(&network, true), RECONCILE_NETWORK_RENAME, false);
	struct reconcile_input input = with_network(&network, true);
	input.listed = &named;
	named.named = true;
	expect_none(input, false);
	named.named = false;
	named.name[0] = '\0';
	expect_none(input, false);
	struct reconcile_network other = {"mine", ID, true, 0, BEGIN, ""};
	expect_none(with_network(&other, true), false);
}

static void test_stranger_waits_for_a_second_look(void **state)
{
	struct reconcile_stranger id = {ID, BEGIN - RECONCILE_STRANGER_MS};
	struct reconcile_input input = {.listed = &listed, .listed_count = 1};
	expect_one(input, RECONCILE_STRANGER, true);
	input.strangers = &id;
	input.stranger_count = 1;
	expect_one(input, RECONCILE_STRANGER, true);
	id.first_ms--;
	expect_one(input, RECONCILE_NETWORK_ADOPT, false);
}

// The order lets every action succeed: ports before their network.
static void test_ports_go_before_their_network(void **state)
{
	struct reconcile_network network = {"fast", ID, true, 1, OLD, ""};
	struct reconcile_port port = {"p", "e1", ID, OLD};
	struct reconcile_input input = with_network(&network, false);
	input.ports = &port;
	input.port_count = 1;
	struct reconcile_plan plan = decide(input);
	assert_int_equal(plan.count, 2);
	assert_int_equal(plan.actions[0].op, RECONCILE_PORT_REMOVE);
	assert_int_equal(plan.actions[1].op, RECONCILE_NETWORK_REMOVE);
	reconcile_plan_fini(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_endpoint_of_unasked_network),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_network_forgotten),
		cmocka_unit_test(test_network_range),
		cmocka_unit_test(test_network_wanted),
		cmocka_unit_test(test_network_renamed),
		cmocka_unit_test(test_stranger_waits_for_a_second_look),
		cmocka_unit_test(test_ports_go_before_their_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
