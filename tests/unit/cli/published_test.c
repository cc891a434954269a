// SPDX-License-Identifier: BSD-3-Clause
// Published ports in one line: what is joined and what is not.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/published.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

struct entry {
	const char *ip, *proto;
	int host, container;
};

static void expect(const struct entry *entries, const char *text)
{
	_cleanup_json_ json_t *list = json_array();
	for (; entries->proto; entries++) {
		json_t *object = json_pack(
			"{s:s, s:i, s:i}",
			"proto",
			entries->proto,
			"host_port",
			entries->host,
			"container_port",
			entries->container
		);
		if (entries->ip)
			json_object_set_new(object, "host_ip", json_string(entries->ip));
		json_array_append_new(list, object);
	}
	_cleanup_free_ char *got = published_text(list);
	assert_string_equal(got, text);
}

static void test_none(void **state)
{
	expect((const struct entry[]){{0}}, "");
	_cleanup_free_ char *got = published_text(NULL);
	assert_string_equal(got, "");
}

static void test_adjacent(void **state)
{
	expect((const struct entry[]
	       ){{"0.0.0.0", "tcp", 8000, 8000},
		 {"0.0.0.0", "tcp", 8001, 8001},
		 {"0.0.0.0", "tcp", 8002, 8002},
		 {0}},
	       "0.0.0.0:8000-8002->8000-8002/tcp");
	// Whatever order the engine had them in.
	expect((const struct entry[]
	       ){{"", "tcp", 8001, 8001},
		 {NULL, "tcp", 8002, 8002},
		 {NULL, "tcp", 8000, 8000},
		 {0}},
	       "8000-8002->8000-8002/tcp");
}

static void test_gap(void **state)
{
	expect((const struct entry[]
	       ){{NULL, "tcp", 8000, 8000},
		 {NULL, "tcp", 8001, 8001},
		 {NULL, "tcp", 8003, 8003},
		 {NULL, "tcp", 8005, 8005},
		 {NULL, "tcp", 8006, 8006},
		 {0}},
	       "8000-8001->8000-8001/tcp,8003->8003/tcp,8005-8006->8005-8006/tcp");
}

static void test_protocols_are_apart(void **state)
{
	expect((const struct entry[]
	       ){{NULL, "tcp", 53, 53},
		 {NULL, "udp", 53, 53},
		 {NULL, "udp", 54, 54},
		 {NULL, "tcp", 54, 54},
		 {NULL, "sctp", 55, 55},
		 {0}},
	       "55->55/sctp,53-54->53-54/tcp,53-54->53-54/udp");
}

static void test_addresses_are_apart(void **state)
{
	expect((const struct entry[]
	       ){{"0.0.0.0", "tcp", 80, 80},
		 {"::", "tcp", 80, 80},
		 {"0.0.0.0", "tcp", 81, 81},
		 {"::", "tcp", 81, 81},
		 {"127.0.0.1", "tcp", 82, 82},
		 {0}},
	       "0.0.0.0:80-81->80-81/tcp,127.0.0.1:82->82/tcp,[::]:80-81->80-81/tcp");
}

static void test_other_port_of_the_container(void **state)
{
	expect((const struct entry[]){{NULL, "tcp", 8080, 80}, {NULL, "tcp", 8081, 81}, {0}},
	       "8080-8081->80-81/tcp");
	expect((const struct entry[]){{NULL, "tcp", 8080, 80}, {NULL, "tcp", 8081, 443}, {0}},
	       "8080->80/tcp,8081->443/tcp");
	// Two ports of the host for one of the container.
	expect((const struct entry[]){{NULL, "tcp", 8080, 80}, {NULL, "tcp", 8081, 80}, {0}},
	       "8080->80/tcp,8081->80/tcp");
	// In the opposite order.
	expect((const struct entry[]){{NULL, "tcp", 8080, 81}, {NULL, "tcp", 8081, 80}, {0}},
	       "8080->81/tcp,8081->80/tcp");
}

// A thousand that join to nothing are all there.
static void test_many(void **state)
{
	_cleanup_free_ struct entry *entries = calloc(1001, sizeof(*entries));
	_cleanup_free_ char *text = calloc(1000, 32);
	size_t used = 0;
	assert_non_null(entries);
	assert_non_null(text);
	for (int i = 0; i < 1000; i++) {
		entries[i] = (struct entry){NULL, "udp", 10000 + 2 * i, 7};
		used += (size_t
		)snprintf(text + used, 32, "%s%d->7/udp", i ? "," : "", 10000 + 2 * i);
	}
	expect(entries, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_adjacent),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_protocols_are_apart),
		cmocka_unit_test(test_addresses_are_apart),
		cmocka_unit_test(test_other_port_of_the_container),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
