// SPDX-License-Identifier: BSD-3-Clause
// The handlers of /v1/containers, with an engine of a few lines.
#include "base/fields.h"
#include "daemon/docker/internal.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/docker/fake_engine.h"
#include "tests/unit/daemon/docker/fake_service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NET "c578499a13119da8ae94cb2b2a69f0243c6045cbdcf9f64ff577cae141904b8d"

struct bench {
	char dir[64];
	struct fake_engine *engine;
	struct docker docker;
	json_t *reply;
	struct rwy_err err;
};

static void add_network(struct bench *bench, const char *name, bool docker, const char *id)
{
	// Subnets must not overlap; that of `fast` is 10.1.0.0/24.
	static const char letters[] = "fCwpc";
	struct network_spec spec = {.docker = docker, .functions = NETWORK_FUNCTIONS_NONE};
	struct network_info row;
	snprintf(spec.name, sizeof(spec.name), "%s", name);
	snprintf(
		spec.subnet,
		sizeof(spec.subnet),
		"10.%d.0.0/24",
		(int)(strchr(letters, name[0]) - letters) + 1
	);
	snprintf(spec.docker_id, sizeof(spec.docker_id), "%s", id);
	if (strcmp(name, "cards") == 0) {
		memcpy(spec.driver, "sriov", 6);
		memcpy(spec.functions.parent, "eth2", 5);
		spec.functions.vfs = 3;
	}
	service_lock(bench->docker.daemon);
	assert_int_equal(service_network_add(bench->docker.daemon, &spec, &row, NULL), 0);
	service_unlock(bench->docker.daemon);
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	snprintf(bench->dir, sizeof(bench->dir), "/tmp/ringway-containers-XXXXXX");
	if (!mkdtemp(bench->dir))
		return -1;
	bench->docker.daemon = fake_service_new(bench->dir);
	snprintf(bench->docker.engine_socket, DOCKER_SOCKET_SIZE, "%s/engine.sock", bench->dir);
	bench->engine = fake_engine_new(bench->docker.engine_socket);
	pthread_mutex_init(&bench->docker.lock, NULL);
	add_network(bench, "fast", true, NET);
	add_network(bench, "Capital", true, "ab");
	add_network(bench, "waiting", true, "");
	add_network(bench, "private", false, "");
	add_network(bench, "cards", true, "cd");
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;
	char command[128];
	docker_marks_free(&bench->docker.promised);
	docker_marks_free(&bench->docker.patience);
	fake_engine_free(bench->engine);
	fake_service_free(bench->docker.daemon);
	pthread_mutex_destroy(&bench->docker.lock);
	json_decref(bench->reply);
	snprintf(command, sizeof(command), "rm -rf %s", bench->dir);
	free(bench);
	return system(command) ? -1 : 0;
}

static int call(struct bench *bench, size_t route, const char *key, const char *body)
{
	struct http_table table = docker_api_routes(&bench->docker);
	_cleanup_json_ json_t *object = body ? json_loads(body, 0, NULL) : NULL;
	struct http_request request = {.params = {key}, .body = object};
	json_decref(bench->reply);
	bench->reply = json_object();
	bench->err = (struct rwy_err){0};
	return table.routes[route].handler(table.ctx, &request, bench->reply, &bench->err);
}

enum {
	CREATE,
	LIST,
	SETTLE,
	REMOVE
};

static const char *reply_text(struct bench *bench, const char *member)
{
	return json_string_value(json_object_get(bench->reply, member));
}

static unsigned int places(struct bench *bench)
{
	return fake_service_places(bench->docker.daemon);
}

static void test_reserve_and_remove(void **state)
{
	struct bench *bench = *state;
	char key[KEY_SIZE];
	const char *body = "{\"networks\":[{\"network\":\"fast\"}]}";
	assert_int_equal(call(bench, CREATE, NULL, body), 201);
	snprintf(key, sizeof(key), "%s", reply_text(bench, "key"));
	assert_int_equal(places(bench), 1);
	assert_true(json_is_null(json_object_get(bench->reply, "image_present")));
	assert_int_equal(call(bench, REMOVE, key, NULL), 200);
	assert_int_equal(places(bench), 0);
	assert_int_equal(call(bench, REMOVE, key, NULL), -ENOENT);
}

static void test_dry_run_reserves_nothing(void **state)
{
	struct bench *bench = *state;
	const char *body = "{\"dry_run\":true,\"networks\":[{\"network\":\"fast\"}]}";
	assert_int_equal(call(bench, CREATE, NULL, body), 201);
	assert_non_null(reply_text(bench, "key"));
	assert_int_equal(places(bench), 0);
}

