// SPDX-License-Identifier: BSD-3-Clause
// The sync thread: the engine's events, the sandboxes of endpoints, and the comparison of both sides' lists. It owns
// its libcurl handles; what other threads ask of it or read is under `lock`. Calls of the engine are made without
// any lock; changes are made under the service lock, each on a row that is looked up again then.
#include "daemon/docker/sync.h"

#include "base/cleanup.h"
#include "base/fields.h"
#include "base/log.h"
#include "daemon/docker/apply.h"
#include "daemon/docker/engine.h"
#include "daemon/docker/events.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/reconcile.h"
#include "daemon/docker/sandbox.h"
#include "daemon/docker/snapshot.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define TURN_MS 1000	    // Between looks at the sandboxes, and between attempts to connect.
#define PASS_EVERY_MS 30000 // Also without any event.
#define PASS_SOON_MS 100    // After an event: several come together.
#define PASS_AGAIN_MS 2000  // While something is too young to judge.

struct sync {
	struct docker *docker;
	pthread_t thread;
	CURLM *multi;
	CURL *events; // NULL: not following.
	struct event_lines lines;
	struct snapshot_vec destroyed; // struct reconcile_id
	struct snapshot_vec strangers; // struct reconcile_stranger
	int64_t pass_ms;	       // When the next comparison is due.
	char complaint
		[ERR_MSG_SIZE]; // The last failure that was logged, so that it is logged once.

	pthread_mutex_t lock; // Of what follows.
	bool stop;
	bool wanted;
	bool reachable;
	char version[64];
	json_t *names; // Object: docker_id to the engine's name.
};

static bool sync_take_flags(struct sync *sync, bool *ret_stop)
{
	(void)pthread_mutex_lock(&sync->lock); // A plain mutex does not fail.
	bool wanted = sync->wanted;
	sync->wanted = false;
	*ret_stop = sync->stop;
	(void)pthread_mutex_unlock(&sync->lock);
	return wanted;
}

static void pass_within(struct sync *sync, int64_t ms)
{
	int64_t due = docker_now_ms() + ms;
	if (due < sync->pass_ms)
		sync->pass_ms = due;
}

static void set_reachable(struct sync *sync, bool reachable, const char *version)
{
	(void)pthread_mutex_lock(&sync->lock); // A plain mutex does not fail.
	bool changed = sync->reachable != reachable;
	sync->reachable = reachable;
	(void
	)snprintf(sync->version, sizeof(sync->version), "%s", version); // Cut: for people only.
	(void)pthread_mutex_unlock(&sync->lock);
	if (changed && reachable)
		log_info("following the engine at %s (%s)", sync->docker->engine_socket, version);
	else if (changed)
		log_warn("the engine at %s is gone", sync->docker->engine_socket);
}

static void on_event_line(void *arg, const char *line, size_t length)
{
	struct sync *sync = arg;
	struct event event;
	if (!event_read(line, length, sync->docker->name, &event))
		return;
	if (event.destroyed_key[0]) {
		struct reconcile_id *id = snapshot_push(&sync->destroyed, sizeof(*id));
		if (id) // Without memory its age will do.
			memcpy(id->text, event.destroyed_key, sizeof(event.destroyed_key));
	}
	pass_within(sync, PASS_SOON_MS);
}

static size_t on_event_data(char *data, size_t one, size_t count, void *arg)
{
	struct sync *sync = arg;
	return event_lines_feed(&sync->lines, data, count, on_event_line, sync) ? 0 : count;
}

// The engine answers with its headers at once, so from the first of them on no event is missed.
static size_t on_event_header(char *data, size_t one, size_t count, void *arg)
{
	struct sync *sync = arg;
	if (count > 5 && strncmp(data, "HTTP/", 5) == 0)
		pass_within(sync, 0);
	return count;
}

static void events_open(struct sync *sync)
{
	_cleanup_free_ char *path = events_path();
	sync->events = path ? engine_handle_new(sync->docker->engine_socket, path) : NULL;
	if (!sync->events)
		return; // No memory now: the next turn tries again.
	// As in engine_handle_new().
	(void)curl_easy_setopt(sync->events, CURLOPT_WRITEFUNCTION, on_event_data);
	(void)curl_easy_setopt(sync->events, CURLOPT_WRITEDATA, sync);
	(void)curl_easy_setopt(sync->events, CURLOPT_HEADERFUNCTION, on_event_header);
	(void)curl_easy_setopt(sync->events, CURLOPT_HEADERDATA, sync);
	(void)curl_easy_setopt(sync->events, CURLOPT_FAILONERROR, 1L);
	if (curl_multi_add_handle(sync->multi, sync->events)) {
		curl_easy_cleanup(sync->events);
		sync->events = NULL;
	}
}

