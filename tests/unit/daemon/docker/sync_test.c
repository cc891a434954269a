// SPDX-License-Identifier: BSD-3-Clause
// The whole Docker side against an engine of a few lines: it connects, compares, collects, adopts and makes. Waiting is
// for a state to come about, never for a time to pass.
#include "base/fields.h"
#include "base/log.h"
#include "daemon/docker/engine.h"
#include "daemon/docker/internal.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/docker/fake_engine.h"
#include "tests/unit/daemon/docker/fake_service.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NET "c578499a13119da8ae94cb2b2a69f0243c6045cbdcf9f64ff577cae141904b8d"
#define KEY "00112233445566ff"
#define NETWORKS                                                                              \
	"[{\"Name\":\"fast\",\"Id\":\"" NET "\",\"Driver\":\"ringway\",\"IPAM\":{\"Config\":" \
	"[{\"Subnet\":\"10.1.0.0/24\",\"Gateway\":\"10.1.0.1\"}]},\"Options\":{}}]"
#define DESTROYED                                                                 \
	"{\"Type\":\"container\",\"Action\":\"destroy\",\"Actor\":{\"ID\":\"1\"," \
	"\"Attributes\":{\"ringway.key\":\"" KEY "\"}}}"

struct bench {
	char dir[64];
	char engine_path[96];
	char plugin_path[96];
	struct fake_engine *engine;
	struct daemon *daemon;
	struct docker *docker;
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	snprintf(bench->dir, sizeof(bench->dir), "/tmp/ringway-sync-XXXXXX");
	if (!mkdtemp(bench->dir))
		return -1;
	snprintf(bench->engine_path, sizeof(bench->engine_path), "%s/engine.sock", bench->dir);
	snprintf(bench->plugin_path, sizeof(bench->plugin_path), "%s/p/q/r.sock", bench->dir);
	bench->daemon = fake_service_new(bench->dir);
	bench->engine = fake_engine_new(bench->engine_path);
	fake_engine_set(bench->engine, "GET /version ", 200, "{\"Version\":\"20.10.24\"}");
	fake_engine_set(bench->engine, "GET /networks?", 200, "[]");
	fake_engine_set(bench->engine, "GET /containers/json?", 200, "[]");
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;
	char command[128];
	docker_stop(bench->docker);
	bool left = access(bench->plugin_path, F_OK) == 0;
	fake_engine_free(bench->engine);
	fake_service_free(bench->daemon);
	snprintf(command, sizeof(command), "rm -rf %s", bench->dir);
	free(bench);
	return system(command) || left ? -1 : 0;
}

static void start(struct bench *bench)
{
	struct docker_config config = {"ringway", bench->plugin_path, bench->engine_path};
	struct rwy_err err = {0};
	if (docker_start(bench->daemon, &config, &bench->docker, &err))
		fail_msg("%s", err.msg);
}

typedef unsigned int count_fn(struct daemon *d);

// The test's own time limit ends a wait for what never comes.
static void wait_for(struct bench *bench, count_fn *count, unsigned int wanted)
{
	for (;;) {
		service_lock(bench->daemon);
		unsigned int found = count(bench->daemon);
		service_unlock(bench->daemon);
		if (found == wanted)
			return;
		(void)poll(NULL, 0, 10);
	}
}

static void wait_for_engine(struct bench *bench, bool wanted)
{
	for (bool reachable = !wanted; reachable != wanted;) {
		_cleanup_json_ json_t *object = json_object();
		docker_engine_state(bench->docker, object);
		reachable = json_is_true(json_object_get(object, "reachable"));
		if (reachable != wanted)
			(void)poll(NULL, 0, 10);
	}
}

static void add_place(struct bench *bench)
{
	struct container_info place;
	service_lock(bench->daemon);
	assert_int_equal(service_container_add(bench->daemon, KEY, &place, NULL), 0);
	service_unlock(bench->daemon);
}

static void test_destroyed_container_gives_its_place_back(void **state)
{
	struct bench *bench = *state;
	add_place(bench);
	start(bench);
	wait_for_engine(bench, true);
	service_lock(bench->daemon);
	assert_int_equal(fake_service_places(bench->daemon), 1); // Too young for its age to count.
	service_unlock(bench->daemon);
	fake_engine_event(bench->engine, DESTROYED);
	wait_for(bench, fake_service_places, 0);
}

static void test_old_rows_are_collected(void **state)
{
	struct bench *bench = *state;
	struct network_spec network = {.name = "fast", .docker = true, .docker_id = NET};
	struct port_spec port = {.name = "p", .network = "fast", .endpoint_id = "e1", .key = KEY};
	struct network_info row;
	struct port_info added;
	add_place(bench);
	service_lock(bench->daemon);
	assert_int_equal(service_network_add(bench->daemon, &network, &row, NULL), 0);
	assert_int_equal(service_port_add(bench->daemon, &port, &added, NULL), 0);
	fake_service_age(bench->daemon, docker_now_ms() - 60000);
	service_unlock(bench->daemon);
	fake_engine_set(bench->engine, "GET /networks?", 200, NETWORKS);
	fake_engine_set(
		bench->engine,
		"GET /networks/" NET,
		200,
		"{\"Containers\":{\"ep-e2\":{\"EndpointID\":\"e2\"}}}"
	);
	start(bench);
	wait_for(bench, fake_service_ports, 0);
	wait_for(bench, fake_service_places, 0);
	service_lock(bench->daemon);
	assert_int_equal(fake_service_networks(bench->daemon), 1);
	service_unlock(bench->daemon);
}

