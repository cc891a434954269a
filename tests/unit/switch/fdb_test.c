// SPDX-License-Identifier: BSD-3-Clause
// The MAC table: pinned addresses cannot be taken over, learned ones move, age and are bounded, and no
// cache outlives a removal.
#include "switch/fdb.h"
#include "tests/lib/unit.h"
#include "tests/unit/switch/rig.h"

#include <errno.h>
#include <stdlib.h>

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};

static void test_networks_are_apart(void **state)
{
	struct rig *rig = rig_new();
	struct port *one = rig_port(rig, 1, mac_a, false);

	assert_ptr_equal(rig_lookup(rig, 1, mac_a)->port, one);
	assert_null(rig_lookup(rig, 2, mac_a));
	assert_null(rig_lookup(rig, 1, mac_b));
	rig_free(rig);
}

static void test_pinned_is_not_taken_over(void **state)
{
	struct rig *rig = rig_new();
	struct port *one = rig_port(rig, 1, mac_a, false);
	struct port *two = rig_port(rig, 1, mac_b, true);

	assert_int_equal(fdb_pin(rig->fdb, fdb_key(1, mac_a), two), -EEXIST);
	fdb_learn(rig->fdb, fdb_key(1, mac_a), two, 1);
	assert_ptr_equal(rig_lookup(rig, 1, mac_a)->port, one);
	assert_int_equal(two->learned, 0);
	rig_free(rig);
}

static void test_learned_moves_and_is_replaced_by_a_pin(void **state)
{
	static const uint8_t moving[MAC_SIZE] = {2, 0, 0, 0, 1, 1};
	struct rig *rig = rig_new();
	struct port *one = rig_port(rig, 1, mac_a, true);
	struct port *two = rig_port(rig, 1, mac_b, true);
	uint64_t key = fdb_key(1, moving);

	fdb_learn(rig->fdb, key, one, 1);
	assert_ptr_equal(rig_lookup(rig, 1, moving)->port, one);
	fdb_learn(rig->fdb, key, two, 2);
	assert_ptr_equal(rig_lookup(rig, 1, moving)->port, two);
	assert_int_equal(one->learned, 0);
	assert_int_equal(two->learned, 1);
	assert_int_equal(fdb_pin(rig->fdb, key, one), 0);
	assert_true(rig_lookup(rig, 1, moving)->pinned);
	assert_int_equal(two->learned, 0);
	rig_free(rig);
}

static void test_ages_what_was_not_seen(void **state)
{
	static const uint8_t old[MAC_SIZE] = {2, 0, 0, 0, 1, 1};
	static const uint8_t young[MAC_SIZE] = {2, 0, 0, 0, 1, 2};
	struct rig *rig = rig_new();
	struct port *one = rig_port(rig, 1, mac_a, true);

	fdb_learn(rig->fdb, fdb_key(1, old), one, 0);
	fdb_learn(rig->fdb, fdb_key(1, young), one, 10);
	fdb_age(rig->fdb, FDB_AGE_SECONDS + 5);
	assert_null(rig_lookup(rig, 1, old));
	assert_non_null(rig_lookup(rig, 1, young));
	assert_non_null(rig_lookup(rig, 1, mac_a)); // Pinned for ever.
	assert_int_equal(one->learned, 1);
	rig_free(rig);
}

static void test_learning_is_bounded_for_each_port(void **state)
{
	struct rig *rig = rig_new();
	struct port *one = rig_port(rig, 1, mac_a, true);
	struct port *two = rig_port(rig, 1, mac_b, true);

	for (uint32_t i = 0; i < FDB_LEARNED_PER_PORT + 10; i++) {
		uint8_t mac[MAC_SIZE] = {6, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
		fdb_learn(rig->fdb, fdb_key(1, mac), one, 1);
	}
	assert_int_equal(one->learned, FDB_LEARNED_PER_PORT);
	static const uint8_t other[MAC_SIZE] = {2, 0, 0, 0, 1, 1};
	fdb_learn(rig->fdb, fdb_key(1, other), two, 1);
	assert_ptr_equal(rig_lookup(rig, 1, other)->port, two);
	rig_free(rig);
}

// However many ports learn, there is room for the addresses of ports.
static void test_learning_leaves_room_for_pins(void **state)
{
	struct rig *rig = rig_new();
	struct port *last = NULL;

	for (uint32_t p = 0; p < FDB_ENTRIES_MAX / FDB_LEARNED_PER_PORT; p++) {
		const uint8_t own[MAC_SIZE] = {2, 1, 0, 0, 0, (uint8_t)p};
		last = rig_port(rig, 1, own, true);
		for (uint32_t i = 0; i < FDB_LEARNED_PER_PORT; i++) {
			uint8_t mac[MAC_SIZE] = {
				6, 0, 0, (uint8_t)p, (uint8_t)(i >> 8), (uint8_t)i};
			fdb_learn(rig->fdb, fdb_key(1, mac), last, 1);
		}
	}
	assert_int_equal(last->learned, 0);
	uint32_t pins = fdb_count(rig->fdb) - FDB_LEARNED_MAX;
	for (; pins < 2 * WIRE_PORTS_MAX; pins++) {
		uint8_t mac[MAC_SIZE] = {2, 2, 0, 0, (uint8_t)(pins >> 8), (uint8_t)pins};
		assert_int_equal(fdb_pin(rig->fdb, fdb_key(2, mac), last), 0);
	}
	rig_free(rig);
}

static void test_forgotten_port_leaves_no_entry(void **state)
{
	static const uint8_t behind[MAC_SIZE] = {2, 0, 0, 0, 1, 1};
	struct rig *rig = rig_new();
	struct port *one = rig_port(rig, 1, mac_a, true);

	fdb_learn(rig->fdb, fdb_key(1, behind), one, 1);
	assert_non_null(rig_lookup(rig, 1, behind)); // Cached from here on.
	assert_int_equal(fdb_count(rig->fdb), 2);
	fdb_forget_port(rig->fdb, one);
	assert_null(rig_lookup(rig, 1, mac_a));
	assert_null(rig_lookup(rig, 1, behind));
	assert_int_equal(fdb_count(rig->fdb), 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks_are_apart),
		cmocka_unit_test(test_pinned_is_not_taken_over),
		cmocka_unit_test(test_learned_moves_and_is_replaced_by_a_pin),
		cmocka_unit_test(test_ages_what_was_not_seen),
		cmocka_unit_test(test_learning_is_bounded_for_each_port),
		cmocka_unit_test(test_learning_leaves_room_for_pins),
		cmocka_unit_test(test_forgotten_port_leaves_no_entry),
	};
	return cmocka_run_group_tests(tests, rig_start_eal, NULL);
}
