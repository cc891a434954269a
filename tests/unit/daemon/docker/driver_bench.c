// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/daemon/docker/driver_bench.h"

#include "base/fields.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/docker/fake_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int driver_bench_setup(void **state)
{
	struct driver_bench *bench = calloc(1, sizeof(*bench));
	snprintf(bench->dir, sizeof(bench->dir), "/tmp/ringway-driver-XXXXXX");
	if (!mkdtemp(bench->dir))
		return -1;
	bench->docker.daemon = fake_service_new(bench->dir);
	pthread_mutex_init(&bench->docker.lock, NULL);
	*state = bench;
	return 0;
}

int driver_bench_teardown(void **state)
{
	struct driver_bench *bench = *state;
	char command[128];
	int locked = fake_service_is_locked(bench->docker.daemon);
	snprintf(command, sizeof(command), "rm -rf %s", bench->dir);
	docker_marks_free(&bench->docker.bound);
	docker_marks_free(&bench->docker.promised);
	fake_service_free(bench->docker.daemon);
	pthread_mutex_destroy(&bench->docker.lock);
	json_decref(bench->reply);
	free(bench);
	return system(command) || locked ? -1 : 0;
}

int driver_bench_call(struct driver_bench *bench, const char *name, const char *body)
{
	struct http_table table = driver_routes(&bench->docker);
	_cleanup_json_ json_t *object = body ? json_loads(body, 0, NULL) : NULL;
	struct http_request request = {.method = "POST", .path = name, .body = object};
	json_decref(bench->reply);
	bench->reply = json_object();
	bench->err = (struct rwy_err){0};
	for (size_t i = 0; i < table.count; i++)
		if (strcmp(table.routes[i].path, name) == 0)
			return table.routes[i].handler(
				table.ctx, &request, bench->reply, &bench->err
			);
	fail_msg("no call %s", name);
	return -1;
}

void driver_bench_expect(struct driver_bench *bench, const char *text)
{
	_cleanup_json_ json_t *expected = json_loads(text, 0, NULL);
	char *got = json_dumps(bench->reply, 0);
	if (!json_equal(bench->reply, expected))
		fail_msg("reply %s is not %s", got, text);
	free(got);
}

void driver_bench_network(struct driver_bench *bench)
{
	int r = driver_bench_call(
		bench,
		"/NetworkDriver.CreateNetwork",
		"{\"NetworkID\":\"" NET "\",\"Options\":{},\"IPv4Data\":"
		"[{\"Pool\":\"10.1.0.0/24\",\"Gateway\":\"10.1.0.1/24\"}],\"IPv6Data\":[]}"
	);
	assert_int_equal(r, 200);
	driver_bench_expect(bench, "{}");
}

int driver_bench_endpoint(struct driver_bench *bench, const char *name, const char *id)
{
	char body[512];
	snprintf(
		body,
		sizeof(body),
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"%s\",\"SandboxKey\":"
		"\"/var/run/docker/netns/none\",\"Options\":{}}",
		id
	);
	return driver_bench_call(bench, name, body);
}

void driver_bench_refused(struct driver_bench *bench, int r, const char *said)
{
	_cleanup_json_ json_t *reply = json_object();
	// 404 would mean that the driver lacks the call.
	assert_true(r < 0);
	assert_int_not_equal(http_status_of(r), 404);
	driver_error_body(reply, http_status_of(r), &bench->err);
	const char *text = json_string_value(json_object_get(reply, "Err"));
	if (!text) // Fails below, for it does not say what was tried.
		text = "";
	if (!strstr(text, said) || strchr(text, '\n'))
		fail_msg("'%s' lacks '%s'", text, said);
	// It begins with what was tried ("cannot create "), and does not say it again.
	static const char cannot[] = "cannot ";
	char tried[32];
	if (strncmp(text, cannot, strlen(cannot)) != 0)
		fail_msg("'%s' does not say what was tried", text);
	size_t length = strlen(cannot) + strcspn(text + strlen(cannot), " ") + 1;
	snprintf(tried, sizeof(tried), "%.*s", (int)length, text);
	if (strstr(text + 1, tried))
		fail_msg("'%s' says twice what was tried", text);
}
