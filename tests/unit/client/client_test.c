// SPDX-License-Identifier: BSD-3-Clause
// The API's client against a server that says what it is told to, and against none.
#include "base/cleanup.h"
#include "base/fields.h"
#include "client/client.h"
#include "tests/lib/unit.h"
#include "tests/unit/client/fake_server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct place {
	char *dir;
	struct fake_server *server;
	struct client *client;
	struct rwy_err err;
};

static void place_open(struct place *place, const struct fake_reply *replies)
{
	*place = (struct place){.dir = fake_dir_make()};
	if (replies)
		place->server = fake_server_new(place->dir, replies);
	place->client = client_new(place->dir, &place->err);
	assert_non_null(place->client);
}

static void place_close(struct place *place)
{
	client_free(place->client);
	fake_server_free(place->server);
	fake_dir_remove(place->dir);
	free(place->dir);
}

static void test_answer(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/networks", 201, "{\"name\":\"fast\"}"},
		{0},
	};
	struct place place;
	place_open(&place, replies);
	_cleanup_json_ json_t *body = json_pack("{s:s}", "name", "fast");
	_cleanup_json_ json_t *answer = NULL;
	int r = client_call(place.client, "POST", "/v1/networks", body, &answer, &place.err);
	assert_int_equal(r, 0);
	assert_string_equal(json_string_value(json_object_get(answer, "name")), "fast");
	_cleanup_free_ char *log = fake_server_log(place.server);
	assert_string_equal(log, "POST /v1/networks {\"name\":\"fast\"}\n");
	place_close(&place);
}

static void test_proxy_of_environment_is_ignored(void **state)
{
	static const struct fake_reply replies[] = {{"GET", "/v1/version", 200, "{}"}, {0}};
	struct place place;
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	place_open(&place, replies);
	assert_int_equal(
		client_call(place.client, "GET", "/v1/version", NULL, NULL, &place.err), 0
	);
	place_close(&place);
	assert_int_equal(unsetenv("http_proxy"), 0);
}

static void test_failures_become_errors(void **state)
{
	static const struct {
		const char *code;
		int number;
		unsigned int status;
	} cases[] = {
		{"invalid", EINVAL, 400},
		{"forbidden", EPERM, 403},
		{"not_found", ENOENT, 404},
		{"method", EOPNOTSUPP, 405},
		{"exists", EEXIST, 409},
		{"in_use", EBUSY, 409},
		{"too_large", EMSGSIZE, 413},
		{"full", ENOSPC, 507},
		{"unavailable", EAGAIN, 503},
		{"internal", EIO, 500},
		{"from a later version", EIO, 418},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char body[256];
		struct place place;
		(void)snprintf(
			body,
			sizeof(body),
			"{\"error\":{\"code\":\"%s\",\"message\":\"no way\\nin\",\"hint\":\"go %zu\"}}",
			cases[i].code,
			i
		);
		const struct fake_reply replies[] = {{"GET", "/v1/x", cases[i].status, body}, {0}};
		json_t *answer = NULL;
		place_open(&place, replies);
		int r = client_call(place.client, "GET", "/v1/x", NULL, &answer, &place.err);
		assert_int_equal(r, -cases[i].number);
		assert_int_equal(place.err.code, -cases[i].number);
		assert_null(answer);
		assert_string_equal(place.err.msg, "no way in");
		assert_memory_equal(place.err.hint, "go ", 3);
		place_close(&place);
	}
}

static void test_strange_answers(void **state)
{
	static const struct {
		const char *body;
		const char *said;
		unsigned int status;
		int number;
	} cases[] = {
		{"<html>", "API", 200, EPROTO},
		{"[]", "API", 200, EPROTO},
		{"", "API", 200, EPROTO},
		{"oops", "500", 500, EPROTO},
		{"{}", "503", 503, EIO},
		{"{\"error\":7}", "404", 404, EIO},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place place;
		const struct fake_reply replies[] = {
			{"GET", "/v1/x", cases[i].status, cases[i].body}, {0}};
		place_open(&place, replies);
		int r = client_call(place.client, "GET", "/v1/x", NULL, NULL, &place.err);
		assert_int_equal(r, -cases[i].number);
		assert_non_null(strstr(place.err.msg, cases[i].said));
		place_close(&place);
	}
}

