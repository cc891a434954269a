// SPDX-License-Identifier: BSD-3-Clause
// Checks of the container engine: whether Docker answers, which one it is, and whether Ringway's driver is there for it. One thread.
#include "cli/doctor_engine.h"

#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/cli.h"
#include "cli/doctor_sockets.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ENGINE_TIMEOUT_MS 5000L
#define ENGINE_ANSWER_MAX (16u << 20)

struct bytes {
	char *data;
	size_t size;
};

static size_t take_bytes(char *data, size_t unit, size_t count, void *arg)
{
	struct bytes *bytes = arg;
	size_t size = unit * count;
	char *grown = bytes->size + size <= ENGINE_ANSWER_MAX
		? realloc(bytes->data, bytes->size + size + 1)
		: NULL;
	if (!grown)
		return 0;
	memcpy(grown + bytes->size, data, size);
	bytes->data = grown;
	bytes->size += size;
	return size;
}

static int engine_get(const char *socket, const char *path, json_t **ret, struct rwy_err *err)
{
	struct bytes bytes = {0};
	long status = 0, os_errno = 0;
	CURL *curl = curl_easy_init();
	_cleanup_free_ char *url = NULL;
	if (!curl || asprintf(&url, "http://docker%s", path) < 0) {
		curl_easy_cleanup(curl);
		return err_set(err, -ENOMEM, "no memory");
	}
	// These fail only for lack of memory, and then curl_easy_perform() does as well.
	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ENGINE_TIMEOUT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &bytes);
	CURLcode code = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_errno);
	curl_easy_cleanup(curl);
	_cleanup_free_ char *data = bytes.data;
	if (code == CURLE_COULDNT_CONNECT && os_errno)
		return err_set(err, (int)-os_errno, "%s", strerror((int)os_errno));
	if (code != CURLE_OK)
		return err_set(
			err,
			code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO,
			"%s",
			curl_easy_strerror(code)
		);
	*ret = status == 200 ? json_loadb(data ? data : "", bytes.size, 0, NULL) : NULL;
	return *ret ? 0
		    : err_set(err, -EPROTO, "HTTP status %ld, and no JSON that is known", status);
}

void doctor_ask_engine(struct doctor_engine *engine)
{
	struct rwy_err ignored = {0};
	engine->socket = DOCTOR_ENGINE_SOCKET;
	// Again and again is fine. Without TLS, which a socket has not.
	(void)curl_global_init(CURL_GLOBAL_NOTHING);
	if (engine_get(engine->socket, "/version", &engine->version, &engine->error))
		return;
	// An engine that answers the first and not this is judged by the first.
	(void)engine_get(engine->socket, "/networks", &engine->networks, &ignored);
}

static void say_no_engine(const struct doctor *d, struct doctor_result *result)
{
	const struct rwy_err *error = &d->engine.error;
	const char *socket = d->engine.socket;
	if (error->code == -EACCES || error->code == -EPERM) {
		doctor_saw(result, DOCTOR_UNKNOWN, "this user may not ask Docker at %s", socket);
		doctor_advise(result, "run doctor as root, or as a member of the group 'docker'");
		return;
	}
	// Ringway does without one: port add --netns and sockets that one mounts oneself.
	doctor_saw(
		result,
		DOCTOR_WARNING,
		"Docker does not answer at %s: %s; ringway run needs it",
		socket,
		error->msg
	);
	doctor_advise(result, "install it (Debian: docker.io), and start it:");
	doctor_command(result, "systemctl enable --now docker");
}

static void judge_version(const char *version, struct doctor_result *result)
{
	int major = 0, minor = 0;
	// NOLINTNEXTLINE(cert-err34-c): 0.0 where there are none.
	(void)sscanf(version, "%d.%d", &major, &minor);
	if (major > 20 || (major == 20 && minor >= 10))
		return;
	doctor_saw(result, DOCTOR_WARNING, "Ringway is tested with 20.10 and newer");
	doctor_advise(result, "install a newer engine (Debian 12's docker.io is 20.10)");
}

static void check_engine(const struct doctor *d, struct doctor_result *result)
{
	const char *version = cli_member(d->engine.version, "Version");
	if (!d->engine.version) {
		say_no_engine(d, result);
		return;
	}
	doctor_saw(
		result,
		DOCTOR_OK,
		"Docker %s, API %s to %s",
		version,
		cli_member(d->engine.version, "MinAPIVersion"),
		cli_member(d->engine.version, "ApiVersion")
	);
	judge_version(version, result);
	if (d->daemon.version &&
	    !json_is_true(json_object_get(json_object_get(d->daemon.version, "engine"), "reachable")
	    )) {
		doctor_saw(result, DOCTOR_WARNING, "but ringwayd does not reach it");
		doctor_advise(
			result,
			"start ringwayd without --no-docker, and with the engine's socket (--engine)"
		);
	}
}

static size_t count_networks(const struct doctor *d)
{
	size_t i, count = 0;
	json_t *network;
	json_array_foreach(d->engine.networks, i, network)
	{
		count += strncmp(cli_member(network, "Driver"), "ringway", 7) == 0;
	}
	return count;
}

static void check_driver(const struct doctor *d, struct doctor_result *result)
{
	struct doctor_sockets found = {0};
	if (!d->engine.version) {
		doctor_saw(result, DOCTOR_UNKNOWN, "no engine answers that could have it");
		return;
	}
	size_t networks = count_networks(d);
	int r = doctor_find_sockets(d, DOCTOR_PLUGINS, &found);
	bool listens = found.ours > 0;
	if (listens)
		doctor_saw(result, DOCTOR_OK, "registered as %s", found.first);
	else if (networks)
		doctor_saw(
			result,
			DOCTOR_WARNING,
			"Docker has networks of it, and nobody listens below " DOCTOR_PLUGINS
		);
	else if (r == -EACCES)
		doctor_saw(result, DOCTOR_UNKNOWN, "only root sees " DOCTOR_PLUGINS);
	else
		doctor_saw(
			result,
			d->daemon.version ? DOCTOR_WARNING : DOCTOR_NOTE,
			"nobody listens below " DOCTOR_PLUGINS
		);
	doctor_saw(
		result,
		DOCTOR_OK,
		"Docker has %zu network%s of it",
		networks,
		networks == 1 ? "" : "s"
	);
	if (!listens && r != -EACCES) {
		doctor_advise(
			result,
			"ringwayd registers its driver when it starts (not with --no-docker):"
		);
		doctor_command(result, "systemctl restart ringwayd");
	}
	doctor_sockets_fini(&found);
}

const struct doctor_check doctor_engine_checks[] = {
	{"engine", "the container engine answers", true, false, DOCTOR_ALL, check_engine},
	{"engine-driver",
	 "Ringway's network driver is registered",
	 true,
	 false,
	 DOCTOR_ALL,
	 check_driver},
	{0},
};
