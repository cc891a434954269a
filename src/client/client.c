// SPDX-License-Identifier: BSD-3-Clause
// The API's client: one request at a time over libcurl, each on a connection of its own, so that
// nothing is held while the caller waits for something else. Run by the thread that owns the client.
#include "client/client.h"

#include "base/cleanup.h"
#include "base/fields.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define CALL_TIMEOUT_MS 30000L
#define ANSWER_SIZE_MAX (64u << 20)

struct client {
	CURL *curl;
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char elsewhere[sizeof(((struct sockaddr_un *)0)->sun_path
	)]; // A run directory that is not the usual.
	char reason[CURL_ERROR_SIZE];
};

struct answer {
	char *data;
	size_t size;
	bool too_large;
};

struct client *client_new(const char *run_dir, struct rwy_err *err)
{
	struct client *client = calloc(1, sizeof(*client));
	if (!client) {
		err_set(err, -ENOMEM, "cannot make an API client: no memory");
		return NULL;
	}
	int length = snprintf(client->socket, sizeof(client->socket), "%s/api.sock", run_dir);
	if (length < 0 || (size_t)length >= sizeof(client->socket)) {
		err_set(err,
			-ENAMETOOLONG,
			"cannot reach ringwayd at %.300s/api.sock: a socket's path has at most %zu bytes",
			run_dir,
			sizeof(client->socket) - 1);
		err_hint(err, "choose a shorter --run-dir");
		client_free(client);
		return NULL;
	}
	if (strcmp(run_dir, CLIENT_RUN_DIR) != 0)
		(void)stpcpy(client->elsewhere, run_dir); // Shorter than the socket's path.
	// Without CURL_GLOBAL_SSL: there is no TLS here, and it would cost milliseconds.
	if (curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK)
		client->curl = curl_easy_init();
	if (!client->curl) {
		err_set(err, -ENOMEM, "cannot make an API client: libcurl does not start");
		client_free(client);
		return NULL;
	}
	return client;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	free(client);
}

static size_t take_bytes(char *data, size_t unit, size_t count, void *arg)
{
	struct answer *answer = arg;
	size_t size = unit * count;
	if (size > ANSWER_SIZE_MAX - answer->size) {
		answer->too_large = true;
		return 0;
	}
	char *grown = realloc(answer->data, answer->size + size + 1);
	if (!grown)
		return 0;
	memcpy(grown + answer->size, data, size);
	answer->data = grown;
	answer->size += size;
	return size;
}

static void prepare_request(
	struct client *client,
	const char *method,
	const char *url,
	const char *body,
	struct answer *answer
)
{
	CURL *curl = client->curl;
	curl_easy_reset(curl);
	client->reason[0] = '\0';
	// These fail only for lack of memory, and then curl_easy_perform() does as well.
	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); // Not the one of the environment.
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, CALL_TIMEOUT_MS);
	// A connection that is kept would be inherited by the programs that a caller starts.
	(void)curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (body)
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
}

static int report_no_connection(const struct client *client, int os_errno, struct rwy_err *err)
{
	const char *socket = client->socket;
	if (os_errno == EACCES || os_errno == EPERM) {
		err_set(err, -EACCES, "cannot reach ringwayd at %s: permission denied", socket);
		return err_hint(err, "run as root, or as a member of the group 'ringway'");
	}
	if (os_errno == ENOENT || os_errno == ECONNREFUSED) {
		err_set(err, -os_errno, "cannot reach ringwayd at %s: nothing listens there", socket
		);
		if (!client->elsewhere[0])
			return err_hint(
				err, "start it: 'systemctl start ringwayd', or 'ringwayd &' as root"
			);
		return err_hint(
			err, "start it as root: 'ringwayd --run-dir %s &'", client->elsewhere
		);
	}
	return err_set(
		err,
		os_errno ? -os_errno : -EIO,
		"cannot reach ringwayd at %s: %s",
		socket,
		os_errno ? strerror(os_errno) : client->reason
	);
}

