// SPDX-License-Identifier: BSD-3-Clause
// libcurl over the engine's unix socket. No state; any thread, after curl_global_init() in docker_start().
#include "daemon/docker/engine.h"

#include "base/cleanup.h"
#include "base/fields.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX 8388608 // Bytes; a list of a thousand containers is far below.
#define CONNECT_MS 1000

struct engine_text {
	char *data;
	size_t size;
};

static void cleanup_curl(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static void cleanup_headers(struct curl_slist **headers)
{
	curl_slist_free_all(*headers);
}

#define _cleanup_curl_ __attribute__((cleanup(cleanup_curl)))
#define _cleanup_headers_ __attribute__((cleanup(cleanup_headers)))

// Taking less than was offered makes libcurl end the transfer with CURLE_WRITE_ERROR.
static size_t on_data(char *data, size_t one, size_t count, void *arg)
{
	struct engine_text *text = arg;
	if (count > ANSWER_MAX - text->size)
		return 0;
	char *grown = realloc(text->data, text->size + count + 1);
	if (!grown)
		return 0;
	memcpy(grown + text->size, data, count);
	text->data = grown;
	text->size += count;
	grown[text->size] = '\0';
	return count;
}

char *engine_escape(const char *text, bool keep_slash)
{
	static const char hex[] = "0123456789ABCDEF";
	char *escaped = malloc(3 * strlen(text) + 1);
	if (!escaped)
		return NULL;
	char *end = escaped;
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (isalnum(c) || strchr("-._~:@", c) || (c == '/' && keep_slash)) {
			*end++ = *p;
			continue;
		}
		*end++ = '%';
		*end++ = hex[c >> 4];
		*end++ = hex[c & 15];
	}
	*end = '\0';
	return escaped;
}

CURL *engine_handle_new(const char *socket_path, const char *path)
{
	// Without a version in the path the engine speaks its newest, so that old and new ones all answer.
	size_t size = strlen("http://docker") + strlen(path) + 1;
	_cleanup_free_ char *url = malloc(size);
	CURL *curl = url ? curl_easy_init() : NULL;
	if (!curl)
		return NULL;
	(void)snprintf(url, size, "http://docker%s", path); // Of just this size.
	// An option that this libcurl does not know would fail the call itself.
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); // Whatever http_proxy says.
	(void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	return curl;
}

static int report_transport(CURLcode code, const char *socket_path, struct rwy_err *err)
{
	int r = -EPROTO;
	if (code == CURLE_COULDNT_CONNECT)
		r = -ECONNREFUSED;
	else if (code == CURLE_OPERATION_TIMEDOUT)
		r = -ETIMEDOUT;
	else if (code == CURLE_WRITE_ERROR)
		r = -EMSGSIZE;
	err_set(err,
		r,
		"no answer from the engine at '%s': %s",
		socket_path,
		curl_easy_strerror(code));
	return err_hint(err, "is dockerd running? see `docker info`");
}

int engine_call(
	const char *socket_path,
	const struct engine_request *request,
	struct engine_answer *ret_answer,
	struct rwy_err *err
)
{
	_cleanup_curl_ CURL *curl = engine_handle_new(socket_path, request->path);
	_cleanup_free_ char *sent = request->body ? json_dumps(request->body, JSON_COMPACT) : NULL;
	if (!curl || (request->body && !sent))
		return err_set(err, -ENOMEM, "cannot ask the engine: no memory");
	struct engine_text text = {0};
	_cleanup_headers_ struct curl_slist *headers =
		curl_slist_append(NULL, "Content-Type: application/json");
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
	if (sent) {
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent);
		(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	}
	CURLcode code = curl_easy_perform(curl);
	_cleanup_free_ char *received = text.data;
	if (code)
		return report_transport(code, socket_path, err);
	struct engine_answer answer = {0};
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
	answer.body = received ? json_loadb(received, text.size, JSON_DECODE_ANY, NULL) : NULL;
	*ret_answer = answer;
	return 0;
}

int engine_refused(const struct engine_answer *answer, struct rwy_err *err)
{
	const char *message = json_string_value(json_object_get(answer->body, "message"));
	int r = -EIO;
	if (answer->status == 404)
		r = -ENOENT;
	else if (answer->status == 409)
		r = -EEXIST;
	else if (answer->status == 403)
		r = -EPERM;
	else if (answer->status == 400)
		r = -EINVAL;
	return err_set(
		err,
		r,
		"the engine says: %s",
		message ? message : "nothing, with an unexpected status"
	);
}

int engine_get(
	const char *socket_path,
	const char *path,
	json_type want,
	json_t **ret_body,
	struct rwy_err *err
)
{
	struct engine_request request = {"GET", path, NULL, ENGINE_SHORT_MS};
	struct engine_answer answer = {0};
	int r = engine_call(socket_path, &request, &answer, err);
	if (r)
		return r;
	if (answer.status == 200 && answer.body && json_typeof(answer.body) == want) {
		*ret_body = answer.body;
		return 0;
	}
	if (answer.status == 200)
		r = err_set(
			err, -EPROTO, "the engine's answer to %.60s is not JSON of its kind", path
		);
	else
		r = engine_refused(&answer, err);
	json_decref(answer.body);
	return r;
}
