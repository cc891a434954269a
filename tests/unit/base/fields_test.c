// SPDX-License-Identifier: BSD-3-Clause
// Field tables: what is written is read back, and everything that does not fit is refused by name.
#include "base/fields.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

struct item {
	uint32_t id;
};

struct sample {
	bool on;
	uint16_t small;
	uint32_t number;
	int32_t sign;
	uint64_t wide;
	uint64_t large;
	struct item inner;
	char text[8];
	uint8_t mac[6];
	uint32_t item_count;
	struct item items[2];
};

static const struct field item_fields[] = {FIELD(struct item, id, FIELD_U32, FIELD_REQUIRED)};

static const struct field sample_fields[] = {
	FIELD(struct sample, on, FIELD_BOOL, 0),
	FIELD(struct sample, small, FIELD_U16, 0),
	FIELD(struct sample, number, FIELD_U32, FIELD_REQUIRED),
	FIELD(struct sample, sign, FIELD_S32, 0),
	FIELD(struct sample, wide, FIELD_HEX64, 0),
	FIELD(struct sample, large, FIELD_U64, 0),
	FIELD_STRUCT(struct sample, inner, item_fields),
	FIELD(struct sample, text, FIELD_STR, 0),
	FIELD(struct sample, mac, FIELD_MAC, 0),
	FIELD_LIST(struct sample, items, item_count, item_fields),
};

static void test_required_is_not_empty(void **state)
{
	static const struct field table[] = {
		FIELD(struct sample, text, FIELD_STR, FIELD_REQUIRED),
		FIELD(struct sample, mac, FIELD_MAC, FIELD_REQUIRED),
	};
	static const struct {
		const char *json;
		int result;
		const char *said;
	} cases[] = {
		{"{\"text\":\"a\",\"mac\":\"02:00:00:00:00:01\"}", 0, ""},
		{"{\"text\":\"\",\"mac\":\"02:00:00:00:00:01\"}", -EINVAL, "'text'"},
		{"{\"text\":\"a\",\"mac\":\"00:00:00:00:00:00\"}", -EINVAL, "'mac'"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sample out = {0};
		struct rwy_err err = {0};
		_cleanup_json_ json_t *object = json_loads(cases[i].json, 0, NULL);
		assert_int_equal(
			fields_decode(object, table, FIELD_COUNT(table), &out, &err),
			cases[i].result
		);
		assert_non_null(strstr(err.msg, cases[i].said));
	}
}

static int decode(const char *text, struct sample *out, struct rwy_err *err)
{
	_cleanup_json_ json_t *object = json_loads(text, 0, NULL);
	return fields_decode(object, sample_fields, FIELD_COUNT(sample_fields), out, err);
}

static void test_round_trip(void **state)
{
	// Static, so that padding is zero and the two can be compared whole.
	static const struct sample in = {
		.on = true,
		.small = 65535,
		.number = 4294967295u,
		.sign = -5,
		.wide = 0xfedcba9876543210ull,
		.large = INT64_MAX,
		.inner = {7},
		.text = "seven77",
		.mac = {2, 0, 0, 0, 0, 0xff},
		.item_count = 2,
		.items = {{1}, {2}},
	};
	static struct sample out;
	_cleanup_json_ json_t *object = json_object();
	assert_int_equal(fields_encode(&in, sample_fields, FIELD_COUNT(sample_fields), object), 0);
	assert_int_equal(
		fields_decode(object, sample_fields, FIELD_COUNT(sample_fields), &out, NULL), 0
	);
	assert_memory_equal(&in, &out, sizeof(in));
}

static void test_refusals_name_the_member(void **state)
{
	static const struct {
		const char *json;
		const char *said;
	} cases[] = {
		{"{\"number\":1,\"nonsense\":2}", "nonsense"},
		{"{}", "number"},
		{"{\"number\":-1}", "number"},
		{"{\"number\":4294967296}", "number"},
		{"{\"number\":1.5}", "number"},
		{"{\"number\":1,\"small\":65536}", "small"},
		{"{\"number\":1,\"text\":\"eight888\"}", "text"},
		{"{\"number\":1,\"text\":7}", "text"},
		{"{\"number\":1,\"wide\":\"12\"}", "wide"},
		{"{\"number\":1,\"wide\":\"0x\"}", "wide"},
		{"{\"number\":1,\"wide\":\"0x11112222333344445\"}", "wide"},
		{"{\"number\":1,\"mac\":\"02:00:00:00:00\"}", "mac"},
		{"{\"number\":1,\"mac\":\"02:00:00:00:00:0g\"}", "mac"},
		{"{\"number\":1,\"on\":1}", "on"},
		{"{\"number\":1,\"items\":[{\"id\":1},{\"id\":2},{\"id\":3}]}", "items"},
		{"{\"number\":1,\"items\":[{}]}", "id"},
		{"{\"number\":1,\"large\":-1}", "large"},
		{"{\"number\":1,\"large\":\"1\"}", "large"},
		{"{\"number\":1,\"inner\":7}", "'inner' must be an object"},
		{"{\"number\":1,\"inner\":{}}", "id"},
		{"{\"number\":1,\"inner\":{\"id\":1,\"more\":2}}", "more"},
		{"[]", "object"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sample out = {0};
		struct rwy_err err = {0};
		assert_int_equal(decode(cases[i].json, &out, &err), -EINVAL);
		if (!strstr(err.msg, cases[i].said))
			fail_msg(
				"%s: message '%s' lacks '%s'", cases[i].json, err.msg, cases[i].said
			);
	}
}

static void test_absent_keeps_default(void **state)
{
	struct sample out = {.small = 9};
	assert_int_equal(decode("{\"number\":1}", &out, NULL), 0);
	assert_int_equal(out.small, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_required_is_not_empty),
		cmocka_unit_test(test_refusals_name_the_member),
		cmocka_unit_test(test_absent_keeps_default),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
