// SPDX-License-Identifier: BSD-3-Clause
// Stations: pinned where they are, replaced without a gap, swept by epoch, gone with their port; and what their IP addresses
// lead to.
#include "switch/stations.h"
#include "tests/lib/unit.h"
#include "tests/unit/switch/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_k[MAC_SIZE] = {2, 0, 0, 0, 1, 1};
static const uint8_t mac_l[MAC_SIZE] = {2, 0, 0, 0, 1, 2};
static const uint8_t mac_m[MAC_SIZE] = {2, 0, 0, 0, 1, 3};

// a: a port with an address of its own; trunk[1..2]: those networks' TAPs.
struct scene {
	struct rig *rig;
	struct port *a, *trunk[3];
	int peer[3];
};

static int set_up(void **state)
{
	static struct scene s;

	s = (struct scene){.rig = rig_new()};
	s.a = rig_port(s.rig, 1, mac_a, false);
	for (uint32_t i = 1; i <= 2; i++)
		s.trunk[i] = rig_trunk(s.rig, i, 1, 0, &s.peer[i]);
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	rig_free(s->rig);
	close(s->peer[1]);
	close(s->peer[2]);
	return 0;
}

static const uint8_t *find(const struct scene *s, uint32_t network, const char *ip)
{
	int family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	uint8_t bytes[16];

	assert_int_equal(inet_pton(family, ip, bytes), 1);
	uint16_t slot = table_network((struct switch_state *)&s->rig->sw, network)->slot;
	return stations_find(s->rig->sw.stations, slot, family, bytes);
}

static void expect_mac(const struct scene *s, uint32_t network, const char *ip, const uint8_t *mac)
{
	const uint8_t *found = find(s, network, ip);

	if (!mac) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_memory_equal(found, mac, MAC_SIZE);
}

static bool remove_station(struct scene *s, uint32_t network, const uint8_t *mac)
{
	return stations_remove(s->rig->sw.stations, table_network(&s->rig->sw, network)->slot, mac);
}

static void test_stations_of_a_trunk_are_pinned_there(void **state)
{
	struct scene *s = *state;

	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 1, NULL, NULL), 0);
	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_l, 1, NULL, NULL), 0);
	assert_ptr_equal(rig_lookup(s->rig, 1, mac_k)->port, s->trunk[1]);
	assert_true(rig_lookup(s->rig, 1, mac_k)->pinned);
	assert_ptr_equal(rig_lookup(s->rig, 1, mac_l)->port, s->trunk[1]);
	assert_null(rig_lookup(s->rig, 2, mac_k));
	assert_true(remove_station(s, 1, mac_k));
	assert_false(remove_station(s, 1, mac_k));
	assert_null(rig_lookup(s->rig, 1, mac_k));
	assert_non_null(rig_lookup(s->rig, 1, mac_l));
}

static void test_an_address_has_one_place(void **state)
{
	struct scene *s = *state;
	const uint8_t group[MAC_SIZE] = {3, 0, 0, 0, 0, 1};

	// A port's own address is not to be had behind a trunk, nor a station's by a port.
	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_a, 1, NULL, NULL), -EEXIST);
	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 1, "10.0.0.1", NULL), 0);
	assert_int_equal(rig_station(s->rig, s->a, mac_k, 1, "10.0.0.2", NULL), -EEXIST);
	struct wire_port spec = {.port = 99, .network = 1, .name = "k", .queues = 1};
	memcpy(spec.mac, mac_k, MAC_SIZE);
	assert_int_equal(table_add_port(&s->rig->sw, &spec, -1, -1, NULL), -EEXIST);
	assert_int_equal(rig_station(s->rig, s->trunk[1], group, 1, NULL, NULL), -EINVAL);
	expect_mac(s, 1, "10.0.0.1", mac_k);
	expect_mac(s, 1, "10.0.0.2", NULL);
	// Another network is another world.
	assert_int_equal(rig_station(s->rig, s->trunk[2], mac_a, 1, NULL, NULL), 0);
	assert_ptr_equal(rig_lookup(s->rig, 2, mac_a)->port, s->trunk[2]);
	assert_ptr_equal(rig_lookup(s->rig, 1, mac_a)->port, s->a);
}

static void test_addresses_are_found_by_network_and_family(void **state)
{
	struct scene *s = *state;

	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 1, "10.0.0.1", "fd00::1"), 0);
	assert_int_equal(rig_station(s->rig, s->trunk[2], mac_l, 1, "10.0.0.1", NULL), 0);
	assert_int_equal(rig_station(s->rig, s->a, mac_a, 1, "10.0.0.3", NULL), 0);
	expect_mac(s, 1, "10.0.0.1", mac_k);
	expect_mac(s, 1, "fd00::1", mac_k);
	expect_mac(s, 2, "10.0.0.1", mac_l);
	expect_mac(s, 2, "fd00::1", NULL);
	expect_mac(s, 1, "10.0.0.3", mac_a);
	expect_mac(s, 1, "0.0.0.0", NULL);
	expect_mac(s, 1, "a00:1::", NULL); // 10.0.0.1's bytes and zeros, as IPv6.
	assert_int_equal(rig_station(s->rig, s->a, mac_a, 1, "10.0.0", NULL), -EINVAL);
	assert_int_equal(rig_station(s->rig, s->a, mac_a, 1, "10.0.0.9", "10.0.0.8"), -EINVAL);
	expect_mac(s, 1, "10.0.0.3", mac_a); // As before.
	expect_mac(s, 1, "10.0.0.9", NULL);
}

