// SPDX-License-Identifier: BSD-3-Clause
// Which of the engine's events matter, however the stream is cut.
#include "daemon/docker/events.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#define DESTROY                                                                               \
	"{\"status\":\"destroy\",\"id\":\"7eb\",\"from\":\"img\",\"Type\":\"container\","     \
	"\"Action\":\"destroy\",\"Actor\":{\"ID\":\"7eb\",\"Attributes\":{\"image\":\"img\"," \
	"\"name\":\"gen\",\"ringway.key\":\"00112233445566ff\"}},\"scope\":\"local\","        \
	"\"time\":1,\"timeNano\":1}"
#define NETWORK(driver)                                                          \
	"{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{\"ID\":\"06b\"," \
	"\"Attributes\":{\"name\":\"fast\",\"type\":\"" driver "\"}}}"

static bool read_text(const char *text, struct event *event)
{
	return event_read(text, strlen(text), "ringway", event);
}

static void test_events(void **state)
{
	struct event event;
	assert_true(read_text(DESTROY, &event));
	assert_string_equal(event.destroyed_key, "00112233445566ff");
	assert_false(event.networks_changed);
	assert_true(read_text(NETWORK("ringway"), &event));
	assert_true(event.networks_changed);
	assert_string_equal(event.destroyed_key, "");
	assert_false(read_text(NETWORK("bridge"), &event));
	assert_false(read_text("{\"Type\":\"container\",\"Action\":\"die\"}", &event));
	assert_false(read_text(
		"{\"Type\":\"container\",\"Action\":\"destroy\",\"Actor\":{\"Attributes\":"
		"{\"ringway.key\":\"../..\"}}}",
		&event
	));
	assert_false(read_text("no event", &event));
	assert_false(read_text("[]", &event));
	assert_false(read_text("{\"Type\":7,\"Actor\":[]}", &event));
}

static void count_line(void *arg, const char *line, size_t length)
{
	struct event event;
	*(int *)arg += event_read(line, length, "ringway", &event);
}

static void test_any_cut(void **state)
{
	static const char stream[] = DESTROY "\n" NETWORK("ringway") "\n\n" DESTROY "\n";
	for (size_t piece = 1; piece < sizeof(stream); piece++) {
		struct event_lines lines = {0};
		int count = 0;
		for (size_t at = 0; at < sizeof(stream) - 1; at += piece) {
			size_t left = sizeof(stream) - 1 - at;
			size_t size = left < piece ? left : piece;
			assert_int_equal(
				event_lines_feed(&lines, stream + at, size, count_line, &count), 0
			);
		}
		assert_int_equal(count, 3);
		event_lines_fini(&lines);
	}
}

static void test_endless_line(void **state)
{
	struct event_lines lines = {0};
	char block[4096];
	int count = 0;
	int r = 0;
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < EVENTS_LINE_MAX / (int)sizeof(block); i++)
		assert_int_equal(
			event_lines_feed(&lines, block, sizeof(block), count_line, &count), 0
		);
	r = event_lines_feed(&lines, block, 1, count_line, &count);
	assert_int_equal(r, -EMSGSIZE);
	event_lines_fini(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_endless_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
