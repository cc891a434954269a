// SPDX-License-Identifier: BSD-3-Clause
// Looks at functions that come back, a few times a second. Driver calls and the API's threads, with the service lock, which is
// let go of while they sleep.
#include "daemon/docker/returning.h"

#include "daemon/docker/internal.h"

#include <string.h>
#include <time.h>

#define LOOK_MS 100

struct search {
	const char (*addresses)[FUNCTION_SIZE]; // NULL: any.
	size_t count;
	bool found;
};

static void look(void *arg, const struct service_function *function)
{
	struct search *search = arg;
	if (function->state != FUNCTION_RETURNING)
		return;
	for (size_t i = 0; i < search->count; i++)
		if (strcmp(search->addresses[i], function->address) == 0)
			search->found = true;
	if (!search->addresses)
		search->found = true;
}

static bool wait_for(
	struct docker *docker,
	const char *network,
	struct search *search,
	int64_t until_ms
)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	if (docker_now_ms() >= until_ms)
		return false;
	service_each_function(docker->daemon, network, look, search);
	if (!search->found)
		return false;
	service_unlock(docker->daemon);
	(void)nanosleep(&pause, NULL); // Cut short: it is looked earlier.
	service_lock(docker->daemon);
	return true;
}

bool returning_wait(struct docker *docker, const char *network, int64_t until_ms)
{
	struct search search = {0};
	return wait_for(docker, network, &search, until_ms);
}

bool returning_wait_named(
	struct docker *docker,
	const char (*addresses)[FUNCTION_SIZE],
	size_t count,
	int64_t until_ms
)
{
	struct search search = {.addresses = addresses, .count = count};
	return wait_for(docker, NULL, &search, until_ms);
}