static void test_unknown_network_is_adopted(void **state)
{
	struct bench *bench = *state;
	struct network_info row;
	fake_engine_set(bench->engine, "GET /networks?", 200, NETWORKS);
	fake_engine_set(bench->engine, "GET /networks/" NET, 200, "{\"Containers\":{}}");
	start(bench);
	wait_for(bench, fake_service_networks, 1);
	service_lock(bench->daemon);
	assert_int_equal(service_network_get(bench->daemon, "fast", &row, NULL), 0);
	service_unlock(bench->daemon);
	assert_string_equal(row.spec.docker_id, NET);
	assert_string_equal(row.spec.subnet, "10.1.0.0/24");
}

// An engine that answers nonsense is one that says nothing: nobody loses anything by it.
static void test_nonsense_changes_nothing(void **state)
{
	struct bench *bench = *state;
	add_place(bench);
	service_lock(bench->daemon);
	fake_service_age(bench->daemon, docker_now_ms() - 60000);
	service_unlock(bench->daemon);
	fake_engine_set(bench->engine, "GET /containers/json?", 500, "{\"message\":\"broken\"}");
	start(bench);
	while (fake_engine_count(bench->engine, "GET /containers/json?") < 2)
		(void)poll(NULL, 0, 10);
	service_lock(bench->daemon);
	assert_int_equal(fake_service_places(bench->daemon), 1);
	service_unlock(bench->daemon);
}

static void test_engine_comes_and_goes(void **state)
{
	struct bench *bench = *state;
	start(bench);
	wait_for_engine(bench, true);
	fake_engine_free(bench->engine);
	wait_for_engine(bench, false);
	assert_int_equal(unlink(bench->engine_path), 0);
	bench->engine = fake_engine_new(bench->engine_path);
	fake_engine_set(bench->engine, "GET /version ", 200, "{\"Version\":\"20.10.24\"}");
	fake_engine_set(bench->engine, "GET /networks?", 200, "[]");
	fake_engine_set(bench->engine, "GET /containers/json?", 200, "[]");
	wait_for_engine(bench, true);
}

static void test_network_create(void **state)
{
	struct bench *bench = *state;
	struct network_spec spec = {.name = "fast", .docker = true};
	struct network_info row;
	struct rwy_err err = {0};
	service_lock(bench->daemon);
	assert_int_equal(service_network_add(bench->daemon, &spec, &row, NULL), 0);
	service_unlock(bench->daemon);
	start(bench);
	fake_engine_set(
		bench->engine,
		"POST /networks/create ",
		409,
		"{\"message\":\"network with name fast already exists\"}"
	);
	assert_int_equal(docker_network_create(bench->docker, &row, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "already exists"));
	fake_engine_set(bench->engine, "POST /networks/create ", 201, "{\"Id\":\"" NET "\"}");
	assert_int_equal(docker_network_create(bench->docker, &row, &err), 0);
	fake_engine_set(
		bench->engine, "DELETE /networks/" NET, 403, "{\"message\":\"active endpoints\"}"
	);
	assert_int_equal(docker_network_remove(bench->docker, NET, &err), -EBUSY);
	fake_engine_set(bench->engine, "DELETE /networks/" NET, 404, "{\"message\":\"none\"}");
	assert_int_equal(docker_network_remove(bench->docker, NET, &err), 0);
}

static void test_without_engine(void **state)
{
	struct bench *bench = *state;
	struct network_info row = {.id = 1, .spec = {.name = "fast", .docker = true}};
	struct rwy_err err = {0};
	struct network_info added;
	service_lock(bench->daemon);
	assert_int_equal(service_network_add(bench->daemon, &row.spec, &added, NULL), 0);
	service_unlock(bench->daemon);
	snprintf(bench->engine_path, sizeof(bench->engine_path), "%s/nobody.sock", bench->dir);
	start(bench);
	assert_int_equal(docker_network_create(bench->docker, &added, &err), 0);
	assert_int_equal(docker_network_remove(bench->docker, NET, &err), 0);
	assert_int_equal(err.code, 0);
	json_t *body = NULL;
	assert_int_equal(
		engine_get(bench->engine_path, "/version", JSON_OBJECT, &body, &err), -ECONNREFUSED
	);
	assert_non_null(strstr(err.msg, "nobody.sock"));
}

static void test_second_driver_is_refused(void **state)
{
	struct bench *bench = *state;
	struct docker_config config = {"ringway", bench->plugin_path, bench->engine_path};
	struct docker *second = NULL;
	struct rwy_err err = {0};
	start(bench);
	assert_int_equal(docker_start(bench->daemon, &config, &second, &err), -EADDRINUSE);
	assert_null(second);
	assert_int_equal(access(bench->plugin_path, F_OK), 0); // The first one's is untouched.
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_destroyed_container_gives_its_place_back),
		TEST(test_old_rows_are_collected),
		TEST(test_unknown_network_is_adopted),
		TEST(test_nonsense_changes_nothing),
		TEST(test_engine_comes_and_goes),
		TEST(test_network_create),
		TEST(test_without_engine),
		TEST(test_second_driver_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
