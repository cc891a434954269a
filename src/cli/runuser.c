// SPDX-License-Identifier: BSD-3-Clause
// Finds the number of the user that a container runs as. Docker knows it only inside the container, so the image's user
// database is copied out of one that is never started. One thread.
#include "cli/runuser.h"

#include "base/cleanup.h"
#include "cli/child.h"
#include "cli/docker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 4096
#define NAME_MAX_SIZE 128

static int is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

// Runs one of docker's commands; what it writes to standard output is in ret_said, or, when it fails, nothing.
static int run_docker(struct strv *words, struct child_capture *ret_said, struct rwy_err *err)
{
	struct child_capture said = {0};
	int status = 0;
	if (words->failed)
		return err_set(err, -ENOMEM, "cannot run docker: no memory");
	int r = child_run(words, &said, &status, err);
	if (!r && status)
		r = err_set(err, -EIO, "'docker %s' failed", words->items[1]);
	if (!r && ret_said)
		*ret_said = said;
	return r;
}

static void begin(struct strv *words, const char *command)
{
	strv_add(words, docker_program());
	strv_add(words, command);
}

// The user that the image says, "" for none.
static int image_user(const char *image, struct child_capture *ret_user, struct rwy_err *err)
{
	_cleanup_strv_ struct strv words = {0};
	begin(&words, "image");
	strv_add(&words, "inspect");
	strv_add(&words, "--format");
	strv_add(&words, "{{.Config.User}}");
	strv_add(&words, image);
	return run_docker(&words, ret_user, err);
}

static int create(const struct run_line *line, struct child_capture *ret_id, struct rwy_err *err)
{
	_cleanup_strv_ struct strv words = {0};
	begin(&words, "create");
	strv_add(&words, "--network=none");
	if (line->platform)
		strv_addf(&words, "--platform=%s", line->platform);
	if (line->image[0][0] == '-')
		strv_add(&words, "--");
	strv_add(&words, line->image[0]);
	strv_add(&words, "true"); // Never started.
	return run_docker(&words, ret_id, err);
}

static int copy_out(const char *id, const char *path, struct rwy_err *err)
{
	_cleanup_strv_ struct strv words = {0};
	begin(&words, "cp");
	strv_add(&words, "-L");
	strv_addf(&words, "%s:/etc/passwd", id);
	strv_add(&words, path);
	return run_docker(&words, NULL, err);
}

static void discard(const char *id)
{
	_cleanup_strv_ struct strv words = {0};
	begin(&words, "rm");
	strv_add(&words, id);
	(void)run_docker(&words, NULL, NULL); // Whatever failed before counts.
}

// "name:password:uid:..": 0 with the uid, or -ENOENT.
static int find_user(const char *path, const char *name, json_int_t *ret_uid)
{
	char line[LINE_SIZE];
	size_t length = strlen(name);
	FILE *file = fopen(path, "re");
	int r = -ENOENT;
	while (file && r && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		const char *uid = strchr(line + length + 1, ':');
		size_t digits = uid ? strspn(uid + 1, "0123456789") : 0;
		if (!digits || uid[1 + digits] != ':')
			continue;
		*ret_uid = strtoll(uid + 1, NULL, 10);
		r = 0;
	}
	if (file)
		(void)fclose(file); // Only read.
	return r;
}

static int look_up(
	const struct run_line *line,
	const char *name,
	json_int_t *ret_uid,
	struct rwy_err *err
)
{
	char path[] = "/tmp/ringway-user-XXXXXX";
	struct child_capture id = {0};
	_cleanup_close_ int fd = mkstemp(path);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a file in /tmp: %s", strerror(errno));
	int r = create(line, &id, err);
	if (!r)
		r = copy_out(id.text, path, err);
	if (id.text[0])
		discard(id.text);
	if (!r && find_user(path, name, ret_uid))
		r = err_set(err, -EINVAL, "its /etc/passwd has no user '%s'", name);
	(void)unlink(path); // It was made here.
	return r;
}

static int find_uid(
	const struct run_line *line,
	const char *user,
	json_int_t *ret_uid,
	struct rwy_err *err
)
{
	char name[NAME_MAX_SIZE];
	size_t length = strcspn(user, ":");
	*ret_uid = 0;
	if (length >= sizeof(name))
		return err_set(
			err,
			-EINVAL,
			"the user's name has more than %zu characters",
			sizeof(name) - 1
		);
	(void)snprintf(name, sizeof(name), "%.*s", (int)length, user); // It fits.
	if (!name[0])
		return 0;
	if (!is_number(name))
		return look_up(line, name, ret_uid, err);
	*ret_uid = strtoll(name, NULL, 10);
	return 0;
}

static int set_uid(json_t *plan, json_int_t uid)
{
	json_t *network;
	char text[32];
	size_t i;
	int r = 0;
	(void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, uid); // It fits.
	json_array_foreach(json_object_get(plan, "networks"), i, network)
	{
		json_t *options = json_object_get(network, "driver_opts");
		const char *attach = json_string_value(json_object_get(options, "ringway.attach"));
		if (attach && strcmp(attach, "vf") == 0)
			r |= json_object_set_new(options, "ringway.uid", json_string(text));
	}
	return r;
}

int run_user_settle(const struct run_line *line, json_t *plan, struct rwy_err *err)
{
	struct child_capture user = {0};
	json_int_t uid = 0;
	int r = 0;
	if (!json_array_size(json_object_get(plan, "devices")))
		return 0;
	bool is_here = json_is_true(json_object_get(plan, "image_present")) || !line->dry_run;
	bool numeric = line->user && is_number(line->user);
	if (!numeric && !is_here)
		return 0;
	if (!line->user)
		r = image_user(line->image[0], &user, err);
	if (!r)
		r = find_uid(line, line->user ? line->user : user.text, &uid, err);
	if (!r && uid && set_uid(plan, uid))
		r = err_set(err, -ENOMEM, "no memory");
	if (!r)
		return 0;
	err_prefix(err, "cannot run '%s' with functions: ", line->image[0]);
	return err_hint(err, "give the user as a number: --user UID");
}
