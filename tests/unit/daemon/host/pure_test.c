// SPDX-License-Identifier: BSD-3-Clause
// What needs no kernel: limits as buckets, addresses as words, interfaces' names.
#include "daemon/host/internal.h"
#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define NOW 123456789ull
#define UNIT_NS 16 // Units of a bucket's time in a nanosecond.

// Of so many tokens at once, in units of a bucket's time; as the program takes them.
static uint64_t cost_of(const struct maps_bucket *bucket, uint64_t tokens)
{
	return (tokens * bucket->cost) >> bucket->shift;
}

static void test_bucket_rates(void **state)
{
	const uint64_t rates[] = {
		1,
		2,
		7,
		1000,
		125000,
		3333333,
		14880952,
		125000000,
		1250000000,
		12500000000,
		50000000000};
	const uint64_t sizes[] = {1, 60, 1514, 65549, (1 << 19) - 1};
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct maps_bucket bucket;
		bucket_set(&bucket, rates[i], 0, 1, NOW);
		assert_int_equal(bucket.full, NOW * UNIT_NS);
		assert_true(bucket.cost > 0 && bucket.cost <= 1ull << 44);
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			double exact = 1e9 * UNIT_NS * (double)sizes[j] / (double)rates[i];
			double got = (double)cost_of(&bucket, sizes[j]);
			// To the unit that is cut off, and a thousandth.
			assert_true(got <= exact + 1 && got >= exact * 0.999 - 1);
		}
	}
}

static void test_bucket_bursts(void **state)
{
	struct maps_bucket bucket;
	bucket_set(&bucket, 1000000, 5000, 1, NOW);
	assert_int_equal(bucket.burst, 5000000ull * UNIT_NS);
	bucket_set(&bucket, 1000000, 0, 1, NOW); // A tenth of a second's worth.
	assert_int_equal(bucket.burst, 100000000ull * UNIT_NS);
	bucket_set(&bucket, 1000, 0, 65562, NOW); // The least.
	assert_int_equal(bucket.burst, 65562000000ull * UNIT_NS);
	bucket_set(&bucket, 1, UINT64_MAX, 1, NOW); // As long as the clock can tell.
	assert_int_equal(bucket.burst, 1ull << 62);
	bucket_set(&bucket, UINT64_MAX, 1, 1, NOW); // A token has to be there at times.
	assert_int_equal(bucket.burst, 1);
	assert_int_equal(bucket.cost, 1);
	bucket_set(&bucket, 0, 1000, 1, NOW);
	assert_int_equal(bucket.cost, 0);
}

static void test_buckets_of_limits(void **state)
{
	struct maps_bucket bucket[MAPS_BUCKET_COUNT], other[MAPS_BUCKET_COUNT];
	struct port_limits limits = {0};
	assert_int_equal(buckets_set(bucket, &limits, NOW), 0);
	for (int i = 0; i < MAPS_BUCKET_COUNT; i++)
		assert_int_equal(bucket[i].cost, 0);
	limits = (struct port_limits){.rx_bps = 8000, .tx_fps = 5, .flood_fps = 9};
	assert_int_equal(
		buckets_set(bucket, &limits, NOW),
		MAPS_PORT_RX_LIMIT | MAPS_PORT_TX_LIMIT | MAPS_PORT_FLOOD_LIMIT
	);
	assert_true(cost_of(&bucket[MAPS_BUCKET_RX_BYTES], 1000) == 1000000000ull * UNIT_NS);
	assert_int_equal(bucket[MAPS_BUCKET_RX_FRAMES].cost, 0);
	assert_int_equal(bucket[MAPS_BUCKET_TX_BYTES].cost, 0);
	(void)buckets_set(other, &limits, NOW + 5);
	assert_true(buckets_equal(bucket, other));
	limits.flood_burst = 1;
	(void)buckets_set(other, &limits, NOW);
	assert_false(buckets_equal(bucket, other));
}

static void test_addresses(void **state)
{
	const uint8_t mac[MAC_SIZE] = {0x52, 0x54, 0x00, 0xab, 0xcd, 0xef};
	uint32_t ip = 0, ip6[4], expected[4];
	assert_int_equal(address_parse4("10.0.0.1", &ip), 0);
	assert_int_equal(ip, htonl(0x0a000001));
	assert_int_equal(address_parse4("", &ip), -ENODATA);
	assert_int_equal(address_parse4(NULL, &ip), -ENODATA);
	assert_int_equal(address_parse4("10.0.0.1/24", &ip), -EINVAL);
	assert_int_equal(address_parse4("fd00::1", &ip), -EINVAL);
	assert_int_equal(address_parse6("10.0.0.1", ip6), -EINVAL);
	assert_int_equal(address_parse6("fe80::5054:ff:feab:cdef", expected), 0);
	address_link_local(mac, ip6);
	assert_memory_equal(ip6, expected, sizeof(ip6));
}

static void test_names(void **state)
{
	char name[IFNAMSIZ];
	assert_int_equal(links_name_id("kp12", "kp"), 12);
	assert_int_equal(links_name_id("kp", "kp"), 0);
	assert_int_equal(links_name_id("kp012", "kp"), 0);
	assert_int_equal(links_name_id("kp12x", "kp"), 0);
	assert_int_equal(links_name_id("kp-1", "kp"), 0);
	assert_int_equal(links_name_id("nt12", "kp"), 0);
	assert_int_equal(links_name_id("kp2147483648", "kp"), 0);
	assert_int_equal(links_name_id(NULL, "kp"), 0);
	port_name(name, INT32_MAX);
	assert_int_equal(links_name_id(name, "kp"), INT32_MAX);
	trunk_name(name, INT32_MAX);
	assert_int_equal(links_name_id(name, "nt"), INT32_MAX);
}

static void test_drop_words(void **state)
{
	assert_string_equal(host_drop_text(HOST_DROP_SOURCE), "source_address");
	for (unsigned int i = 0; i < HOST_DROP_COUNT; i++)
		assert_string_not_equal(host_drop_text(i), "unknown");
	assert_string_equal(host_drop_text(HOST_DROP_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket_rates),
		cmocka_unit_test(test_bucket_bursts),
		cmocka_unit_test(test_buckets_of_limits),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_drop_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