static void events_close(struct sync *sync)
{
	if (!sync->events)
		return;
	(void)curl_multi_remove_handle(sync->multi, sync->events); // It is in it.
	curl_easy_cleanup(sync->events);
	sync->events = NULL;
	event_lines_fini(&sync->lines);
}

// Moves the stream on; false when it has ended.
static bool events_run(struct sync *sync)
{
	int running, left;
	if (curl_multi_perform(sync->multi, &running))
		return false;
	CURLMsg *message = curl_multi_info_read(sync->multi, &left);
	return !message || message->msg != CURLMSG_DONE;
}

static void remember_names(struct sync *sync, const struct snapshot *snapshot)
{
	const struct reconcile_listed *listed = snapshot->listed.data;
	json_t *names = json_object();
	for (size_t i = 0; i < snapshot->listed.count; i++)
		if (listed[i].name[0]) // Without memory a name is unknown.
			(void)json_object_set_new(
				names, listed[i].docker_id, json_string(listed[i].name)
			);
	(void)pthread_mutex_lock(&sync->lock); // A plain mutex does not fail.
	json_t *old = sync->names;
	sync->names = names;
	(void)pthread_mutex_unlock(&sync->lock);
	json_decref(old);
}

static int64_t first_sight(
	const struct snapshot_vec *strangers,
	const char *docker_id,
	int64_t none
)
{
	const struct reconcile_stranger *stranger = strangers->data;
	for (size_t i = 0; i < strangers->count; i++)
		if (strcmp(stranger[i].docker_id, docker_id) == 0)
			return stranger[i].first_ms;
	return none;
}

static void remember_strangers(
	struct sync *sync,
	const struct snapshot *snapshot,
	const struct reconcile_plan *plan
)
{
	const struct reconcile_listed *listed = snapshot->listed.data;
	struct snapshot_vec seen = {0};
	for (size_t i = 0; i < plan->count; i++) {
		const struct reconcile_action *action = &plan->actions[i];
		// One that cannot be adopted now is tried again.
		if (action->op != RECONCILE_STRANGER && action->op != RECONCILE_NETWORK_ADOPT)
			continue;
		struct reconcile_stranger *stranger = snapshot_push(&seen, sizeof(*stranger));
		if (!stranger)
			continue; // Without memory it is adopted later.
		const char *id = listed[action->listed].docker_id;
		memcpy(stranger->docker_id, id, sizeof(stranger->docker_id));
		stranger->first_ms = first_sight(&sync->strangers, id, snapshot->begin_ms);
	}
	free(sync->strangers.data);
	sync->strangers = seen;
}

static int compare(struct sync *sync, const struct snapshot *snapshot, struct rwy_err *err)
{
	struct reconcile_input input = snapshot_input(snapshot);
	struct reconcile_plan plan;
	input.destroyed = sync->destroyed.data;
	input.destroyed_count = sync->destroyed.count;
	input.strangers = sync->strangers.data;
	input.stranger_count = sync->strangers.count;
	int r = reconcile_decide(&input, &plan);
	if (r)
		return err_set(err, r, "cannot compare with the engine: no memory");
	remember_names(sync, snapshot);
	remember_strangers(sync, snapshot, &plan);
	// A destroyed container whose place could not go yet stays on the list of those whose age does not count.
	if (apply_plan(sync->docker, snapshot, &plan) == 0)
		sync->destroyed.count = 0;
	if (plan.again)
		pass_within(sync, PASS_AGAIN_MS);
	reconcile_plan_fini(&plan);
	return 0;
}

static int pass(struct sync *sync, struct rwy_err *err)
{
	struct snapshot snapshot;
	_cleanup_json_ json_t *version = NULL;
	int r = engine_get(sync->docker->engine_socket, "/version", JSON_OBJECT, &version, err);
	if (!r)
		r = snapshot_take(sync->docker, &snapshot, err);
	if (r)
		return r;
	const char *text = json_string_value(json_object_get(version, "Version"));
	set_reachable(sync, true, text ? text : "");
	r = compare(sync, &snapshot, err);
	snapshot_fini(&snapshot);
	return r;
}

