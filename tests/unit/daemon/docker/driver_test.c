// SPDX-License-Identifier: BSD-3-Clause
// The driver's calls in the order in which Docker makes them, and in those in which it should not. The handlers are
// called as the server calls them; the engine is never asked (there is none).
#include "base/fields.h"
#include "daemon/docker/internal.h"
#include "tests/lib/unit.h"
#include "tests/unit/daemon/docker/fake_service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NET "c578499a13119da8ae94cb2b2a69f0243c6045cbdcf9f64ff577cae141904b8d"
#define KEY "00112233445566ff"

struct bench {
	char dir[64];
	struct docker docker;
	json_t *reply; // Of the last call.
	struct rwy_err err;
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	snprintf(bench->dir, sizeof(bench->dir), "/tmp/ringway-driver-XXXXXX");
	if (!mkdtemp(bench->dir))
		return -1;
	bench->docker.daemon = fake_service_new(bench->dir);
	pthread_mutex_init(&bench->docker.lock, NULL);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;
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

static int call(struct bench *bench, const char *name, const char *body)
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

static void expect_reply(struct bench *bench, const char *text)
{
	_cleanup_json_ json_t *expected = json_loads(text, 0, NULL);
	char *got = json_dumps(bench->reply, 0);
	if (!json_equal(bench->reply, expected))
		fail_msg("reply %s is not %s", got, text);
	free(got);
}

static void make_network(struct bench *bench)
{
	int r =
		call(bench,
		     "/NetworkDriver.CreateNetwork",
		     "{\"NetworkID\":\"" NET "\",\"Options\":{},\"IPv4Data\":"
		     "[{\"Pool\":\"10.1.0.0/24\",\"Gateway\":\"10.1.0.1/24\"}],\"IPv6Data\":[]}");
	assert_int_equal(r, 200);
	expect_reply(bench, "{}");
}

static void make_place(struct bench *bench, const char *key)
{
	struct container_info place;
	service_lock(bench->docker.daemon);
	assert_int_equal(service_container_add(bench->docker.daemon, key, &place, NULL), 0);
	service_unlock(bench->docker.daemon);
}

static int make_endpoint(struct bench *bench, const char *id, const char *mac, const char *options)
{
	char body[1024];
	snprintf(
		body,
		sizeof(body),
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"%s\",\"Interface\":{\"Address\":"
		"\"10.1.0.%d/24\",\"MacAddress\":\"%s\"},\"Options\":{\"ringway.attach\":"
		"\"vhost\"%s}}",
		id,
		id[1],
		mac,
		options
	);
	return call(bench, "/NetworkDriver.CreateEndpoint", body);
}

static int call_endpoint(struct bench *bench, const char *name, const char *id)
{
	char body[512];
	snprintf(
		body,
		sizeof(body),
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"%s\",\"SandboxKey\":"
		"\"/var/run/docker/netns/none\",\"Options\":{}}",
		id
	);
	return call(bench, name, body);
}

static bool manifest_has(struct bench *bench, const char *word)
{
	char path[256];
	char text[4096];
	snprintf(path, sizeof(path), "%s/ports/" KEY "/eal-args", bench->dir);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	size_t n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return strstr(text, word) != NULL;
}

static void test_greeting(void **state)
{
	struct bench *bench = *state;
	assert_int_equal(call(bench, "/Plugin.Activate", NULL), 200);
	expect_reply(bench, "{\"Implements\":[\"NetworkDriver\"]}");
	assert_int_equal(call(bench, "/NetworkDriver.GetCapabilities", NULL), 200);
	expect_reply(bench, "{\"Scope\":\"local\",\"ConnectivityScope\":\"local\"}");
}

static void test_one_life(void **state)
{
	struct bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	make_network(bench);
	make_place(bench, KEY);
	assert_int_equal(
		make_endpoint(
			bench,
			"e1",
			"",
			",\"ringway.key\":\"" KEY "\",\"ringway.mac\":"
			"\"02:00:00:00:00:77\""
		),
		200
	);
	expect_reply(bench, "{\"Interface\":{\"MacAddress\":\"02:00:00:00:00:77\"}}");
	assert_true(manifest_has(bench, "mac=02:00:00:00:00:77"));
	assert_int_equal(call_endpoint(bench, "/NetworkDriver.Join", "e1"), 200);
	expect_reply(bench, "{\"InterfaceName\":{},\"DisableGatewayService\":true}");
	assert_int_equal(call_endpoint(bench, "/NetworkDriver.EndpointOperInfo", "e1"), 200);
	assert_int_equal(call_endpoint(bench, "/NetworkDriver.Leave", "e1"), 200);
	assert_int_equal(call_endpoint(bench, "/NetworkDriver.DeleteEndpoint", "e1"), 200);
	assert_int_equal(fake_service_ports(d), 0);
	assert_false(manifest_has(bench, "vdev"));
	assert_true(manifest_has(bench, "--no-pci"));
	assert_int_equal(
		call(bench, "/NetworkDriver.DeleteNetwork", "{\"NetworkID\":\"" NET "\"}"), 200
	);
	assert_int_equal(fake_service_networks(d), 0);
}

static void test_everything_twice(void **state)
{
	struct bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	make_network(bench);
	make_network(bench);
	assert_int_equal(fake_service_networks(d), 1);
	assert_int_equal(make_endpoint(bench, "e1", "", ""), 200);
	char *first = json_dumps(bench->reply, 0);
	assert_int_equal(make_endpoint(bench, "e1", "", ""), 200);
	expect_reply(bench, first);
	free(first);
	assert_int_equal(fake_service_ports(d), 1);
	static const char *const calls[] = {
		"/NetworkDriver.Join",
		"/NetworkDriver.Leave",
		"/NetworkDriver.DeleteEndpoint",
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		assert_int_equal(call_endpoint(bench, calls[i], "e1"), 200);
		if (i < 2)
			assert_int_equal(call_endpoint(bench, calls[i], "e1"), 200);
	}
	assert_int_equal(call_endpoint(bench, "/NetworkDriver.Leave", "e1"), 200);
	assert_int_equal(call_endpoint(bench, "/NetworkDriver.DeleteEndpoint", "e1"), 200);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			call(bench, "/NetworkDriver.DeleteNetwork", "{\"NetworkID\":\"" NET "\"}"),
			200
		);
	assert_int_equal(fake_service_networks(d), 0);
}