static void test_added_again_it_is_replaced(void **state)
{
	struct scene *s = *state;

	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 1, "10.0.0.1", "fd00::1"), 0);
	const uint8_t *before = find(s, 1, "10.0.0.1");
	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 2, "10.0.0.1", "fd00::1"), 0);
	assert_ptr_equal(find(s, 1, "10.0.0.1"), before); // Only its epoch changed.
	assert_int_equal(stations_count(s->rig->sw.stations), 1);
	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 2, "10.0.0.2", NULL), 0);
	assert_int_equal(stations_count(s->rig->sw.stations), 1);
	expect_mac(s, 1, "10.0.0.1", NULL);
	expect_mac(s, 1, "fd00::1", NULL);
	expect_mac(s, 1, "10.0.0.2", mac_k);
	assert_ptr_equal(rig_lookup(s->rig, 1, mac_k)->port, s->trunk[1]);
}

static void test_sweep_removes_other_epochs(void **state)
{
	struct scene *s = *state;

	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 1, "10.0.0.1", NULL), 0);
	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_l, 1, "10.0.0.2", NULL), 0);
	assert_int_equal(rig_station(s->rig, s->trunk[2], mac_m, 1, "10.0.0.3", NULL), 0);
	assert_int_equal(rig_station(s->rig, s->a, mac_a, 1, "10.0.0.4", NULL), 0);
	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_l, 2, "10.0.0.2", NULL), 0);
	stations_sweep(s->rig->sw.stations, 2);
	assert_int_equal(stations_count(s->rig->sw.stations), 1);
	expect_mac(s, 1, "10.0.0.1", NULL);
	expect_mac(s, 1, "10.0.0.2", mac_l);
	expect_mac(s, 2, "10.0.0.3", NULL);
	expect_mac(s, 1, "10.0.0.4", NULL);
	assert_null(rig_lookup(s->rig, 1, mac_k));
	assert_null(rig_lookup(s->rig, 2, mac_m));
	assert_non_null(rig_lookup(s->rig, 1, mac_a)); // The port's own.
	stations_sweep(s->rig->sw.stations, 2);
	assert_int_equal(stations_count(s->rig->sw.stations), 1);
}

static void test_stations_go_with_their_port(void **state)
{
	struct scene *s = *state;

	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 1, "10.0.0.1", NULL), 0);
	assert_int_equal(rig_station(s->rig, s->trunk[2], mac_k, 1, "10.0.0.1", NULL), 0);
	assert_int_equal(rig_station(s->rig, s->a, mac_a, 1, "10.0.0.4", NULL), 0);
	assert_int_equal(table_remove_port(&s->rig->sw, s->trunk[1]->spec.port, NULL), 0);
	expect_mac(s, 1, "10.0.0.1", NULL);
	assert_null(rig_lookup(s->rig, 1, mac_k));
	expect_mac(s, 2, "10.0.0.1", mac_k);
	assert_int_equal(table_remove_port(&s->rig->sw, s->a->spec.port, NULL), 0);
	expect_mac(s, 1, "10.0.0.4", NULL);
	assert_int_equal(stations_count(s->rig->sw.stations), 1);
}

// Until one of them goes, an address that two have leads to either.
static void test_an_ip_address_may_change_hands(void **state)
{
	struct scene *s = *state;

	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 1, "10.0.0.1", NULL), 0);
	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_l, 1, "10.0.0.1", NULL), 0);
	assert_true(remove_station(s, 1, mac_k));
	expect_mac(s, 1, "10.0.0.1", mac_l);
	assert_true(remove_station(s, 1, mac_l));
	expect_mac(s, 1, "10.0.0.1", NULL);
}

static void test_many_and_no_more_than_there_is_room_for(void **state)
{
	struct scene *s = *state;
	uint8_t mac[MAC_SIZE] = {2, 7};
	char ip[16];

	int r = 0;
	uint32_t count = 0;

	// The MAC table is a hash of buckets, so that its last places are not all to be had.
	for (; r == 0; count++) {
		memcpy(mac + 2, &count, sizeof(count));
		(void)snprintf(ip, sizeof(ip), "10.1.%u.%u", count >> 8 & 255, count & 255);
		r = rig_station(s->rig, s->trunk[1], mac, count % 2, ip, NULL);
	}
	assert_int_equal(r, -ENOSPC);
	count--;
	assert_in_range(count, STATIONS_MAX / 4 * 3, STATIONS_MAX);
	assert_int_equal(stations_count(s->rig->sw.stations), count);
	expect_mac(s, 1, "10.0.0.1", NULL);
	expect_mac(s, 1, "10.1.0.77", (uint8_t[]){2, 7, 77, 0, 0, 0});
	stations_sweep(s->rig->sw.stations, 0);
	assert_int_equal(stations_count(s->rig->sw.stations), (count + 1) / 2);
	expect_mac(s, 1, "10.1.0.77", NULL);
	expect_mac(s, 1, "10.1.0.78", (uint8_t[]){2, 7, 78, 0, 0, 0});
	assert_int_equal(rig_station(s->rig, s->trunk[1], mac_k, 0, "10.0.0.1", NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stations_of_a_trunk_are_pinned_there),
		TEST(test_an_address_has_one_place),
		TEST(test_addresses_are_found_by_network_and_family),
		TEST(test_added_again_it_is_replaced),
		TEST(test_sweep_removes_other_epochs),
		TEST(test_stations_go_with_their_port),
		TEST(test_an_ip_address_may_change_hands),
		TEST(test_many_and_no_more_than_there_is_room_for),
	};
	return cmocka_run_group_tests(tests, rig_start_eal, NULL);
}