static void test_image(void **state)
{
	struct bench *bench = *state;
	const char *body = "{\"image\":\"reg:5/a b\",\"dry_run\":true,"
			   "\"networks\":[{\"network\":\"fast\"}]}";
	fake_engine_set(bench->engine, "GET /images/reg:5/a%20b/json ", 200, "{}");
	assert_int_equal(call(bench, CREATE, NULL, body), 201);
	assert_true(json_is_true(json_object_get(bench->reply, "image_present")));
	fake_engine_set(bench->engine, "GET /images/reg:5/a%20b/json ", 404, "{}");
	assert_int_equal(call(bench, CREATE, NULL, body), 201);
	assert_true(json_is_false(json_object_get(bench->reply, "image_present")));
	fake_engine_set(bench->engine, "GET /images/reg:5/a%20b/json ", 500, "{}");
	assert_int_equal(call(bench, CREATE, NULL, body), 201);
	assert_true(json_is_null(json_object_get(bench->reply, "image_present")));
}

static void test_network_with_capitals_goes_by_id(void **state)
{
	struct bench *bench = *state;
	const char *body = "{\"dry_run\":true,\"networks\":[{\"network\":\"Capital\"}]}";
	assert_int_equal(call(bench, CREATE, NULL, body), 201);
	json_t *network = json_array_get(json_object_get(bench->reply, "networks"), 0);
	assert_string_equal(json_string_value(json_object_get(network, "network")), "ab");
}

static void test_refusals(void **state)
{
	static const struct {
		const char *body;
		int code;
		const char *said;
	} cases[] = {
		{"{\"networks\":[{\"network\":\"nope\"}]}",
		 -ENOENT,
		 "cannot run on network 'nope': no such network; `ringway network ls` lists them"},
		{"{\"networks\":[{\"network\":\"waiting\"}]}", -EAGAIN, "no Docker network"},
		{"{\"networks\":[{\"network\":\"private\"}]}", -EPERM, "no Docker network"},
		{"{\"networks\":[{\"network\":\"fast\",\"mac\":\"02:00:00:00:00:05\"}]}",
		 -EEXIST,
		 "taken by port 'p'"},
		{"{\"networks\":[{\"network\":\"fast\"},{\"network\":\"nope\"}]}", -ENOENT, "nope"},
	};
	struct bench *bench = *state;
	struct port_spec spec = {.name = "p", .network = "fast", .mac = {2, 0, 0, 0, 0, 5}};
	struct port_info port;
	service_lock(bench->docker.daemon);
	assert_int_equal(service_port_add(bench->docker.daemon, &spec, &port, NULL), 0);
	service_unlock(bench->docker.daemon);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = call(bench, CREATE, NULL, cases[i].body);
		if (r != cases[i].code || !strstr(bench->err.msg, cases[i].said))
			fail_msg("%s: %d '%s'", cases[i].body, r, bench->err.msg);
		assert_int_equal(places(bench), 0);
	}
}

static unsigned int kept(struct bench *bench)
{
	service_lock(bench->docker.daemon);
	unsigned int count = fake_service_kept(bench->docker.daemon);
	service_unlock(bench->docker.daemon);
	return count;
}

static void test_functions_are_kept(void **state)
{
	struct bench *bench = *state;
	char key[KEY_SIZE];
	const char *body =
		"{\"vfs\":2,\"networks\":[{\"network\":\"fast\"},{\"network\":\"cards\"}]}";
	const char *dry = "{\"dry_run\":true,\"networks\":[{\"network\":\"cards\"}]}";
	assert_int_equal(call(bench, CREATE, NULL, dry), 201);
	assert_int_equal(json_array_size(json_object_get(bench->reply, "devices")), 2);
	assert_int_equal(kept(bench), 0);
	assert_int_equal(call(bench, CREATE, NULL, body), 201);
	assert_int_equal(kept(bench), 2);
	assert_int_equal(json_array_size(json_object_get(bench->reply, "devices")), 3);
	snprintf(key, sizeof(key), "%s", reply_text(bench, "key"));
	// Too few are left: nothing stays of what was tried.
	assert_int_equal(call(bench, CREATE, NULL, body), -EBUSY);
	assert_int_equal(kept(bench), 2);
	assert_int_equal(places(bench), 1);
	fake_engine_set(bench->engine, "GET /containers/json?all=1&filters=", 200, "[]");
	assert_int_equal(call(bench, SETTLE, key, "{}"), 200);
	assert_int_equal(kept(bench), 0);
	assert_int_equal(call(bench, CREATE, NULL, body), 201);
	snprintf(key, sizeof(key), "%s", reply_text(bench, "key"));
	assert_int_equal(call(bench, REMOVE, key, NULL), 200);
	assert_int_equal(kept(bench), 0);
	assert_int_equal(places(bench), 0);
}