static void test_given_mac_is_not_answered(void **state)
{
	struct bench *bench = *state;
	make_network(bench);
	assert_int_equal(make_endpoint(bench, "e1", "02:00:00:00:00:05", ""), 200);
	expect_reply(bench, "{}");
	assert_int_equal(make_endpoint(bench, "e2", "02:00:00:00:00:05", ""), -EEXIST);
	assert_int_equal(make_endpoint(bench, "e3", "03:00:00:00:00:05", ""), -EINVAL);
	assert_int_equal(fake_service_ports(bench->docker.daemon), 1);
}

// After a killed engine no Leave came; the same place asks anew.
static void test_new_endpoint_replaces_forgotten_one(void **state)
{
	struct bench *bench = *state;
	make_network(bench);
	make_place(bench, KEY);
	const char *options = ",\"ringway.key\":\"" KEY "\",\"ringway.name\":\"gen.fast\","
			      "\"ringway.mac\":\"02:00:00:00:00:77\"";
	assert_int_equal(make_endpoint(bench, "e1", "", options), 200);
	assert_int_equal(make_endpoint(bench, "e2", "", options), 200);
	assert_int_equal(fake_service_ports(bench->docker.daemon), 1);
	struct port_info port;
	service_lock(bench->docker.daemon);
	assert_int_equal(service_port_get(bench->docker.daemon, "gen.fast", &port, NULL), 0);
	service_unlock(bench->docker.daemon);
	assert_string_equal(port.spec.endpoint_id, "e2");
}

static void test_taken_name_falls_back(void **state)
{
	struct bench *bench = *state;
	make_network(bench);
	assert_int_equal(make_endpoint(bench, "e1", "", ",\"ringway.name\":\"gen\""), 200);
	assert_int_equal(make_endpoint(bench, "e2", "", ",\"ringway.name\":\"gen\""), 200);
	struct port_info port;
	service_lock(bench->docker.daemon);
	int r = service_port_get(bench->docker.daemon, "ep-e2", &port, NULL);
	service_unlock(bench->docker.daemon);
	assert_int_equal(r, 0);
}

static void expect_refused(struct bench *bench, int r, const char *said)
{
	_cleanup_json_ json_t *reply = json_object();
	// 404 would mean that the driver lacks the call.
	assert_true(r < 0);
	assert_int_not_equal(http_status_of(r), 404);
	driver_error_body(reply, http_status_of(r), &bench->err);
	const char *text = json_string_value(json_object_get(reply, "Err"));
	if (!text || !strstr(text, said) || strchr(text, '\n'))
		fail_msg("'%s' lacks '%s'", text ? text : "nothing", said);
}

