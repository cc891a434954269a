// SPDX-License-Identifier: BSD-3-Clause
// The HTTP server: routing, bodies, limits and errors, over a real unix socket.
#include "base/cleanup.h"
#include "daemon/http/server.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char dir[] = "/tmp/ringway-http-XXXXXX";
static char path[64];
static struct http_server *server;
static char answer[8192];
static char ctx_text[] = "here";

static int on_echo(void *ctx, const struct http_request *req, json_t *reply, struct rwy_err *err)
{
	const char *q = http_request_query(req, "q");
	json_object_set_new(reply, "ctx", json_string(ctx));
	json_object_set_new(reply, "a", json_string(req->params[0]));
	json_object_set_new(reply, "b", req->params[1] ? json_string(req->params[1]) : json_null());
	json_object_set_new(reply, "q", q ? json_string(q) : json_null());
	json_object_set_new(reply, "body", req->body ? json_incref(req->body) : json_null());
	return 201;
}

static int on_fail(void *ctx, const struct http_request *req, json_t *reply, struct rwy_err *err)
{
	json_object_set_new(reply, "half", json_true());
	err_set(err, -EBUSY, "cannot do it: busy");
	return err_hint(err, "wait");
}

static const struct http_route routes[] = {
	{"GET", "/v1/echo/*", on_echo},
	{"POST", "/v1/echo/*/*/end", on_echo},
	{"DELETE", "/v1/fail", on_fail},
};

static int setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	struct rwy_err err = {0};
	int fd = http_listen(path, 0660, -1, &err);
	if (fd < 0)
		fail_msg("%s", err.msg);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	static const struct http_table table = {routes, 3, ctx_text};
	struct http_config config = {.listen_fd = fd, .tables = &table, .table_count = 1};
	return http_server_start(&config, &server, &err);
}

static int teardown(void **state)
{
	http_server_stop(server);
	unlink(path);
	return rmdir(dir);
}

// Sends request and reads the answer to its end; the request asks for the connection's close.
static void ask(const char *request, size_t size)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	for (size_t sent = 0; sent < size;) {
		ssize_t n = send(fd, request + sent, size - sent, MSG_NOSIGNAL);
		assert_true(n > 0);
		sent += (size_t)n;
	}
	size_t used = 0;
	ssize_t n;
	while ((n = recv(fd, answer + used, sizeof(answer) - 1 - used, 0)) > 0)
		used += (size_t)n;
	answer[used] = '\0';
}

static void ask_call(const char *method, const char *url, const char *body)
{
	char request[2048];
	int size = snprintf(
		request,
		sizeof(request),
		"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
		method,
		url,
		strlen(body),
		body
	);
	ask(request, (size_t)size);
}

static void expect(const char *status, const char *part)
{
	if (strncmp(answer + strlen("HTTP/1.1 "), status, 3) != 0 || !strstr(answer, part))
		fail_msg("wanted %s and %s, got: %s", status, part, answer);
}

static void test_routes(void **state)
{
	ask_call("GET", "/v1/echo/n%31?q=a%20b", "");
	expect("201", "{\"ctx\":\"here\",\"a\":\"n1\",\"b\":null,\"q\":\"a b\",\"body\":null}");
	ask_call("POST", "/v1/echo/one/two/end", "{\"k\":[1]}");
	expect("201", "\"a\":\"one\",\"b\":\"two\",\"q\":null,\"body\":{\"k\":[1]}}");
	expect("201", "Content-Type: application/json");
}

static void test_unknown(void **state)
{
	static const char *const paths[] = {
		"/", "/v1", "/v1/echo", "/v1/echo/", "/v1/echo/a/", "/v1/echo/a/b", "/v2/echo/a"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		ask_call("GET", paths[i], "");
		expect("404", "\"code\":\"not_found\"");
	}
	ask_call("PUT", "/v1/echo/a", "");
	expect("405", "\"code\":\"method\"");
	ask_call("GET", "/v1/fail", "");
	expect("405", "\"message\":\"cannot GET '/v1/fail': the path has no such method\"");
}

static void test_errors(void **state)
{
	ask_call("DELETE", "/v1/fail", "");
	expect("409",
	       "{\"error\":{\"code\":\"in_use\",\"message\":\"cannot do it: busy\",\"hint\":\"wait\"}}"
	);
	assert_null(strstr(answer, "half"));
	static const char *const bodies[] = {
		"{", "[]", "7", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}"};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		ask_call("POST", "/v1/echo/a/b/end", bodies[i]);
		expect("400", "\"code\":\"invalid\"");
	}
}

// The whole body is sent before the answer is read: the server must take it and still refuse it.
static void test_large_body(void **state)
{
	static char request[10 * 1024 * 1024];
	int head = snprintf(
		request,
		sizeof(request),
		"POST /v1/echo/a/b/end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		"Content-Length: %d\r\n\r\n",
		10 * 1000 * 1000
	);
	memset(request + head, ' ', 10UL * 1000 * 1000);
	ask(request, (size_t)head + 10UL * 1000 * 1000);
	expect("413", "\"code\":\"too_large\"");
}

static void test_listen_refuses(void **state)
{
	struct rwy_err err = {0};
	char text[128];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(http_listen(text, 0600, -1, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.msg, "127 bytes, a socket's limit is 107"));
	assert_int_equal(http_listen("/nonexistent/s", 0600, -1, &err), -ENOENT);
}

static void test_codes(void **state)
{
	assert_int_equal(http_status_of(-ENOSPC), 507);
	assert_string_equal(http_code_of(-EAGAIN), "unavailable");
	assert_int_equal(http_status_of(-EIO), 500);
	assert_string_equal(http_code_of(-EIO), "internal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_large_body),
		cmocka_unit_test(test_listen_refuses),
		cmocka_unit_test(test_codes),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