// Those of a container that was stopped a moment ago.
static void test_functions_that_come_back(void **state)
{
	struct bench *bench = *state;
	const char *body = "{\"networks\":[{\"network\":\"cards\"}]}";
	fake_service_return_all(bench->docker.daemon, 2);
	assert_int_equal(call(bench, CREATE, NULL, body), 201);
	assert_int_equal(kept(bench), 1);
}

static void test_list_with_companions(void **state)
{
	struct bench *bench = *state;
	struct port_spec spec = {.name = "p", .network = "cards", .attach = "vf", .vfs = 3};
	struct port_info port;
	assert_int_equal(
		call(bench, CREATE, NULL, "{\"networks\":[{\"network\":\"cards\"}]}"), 201
	);
	snprintf(spec.key, sizeof(spec.key), "%s", reply_text(bench, "key"));
	assert_int_equal(call(bench, CREATE, NULL, "{\"networks\":[{\"network\":\"fast\"}]}"), 201);
	service_lock(bench->docker.daemon);
	assert_int_equal(service_port_add(bench->docker.daemon, &spec, &port, NULL), 0);
	service_unlock(bench->docker.daemon);
	assert_int_equal(call(bench, LIST, NULL, NULL), 200);
	json_t *list = json_object_get(bench->reply, "containers");
	assert_int_equal(json_array_size(json_object_get(json_array_get(list, 0), "ports")), 3);
	assert_int_equal(json_array_size(json_object_get(json_array_get(list, 1), "ports")), 0);
}

static void test_settle(void **state)
{
	struct bench *bench = *state;
	char key[KEY_SIZE];
	char list[256];
	assert_int_equal(call(bench, CREATE, NULL, "{\"networks\":[{\"network\":\"fast\"}]}"), 201);
	snprintf(key, sizeof(key), "%s", reply_text(bench, "key"));
	// An engine that does not answer is no reason to forget anything.
	assert_true(call(bench, SETTLE, key, "{}") < 0);
	assert_int_equal(places(bench), 1);
	snprintf(list, sizeof(list), "[{\"Id\":\"1\",\"Labels\":{\"ringway.key\":\"%s\"}}]", key);
	fake_engine_set(bench->engine, "GET /containers/json?all=1&filters=", 200, list);
	assert_int_equal(call(bench, SETTLE, key, "{}"), 200);
	assert_true(json_is_true(json_object_get(bench->reply, "kept")));
	fake_engine_set(bench->engine, "GET /containers/json?all=1&filters=", 200, "[]");
	assert_int_equal(call(bench, SETTLE, key, "{}"), 200);
	assert_true(json_is_false(json_object_get(bench->reply, "kept")));
	assert_int_equal(places(bench), 0);
	assert_int_equal(call(bench, SETTLE, key, "{}"), -ENOENT);
}

static void test_list(void **state)
{
	struct bench *bench = *state;
	char key[KEY_SIZE];
	char list[512];
	assert_int_equal(call(bench, CREATE, NULL, "{\"networks\":[{\"network\":\"fast\"}]}"), 201);
	snprintf(key, sizeof(key), "%s", reply_text(bench, "key"));
	assert_int_equal(call(bench, LIST, NULL, NULL), 200);
	json_t *place = json_array_get(json_object_get(bench->reply, "containers"), 0);
	assert_string_equal(json_string_value(json_object_get(place, "key")), key);
	assert_null(json_object_get(place, "name"));
	snprintf(
		list,
		sizeof(list),
		"[{\"Id\":\"77\",\"Names\":[\"/gen\"],\"Image\":\"demo\",\"State\":\"running\","
		"\"Labels\":{\"ringway.key\":\"%s\"}}]",
		key
	);
	fake_engine_set(bench->engine, "GET /containers/json?all=1&filters=", 200, list);
	assert_int_equal(call(bench, LIST, NULL, NULL), 200);
	place = json_array_get(json_object_get(bench->reply, "containers"), 0);
	assert_string_equal(json_string_value(json_object_get(place, "name")), "gen");
	assert_string_equal(json_string_value(json_object_get(place, "state")), "running");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reserve_and_remove),
		TEST(test_dry_run_reserves_nothing),
		TEST(test_image),
		TEST(test_network_with_capitals_goes_by_id),
		TEST(test_refusals),
		TEST(test_functions_are_kept),
		TEST(test_functions_that_come_back),
		TEST(test_list_with_companions),
		TEST(test_settle),
		TEST(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