static void test_refusals(void **state)
{
	struct bench *bench = *state;
	expect_refused(bench, make_endpoint(bench, "e1", "", ""), "unknown to ringwayd");
	make_network(bench);
	expect_refused(
		bench, make_endpoint(bench, "e1", "", ",\"ringway.key\":\"" KEY "\""), "ringway run"
	);
	expect_refused(bench, call_endpoint(bench, "/NetworkDriver.Join", "e9"), "e9");
	expect_refused(bench, call(bench, "/NetworkDriver.Join", "{}"), "NetworkID");
	expect_refused(bench, call(bench, "/NetworkDriver.Leave", "{}"), "NetworkID");
	expect_refused(bench, call(bench, "/NetworkDriver.DeleteEndpoint", "{}"), "NetworkID");
	expect_refused(bench, call(bench, "/NetworkDriver.DeleteNetwork", NULL), "NetworkID");
	expect_refused(bench, call(bench, "/NetworkDriver.EndpointOperInfo", "{}"), "NetworkID");
	expect_refused(bench, call(bench, "/NetworkDriver.CreateNetwork", "{}"), "NetworkID");
	expect_refused(bench, call(bench, "/NetworkDriver.CreateEndpoint", NULL), "NetworkID");
	assert_int_equal(fake_service_ports(bench->docker.daemon), 0);
}

// A manifest that cannot be written fails the endpoint and leaves no port.
static void test_failed_manifest_undoes_the_port(void **state)
{
	struct bench *bench = *state;
	char command[128];
	make_network(bench);
	make_place(bench, KEY);
	snprintf(command, sizeof(command), "rm -rf %s/ports/" KEY, bench->dir);
	assert_int_equal(system(command), 0);
	int r = make_endpoint(bench, "e1", "", ",\"ringway.key\":\"" KEY "\"");
	expect_refused(bench, r, "manifest");
	assert_int_equal(fake_service_ports(bench->docker.daemon), 0);
}

static void test_named_network_is_bound(void **state)
{
	struct bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	struct network_spec spec = {.name = "fast", .docker = true, .mtu = 1500};
	struct network_info row;
	service_lock(d);
	assert_int_equal(service_network_add(d, &spec, &row, NULL), 0);
	service_unlock(d);
	const char *body = "{\"NetworkID\":\"" NET "\",\"Options\":{"
			   "\"com.docker.network.generic\":{\"ringway.name\":\"fast\"}},"
			   "\"IPv4Data\":[{\"Pool\":\"10.9.0.0/24\",\"Gateway\":\"10.9.0.1/24\"}]}";
	assert_int_equal(call(bench, "/NetworkDriver.CreateNetwork", body), 200);
	assert_int_equal(fake_service_networks(d), 1);
	service_lock(d);
	assert_int_equal(service_network_by_docker_id(d, NET, &row, NULL), 0);
	service_unlock(d);
	assert_string_equal(row.spec.name, "fast");
	assert_string_equal(row.spec.subnet, "10.9.0.0/24");
	int r =
		call(bench,
		     "/NetworkDriver.CreateNetwork",
		     "{\"NetworkID\":\"ab\",\"Options\":{\"com.docker.network.generic\":"
		     "{\"ringway.name\":\"fast\"}}}");
	expect_refused(bench, r, "another Docker network");
}

// Ports that Docker knows nothing of keep their network.
static void test_network_with_ports_outlives_docker(void **state)
{
	struct bench *bench = *state;
	struct daemon *d = bench->docker.daemon;
	struct network_info row;
	make_network(bench);
	assert_int_equal(make_endpoint(bench, "e1", "", ""), 200);
	assert_int_equal(
		call(bench, "/NetworkDriver.DeleteNetwork", "{\"NetworkID\":\"" NET "\"}"), 200
	);
	service_lock(d);
	assert_int_equal(service_network_get(d, "c578499a1311", &row, NULL), 0);
	service_unlock(d);
	assert_false(row.spec.docker);
	assert_string_equal(row.spec.docker_id, "");
}

static void test_the_rest_does_nothing(void **state)
{
	static const char *const calls[] = {
		"/NetworkDriver.AllocateNetwork",
		"/NetworkDriver.FreeNetwork",
		"/NetworkDriver.DiscoverNew",
		"/NetworkDriver.DiscoverDelete",
		"/NetworkDriver.ProgramExternalConnectivity",
		"/NetworkDriver.RevokeExternalConnectivity",
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		assert_int_equal(call(*state, calls[i], "{\"any\":1}"), 200);
		expect_reply(*state, "{}");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_greeting),
		TEST(test_one_life),
		TEST(test_everything_twice),
		TEST(test_given_mac_is_not_answered),
		TEST(test_new_endpoint_replaces_forgotten_one),
		TEST(test_taken_name_falls_back),
		TEST(test_refusals),
		TEST(test_failed_manifest_undoes_the_port),
		TEST(test_named_network_is_bound),
		TEST(test_network_with_ports_outlives_docker),
		TEST(test_the_rest_does_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
