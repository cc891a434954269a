// SPDX-License-Identifier: BSD-3-Clause
// The loop calls what is ready, and never a source that was removed in the same turn.
#include "base/loop.h"
#include "tests/lib/unit.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct pair {
	struct loop *loop;
	struct loop_source *source[2];
	int calls;
};

// Each removes both: whichever comes first, the other must not be called any more.
static void remove_both(void *arg, uint32_t events)
{
	struct pair *pair = arg;
	pair->calls++;
	loop_remove(pair->source[0]);
	loop_remove(pair->source[1]);
}

static void test_removed_in_the_same_turn(void **state)
{
	struct pair pair = {.loop = loop_new()};
	int a = eventfd(1, EFD_NONBLOCK);
	int b = eventfd(1, EFD_NONBLOCK);
	pair.source[0] = loop_add_fd(pair.loop, a, EPOLLIN, remove_both, &pair);
	pair.source[1] = loop_add_fd(pair.loop, b, EPOLLIN, remove_both, &pair);
	assert_int_equal(loop_turn(pair.loop, 1000), 0);
	assert_int_equal(pair.calls, 1);
	assert_int_equal(loop_turn(pair.loop, 0), 0);
	assert_int_equal(pair.calls, 1);
	loop_free(pair.loop);
	close(a);
	close(b);
}

static void stop_third(void *arg)
{
	struct pair *pair = arg;
	if (++pair->calls == 3)
		loop_stop(pair->loop);
}

static void test_timer_repeats_until_stop(void **state)
{
	struct pair pair = {.loop = loop_new()};
	assert_non_null(loop_add_timer(pair.loop, 1, 1, stop_third, &pair));
	assert_int_equal(loop_run(pair.loop), 0);
	assert_int_equal(pair.calls, 3);
	loop_free(pair.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_removed_in_the_same_turn),
		cmocka_unit_test(test_timer_repeats_until_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