static void test_nobody_there(void **state)
{
	struct place place;
	place_open(&place, NULL);
	int r = client_call(place.client, "GET", "/v1/version", NULL, NULL, &place.err);
	assert_int_equal(r, -ENOENT);
	assert_non_null(strstr(place.err.msg, "cannot reach ringwayd at /tmp/"));
	assert_non_null(strstr(place.err.msg, "/api.sock: nothing listens there"));
	assert_non_null(strstr(place.err.hint, "ringwayd --run-dir /tmp/"));
	place_close(&place);
}

static int bind_socket(const char *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/api.sock", dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void test_stale_socket(void **state)
{
	struct place place;
	place_open(&place, NULL);
	_cleanup_close_ int fd = bind_socket(place.dir);
	int r = client_call(place.client, "GET", "/v1/version", NULL, NULL, &place.err);
	assert_int_equal(r, -ECONNREFUSED);
	assert_non_null(strstr(place.err.msg, "nothing listens there"));
	assert_non_null(strstr(place.err.hint, "ringwayd --run-dir /tmp/"));
	place_close(&place);
}

static void test_not_allowed(void **state)
{
	struct place place;
	place_open(&place, NULL);
	_cleanup_close_ int fd = bind_socket(place.dir);
	// Root may everything, so be somebody else for a while.
	bool root = geteuid() == 0;
	assert_int_equal(chmod(place.dir, root ? 0700 : 0), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	int r = client_call(place.client, "GET", "/v1/version", NULL, NULL, &place.err);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(place.dir, 0700), 0);
	assert_int_equal(r, -EACCES);
	assert_non_null(strstr(place.err.msg, "permission denied"));
	assert_non_null(strstr(place.err.hint, "group 'ringway'"));
	place_close(&place);
}

static void test_long_run_dir(void **state)
{
	char dir[200];
	struct rwy_err err = {0};
	memset(dir, 'd', sizeof(dir) - 1);
	dir[0] = '/';
	dir[sizeof(dir) - 1] = '\0';
	assert_null(client_new(dir, &err));
	assert_int_equal(err.code, -ENAMETOOLONG);
	assert_non_null(strstr(err.msg, "107 bytes"));
	dir[107 - strlen("/api.sock")] = '\0';
	struct client *client = client_new(dir, &err);
	assert_non_null(client);
	client_free(client);
	dir[strlen(dir)] = 'd';
	dir[107 - strlen("/api.sock") + 1] = '\0';
	assert_null(client_new(dir, &err));
}

static void test_paths(void **state)
{
	static const struct {
		const char *name;
		const char *path;
	} cases[] = {
		{"fast", "/v1/ports/fast/x"},
		{"a.b_c-D9~", "/v1/ports/a.b_c-D9~/x"},
		{"a/b", "/v1/ports/a%2Fb/x"},
		{"../version", "/v1/ports/..%2Fversion/x"},
		{"a b?c#d%", "/v1/ports/a%20b%3Fc%23d%25/x"},
		{"\xc3\xa4\x01", "/v1/ports/%C3%A4%01/x"},
		{"", "/v1/ports//x"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *path = client_path("/v1/ports/", cases[i].name, "/x");
		assert_string_equal(path, cases[i].path);
	}
}

static void test_paths_arrive_as_they_are(void **state)
{
	static const struct fake_reply replies[] = {{0}};
	struct place place;
	place_open(&place, replies);
	(void)client_call(place.client, "GET", "/v1/ports/..", NULL, NULL, &place.err);
	(void)client_call(place.client, "DELETE", "/v1/ports/a%2Fb", NULL, NULL, &place.err);
	(void)client_call(place.client, "POST", "/v1/ports/.", NULL, NULL, &place.err);
	_cleanup_free_ char *log = fake_server_log(place.server);
	assert_string_equal(log, "GET /v1/ports/..\nDELETE /v1/ports/a%2Fb\nPOST /v1/ports/.\n");
	place_close(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_proxy_of_environment_is_ignored),
		cmocka_unit_test(test_failures_become_errors),
		cmocka_unit_test(test_strange_answers),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_stale_socket),
		cmocka_unit_test(test_not_allowed),
		cmocka_unit_test(test_long_run_dir),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_paths_arrive_as_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