static void pass_due(struct sync *sync)
{
	struct rwy_err err = {0};
	sync->pass_ms = docker_now_ms() + PASS_EVERY_MS;
	int r = pass(sync, &err);
	if (!r) {
		sync->complaint[0] = '\0';
		return;
	}
	pass_within(sync, PASS_AGAIN_MS);
	if (r == -ECONNREFUSED) {
		set_reachable(sync, false, "");
		return;
	}
	if (strcmp(sync->complaint, err.msg) != 0)
		log_err(&err, "cannot compare with the engine");
	memcpy(sync->complaint, err.msg, sizeof(sync->complaint));
}

static void *sync_main(void *arg)
{
	struct sync *sync = arg;
	int64_t turn_ms = 0;
	for (bool stop = false; !stop;) {
		int64_t now = docker_now_ms();
		if (now - turn_ms >= TURN_MS) {
			turn_ms = now;
			sandbox_check(sync->docker);
			service_lock(sync->docker->daemon);
			place_renew_all(sync->docker, true);
			service_unlock(sync->docker->daemon);
			if (!sync->events)
				events_open(sync);
		}
		if (sync->events && !events_run(sync)) {
			events_close(sync);
			pass_within(sync, 0); // It finds out whether the engine is gone.
		}
		if (docker_now_ms() >= sync->pass_ms)
			pass_due(sync);
		int64_t wait = turn_ms + TURN_MS - docker_now_ms();
		int64_t until_pass = sync->pass_ms - docker_now_ms();
		wait = until_pass < wait ? until_pass : wait;
		(void)curl_multi_poll( // Failing is like waking up.
			sync->multi,
			NULL,
			0,
			wait > 0 ? (int)wait : 0,
			NULL
		);
		if (sync_take_flags(sync, &stop))
			pass_within(sync, PASS_SOON_MS);
	}
	events_close(sync);
	return NULL;
}

static void sync_free(struct sync *sync)
{
	if (sync->multi)
		(void)curl_multi_cleanup(sync->multi); // Empty by now.
	free(sync->destroyed.data);
	free(sync->strangers.data);
	json_decref(sync->names);
	(void)pthread_mutex_destroy(&sync->lock); // Nobody is left.
	free(sync);
}

int sync_start(struct docker *docker, struct sync **ret_sync, struct rwy_err *err)
{
	struct sync *sync = calloc(1, sizeof(*sync));
	if (!sync)
		return err_set(err, -ENOMEM, "cannot follow the engine: no memory");
	sync->docker = docker;
	(void)pthread_mutex_init(&sync->lock, NULL); // A plain mutex does not fail.
	sync->multi = curl_multi_init();
	int r = sync->multi ? -pthread_create(&sync->thread, NULL, sync_main, sync) : -ENOMEM;
	if (r) {
		sync_free(sync);
		return err_set(err, r, "cannot follow the engine: %s", strerror(-r));
	}
	*ret_sync = sync;
	return 0;
}

void sync_stop(struct sync *sync)
{
	if (!sync)
		return;
	(void)pthread_mutex_lock(&sync->lock); // A plain mutex does not fail.
	sync->stop = true;
	(void)pthread_mutex_unlock(&sync->lock);
	(void)curl_multi_wakeup(sync->multi);	// At worst it wakes up by itself.
	(void)pthread_join(sync->thread, NULL); // It was started and is joined once.
	sync_free(sync);
}

void sync_wake(struct sync *sync)
{
	if (!sync)
		return;
	(void)pthread_mutex_lock(&sync->lock); // A plain mutex does not fail.
	sync->wanted = true;
	(void)pthread_mutex_unlock(&sync->lock);
	(void)curl_multi_wakeup(sync->multi); // At worst it wakes up by itself.
}

void sync_network_name(struct sync *sync, const char *docker_id, char *ret_name, size_t size)
{
	if (!sync)
		return;
	(void)pthread_mutex_lock(&sync->lock); // A plain mutex does not fail.
	const char *name = json_string_value(json_object_get(sync->names, docker_id));
	(void)snprintf(ret_name, size, "%s", name ? name : ""); // Names are short.
	(void)pthread_mutex_unlock(&sync->lock);
}

void sync_engine_state(struct sync *sync, json_t *object)
{
	if (!sync)
		return;
	(void)pthread_mutex_lock(&sync->lock); // A plain mutex does not fail.
	json_object_set_new(object, "reachable", json_boolean(sync->reachable));
	if (sync->reachable)
		json_object_set_new(object, "version", json_string(sync->version));
	(void)pthread_mutex_unlock(&sync->lock);
}