static int report_no_answer(struct client *client, CURLcode code, struct rwy_err *err)
{
	long os_errno = 0;
	if (code == CURLE_COULDNT_CONNECT) {
		(void)curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &os_errno);
		return report_no_connection(client, (int)os_errno, err);
	}
	if (code == CURLE_OPERATION_TIMEDOUT) {
		err_set(err,
			-ETIMEDOUT,
			"ringwayd at %s did not answer within %ld s",
			client->socket,
			CALL_TIMEOUT_MS / 1000);
		return err_hint(err, "what was asked for may still happen; see ringwayd's log");
	}
	return err_set(
		err,
		-EIO,
		"lost ringwayd at %s before its answer: %s",
		client->socket,
		client->reason[0] ? client->reason : curl_easy_strerror(code)
	);
}

static int errno_of_code(const char *code)
{
	static const struct {
		const char *code;
		int number;
	} table[] = {
		{"invalid", EINVAL},
		{"forbidden", EPERM},
		{"not_found", ENOENT},
		{"method", EOPNOTSUPP},
		{"exists", EEXIST},
		{"in_use", EBUSY},
		{"too_large", EMSGSIZE},
		{"full", ENOSPC},
		{"unavailable", EAGAIN},
		{"internal", EIO},
	};
	for (size_t i = 0; code && i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].code, code) == 0)
			return table[i].number;
	return EIO;
}

static int report_failure(json_t *answer, long status, struct rwy_err *err)
{
	json_t *error = json_object_get(answer, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *hint = json_string_value(json_object_get(error, "hint"));
	int number = errno_of_code(json_string_value(json_object_get(error, "code")));
	if (!message)
		return err_set(err, -number, "ringwayd failed with HTTP status %ld", status);
	err_set(err, -number, "%s", message);
	if (hint && hint[0])
		err_hint(err, "%s", hint);
	return -number;
}

static int judge_answer(
	struct client *client,
	const struct answer *raw,
	json_t **ret_answer,
	struct rwy_err *err
)
{
	long status = 0;
	(void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	_cleanup_json_ json_t *answer = json_loadb(raw->data ? raw->data : "", raw->size, 0, NULL);
	if (!json_is_object(answer))
		return err_set(
			err,
			-EPROTO,
			"what listens at %s does not speak ringwayd's API (HTTP status %ld)",
			client->socket,
			status
		);
	if (status < 200 || status > 299)
		return report_failure(answer, status, err);
	if (ret_answer)
		*ret_answer = json_incref(answer);
	return 0;
}

int client_call(
	struct client *client,
	const char *method,
	const char *path,
	json_t *body,
	json_t **ret_answer,
	struct rwy_err *err
)
{
	_cleanup_free_ char *url = NULL;
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	if ((body && !text) || asprintf(&url, "http://ringway%s", path) < 0)
		return err_set(err, -ENOMEM, "cannot ask ringwayd: no memory");
	struct answer raw = {0};
	prepare_request(client, method, url, text, &raw);
	// libcurl's own default would be a form's type.
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	(void)curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
	CURLcode code = curl_easy_perform(client->curl);
	int r;
	if (raw.too_large)
		r = err_set(err, -EPROTO, "ringwayd's answer is over %u bytes", ANSWER_SIZE_MAX);
	else if (code != CURLE_OK)
		r = report_no_answer(client, code, err);
	else
		r = judge_answer(client, &raw, ret_answer, err);
	curl_slist_free_all(headers);
	free(raw.data);
	return r;
}

char *client_path(const char *prefix, const char *name, const char *suffix)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	// RFC 3986 2.1: every other byte is '%' and two digits.
	char *path = malloc(strlen(prefix) + 3 * strlen(name) + strlen(suffix) + 1);
	if (!path)
		return NULL;
	char *at = stpcpy(path, prefix);
	for (; *name; name++) {
		if (strchr(plain, *name))
			*at++ = *name;
		else
			at += sprintf(at, "%%%02X", (unsigned char)*name);
	}
	(void)stpcpy(at, suffix); // Its end is not needed.
	return path;
}
