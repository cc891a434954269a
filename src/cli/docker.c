// SPDX-License-Identifier: BSD-3-Clause
// Composes docker's commands. Pure but for RINGWAY_DOCKER; any thread.
#include "cli/docker.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *docker_program(void)
{
	const char *program = getenv("RINGWAY_DOCKER");
	return program && program[0] ? program : "docker";
}

static const char *member(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static int plan_lacks(const char *what, struct rwy_err *err)
{
	return err_set(err, -EPROTO, "ringwayd's plan for the container lacks %s", what);
}

static int no_memory(struct rwy_err *err)
{
	return err_set(err, -ENOMEM, "cannot compose docker's command: no memory");
}

// Adds option and the fields as one comma-separated word.
static int add_csv(
	struct strv *words,
	const char *option,
	const struct strv *fields,
	struct rwy_err *err
)
{
	_cleanup_free_ char *text = strv_csv(fields);
	if (!text)
		return no_memory(err);
	strv_add(words, option);
	strv_add(words, text);
	return 0;
}

static int add_mounts(json_t *plan, struct strv *words, struct rwy_err *err)
{
	json_t *mount;
	size_t i;
	json_array_foreach(json_object_get(plan, "mounts"), i, mount)
	{
		_cleanup_strv_ struct strv fields = {0};
		const char *source = member(mount, "source");
		const char *target = member(mount, "target");
		if (!source || !target)
			return plan_lacks("a mount's source or target", err);
		strv_add(&fields, "type=bind");
		strv_addf(&fields, "source=%s", source);
		strv_addf(&fields, "target=%s", target);
		if (json_is_true(json_object_get(mount, "read_only")))
			strv_add(&fields, "readonly");
		int r = add_csv(words, "--mount", &fields, err);
		if (r)
			return r;
	}
	return 0;
}

static int add_devices(json_t *plan, struct strv *words, struct rwy_err *err)
{
	json_t *device;
	size_t i;
	json_array_foreach(json_object_get(plan, "devices"), i, device)
	{
		const char *path = member(device, "path");
		const char *permissions = member(device, "permissions");
		if (!path)
			return plan_lacks("a device's path", err);
		strv_add(words, "--device");
		if (!permissions || strcmp(permissions, "rwm") == 0) // Docker's default.
			strv_add(words, path);
		else
			strv_addf(words, "%s:%s:%s", path, path, permissions);
	}
	return 0;
}

// The user's own limit of locked memory counts.
static int add_ulimits(
	const struct run_line *line,
	json_t *plan,
	struct strv *words,
	struct rwy_err *err
)
{
	const char *name;
	json_t *value;
	json_object_foreach(json_object_get(plan, "ulimits"), name, value)
	{
		json_int_t limit = json_integer_value(value);
		if (!json_is_integer(value))
			return plan_lacks("the value of a limit", err);
		if (strcmp(name, "memlock") == 0 && line->has_memlock)
			continue;
		strv_add(words, "--ulimit");
		strv_addf(
			words,
			"%s=%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT,
			name,
			limit,
			limit
		);
	}
	return 0;
}

// The loader takes what stands first first, so Ringway's wrapper comes before the user's libraries.
static void add_preload(const struct run_line *line, const char *ours, struct strv *words)
{
	const char *users = line->preload && line->preload[0] ? line->preload : NULL;
	if (!ours && !users)
		return;
	strv_add(words, "--env");
	strv_addf(
		words,
		"LD_PRELOAD=%s%s%s",
		ours ? ours : "",
		ours && users ? ":" : "",
		users ? users : ""
	);
}

static int add_env(
	const struct run_line *line,
	json_t *plan,
	struct strv *words,
	struct rwy_err *err
)
{
	json_t *env = json_object_get(plan, "env");
	const char *name;
	json_t *value;
	json_object_foreach(env, name, value)
	{
		const char *text = json_string_value(value);
		if (!text)
			return plan_lacks("the value of a variable", err);
		if (strcmp(name, "LD_PRELOAD") == 0)
			continue;
		strv_add(words, "--env");
		strv_addf(words, "%s=%s", name, text);
	}
	add_preload(line, member(env, "LD_PRELOAD"), words);
	return 0;
}

static int add_labels(json_t *plan, struct strv *words, struct rwy_err *err)
{
	const char *name;
	json_t *value;
	json_object_foreach(json_object_get(plan, "labels"), name, value)
	{
		const char *text = json_string_value(value);
		if (!text)
			return plan_lacks("the value of a label", err);
		strv_add(words, "--label");
		strv_addf(words, "%s=%s", name, text);
	}
	return 0;
}

// "K=V" of the user and the plan. The user's first: of a name that comes twice docker takes the last.
static int list_driver_opts(
	json_t *network,
	const struct run_network *given,
	const char *prefix,
	struct strv *fields,
	struct rwy_err *err
)
{
	const char *name;
	json_t *value;
	for (size_t i = 0; i < given->driver_opts.count; i++)
		strv_addf(fields, "%s%s", prefix, given->driver_opts.items[i]);
	json_object_foreach(json_object_get(network, "driver_opts"), name, value)
	{
		const char *text = json_string_value(value);
		if (!text)
			return plan_lacks("the value of a driver option", err);
		strv_addf(fields, "%s%s=%s", prefix, name, text);
	}
	return 0;
}

// Adds --option=VALUE. docker network connect reads each VALUE as comma-separated values again.
static void add_connect_option(struct strv *words, const char *option, const char *value)
{
	_cleanup_strv_ struct strv field = {0};
	strv_add(&field, value);
	_cleanup_free_ char *text = strv_csv(&field);
	if (text)
		strv_addf(words, "--%s=%s", option, text);
	else
		words->failed = true;
}

static int find_network(
	json_t *plan,
	size_t index,
	json_t **ret_network,
	const char **ret_name,
	struct rwy_err *err
)
{
	json_t *network = json_array_get(json_object_get(plan, "networks"), index);
	const char *name = member(network, "network");
	if (!name)
		return plan_lacks("a network", err);
	*ret_network = network;
	*ret_name = name;
	return 0;
}

static int add_first_network(
	const struct run_line *line,
	json_t *plan,
	struct strv *words,
	struct rwy_err *err
)
{
	_cleanup_strv_ struct strv fields = {0};
	const struct run_network *given = &line->networks[0];
	json_t *network = NULL;
	const char *name = NULL;
	int r = find_network(plan, 0, &network, &name, err);
	if (r)
		return r;
	strv_addf(&fields, "name=%s", name);
	strv_add_all(&fields, &given->fields);
	r = list_driver_opts(network, given, "driver-opt=", &fields, err);
	if (!r)
		r = add_csv(words, "--network", &fields, err);
	if (r)
		return r;
	// Not among the fields: docker's command line knows ip= there only from 25 on.
	const char *ip = member(network, "ip");
	if (ip) {
		strv_add(words, "--ip");
		strv_add(words, ip);
	}
	return 0;
}

int docker_run_command(
	const struct run_line *line,
	json_t *plan,
	bool create,
	struct strv *ret_words,
	struct rwy_err *err
)
{
	strv_add(ret_words, docker_program());
	strv_add(ret_words, create ? "create" : "run");
	run_line_options(line, create, ret_words);
	int r = add_mounts(plan, ret_words, err);
	if (!r)
		r = add_devices(plan, ret_words, err);
	if (!r)
		r = add_ulimits(line, plan, ret_words, err);
	if (!r)
		r = add_env(line, plan, ret_words, err);
	if (!r)
		r = add_labels(plan, ret_words, err);
	if (!r)
		r = add_first_network(line, plan, ret_words, err);
	if (line->image[0][0] == '-')
		strv_add(ret_words, "--");
	for (char **word = line->image; *word; word++)
		strv_add(ret_words, *word);
	if (!r && ret_words->failed)
		r = no_memory(err);
	return r;
}

int docker_connect_command(
	const struct run_line *line,
	json_t *plan,
	size_t index,
	struct strv *ret_words,
	struct rwy_err *err
)
{
	const struct run_network *given = &line->networks[index];
	_cleanup_strv_ struct strv opts = {0};
	json_t *network = NULL;
	const char *name = NULL;
	int r = find_network(plan, index, &network, &name, err);
	if (r)
		return r;
	strv_add(ret_words, docker_program());
	strv_add(ret_words, "network");
	strv_add(ret_words, "connect");
	for (size_t i = 0; i < given->fields.count; i++)
		strv_addf(ret_words, "--%s", given->fields.items[i]);
	const char *ip = member(network, "ip");
	if (ip)
		strv_addf(ret_words, "--ip=%s", ip);
	r = list_driver_opts(network, given, "", &opts, err);
	for (size_t i = 0; i < opts.count; i++)
		add_connect_option(ret_words, "driver-opt", opts.items[i]);
	strv_add(ret_words, name);
	if (!r && (ret_words->failed || opts.failed))
		r = no_memory(err);
	return r;
}

void docker_start_command(const struct run_line *line, struct strv *ret_words)
{
	strv_add(ret_words, docker_program());
	strv_add(ret_words, "start");
	if (line->detach)
		return;
	if (line->detach_keys)
		strv_addf(ret_words, "--detach-keys=%s", line->detach_keys);
	strv_add(ret_words, line->interactive ? "-ai" : "-a");
}

void docker_pull_command(const struct run_line *line, struct strv *ret_words)
{
	strv_add(ret_words, docker_program());
	strv_add(ret_words, "pull");
	strv_add(ret_words, "-q");
	if (line->platform)
		strv_addf(ret_words, "--platform=%s", line->platform);
	strv_add(ret_words, "--");
	strv_add(ret_words, line->image[0]);
}
