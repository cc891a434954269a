// SPDX-License-Identifier: BSD-3-Clause
// ringway doctor: which checks there are, which of them are run, and how what they say is printed. The checks themselves are
// in doctor_*.c, a file a family. One thread.
#include "cli/doctor.h"

#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

static const struct doctor_check *const families[] = {
	doctor_service_checks,
	doctor_engine_checks,
	doctor_inside_checks,
	doctor_memory_checks,
	doctor_limit_checks,
	doctor_cpu_checks,
	doctor_kernel_checks,
	doctor_vfio_checks,
	doctor_pci_checks,
	doctor_left_checks,
};

// One run of the command.
struct examination {
	struct cli *cli;
	const struct cli_args *args;
	struct doctor *doctor;
	json_t *checks; // NULL: print lines instead.
	int counts[DOCTOR_STATUS_COUNT];
	bool failed; // No memory.
};

const struct doctor_check *doctor_find_check(const char *id)
{
	for (size_t i = 0; i < FAMILY_COUNT; i++)
		for (const struct doctor_check *check = families[i]; check->id; check++)
			if (strcmp(check->id, id) == 0)
				return check;
	return NULL;
}

void doctor_each_check(void (*each)(const struct doctor_check *check, void *arg), void *arg)
{
	for (size_t i = 0; i < FAMILY_COUNT; i++)
		for (const struct doctor_check *check = families[i]; check->id; check++)
			each(check, arg);
}

static bool is_wanted(const struct examination *e, const struct doctor_check *check)
{
	bool here = e->doctor->inside ? check->inside : check->on_host;
	if (e->args->name_count == 0)
		return here && (check->uses & e->doctor->uses);
	for (int i = 0; i < e->args->name_count; i++)
		if (strcmp(e->args->names[i], check->id) == 0)
			return true;
	return false;
}

static void print_result(
	struct cli *cli,
	const struct doctor_check *check,
	const struct doctor_result *result
)
{
	(void)fprintf(
		cli->out,
		"%-8s %-19s %s\n",
		doctor_status_names[result->status],
		check->id,
		result->seen
	);
	for (size_t i = 0; i < result->details.count; i++)
		(void)fprintf(cli->out, "%-28s   %s\n", "", result->details.items[i]);
	for (size_t i = 0; i < result->advice_count; i++) {
		const struct doctor_advice *advice = &result->advice[i];
		(void)fprintf(cli->out, "%-28s -> %s\n", "", advice->text);
		if (advice->command[0])
			(void)fprintf(cli->out, "%-28s      %s\n", "", advice->command);
	}
}

static json_t *json_of_uses(unsigned int uses)
{
	json_t *list = json_array();
	for (size_t i = 0; i < DOCTOR_USE_COUNT; i++)
		if (uses & (1u << i) &&
		    json_array_append_new(list, json_string(doctor_use_names[i]))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int add_json(
	json_t *checks,
	const struct doctor_check *check,
	const struct doctor_result *result
)
{
	_cleanup_json_ json_t *details = json_array();
	_cleanup_json_ json_t *advice = json_array();
	int r = 0;
	for (size_t i = 0; i < result->details.count; i++)
		r |= json_array_append_new(details, json_string(result->details.items[i]));
	for (size_t i = 0; i < result->advice_count; i++) {
		json_t *one = json_pack("{s:s}", "text", result->advice[i].text);
		if (result->advice[i].command[0])
			r |= json_object_set_new(
				one, "command", json_string(result->advice[i].command)
			);
		r |= json_array_append_new(advice, one);
	}
	json_t *object = json_pack(
		"{s:s, s:s, s:s, s:s, s:O, s:O, s:o}",
		"id",
		check->id,
		"title",
		check->title,
		"status",
		doctor_status_names[result->status],
		"seen",
		result->seen,
		"details",
		details,
		"advice",
		advice,
		"for",
		json_of_uses(check->uses)
	);
	return r | json_array_append_new(checks, object);
}

static void examine(const struct doctor_check *check, void *arg)
{
	struct examination *e = arg;
	struct doctor_result result = {0};
	if (!is_wanted(e, check))
		return;
	if (e->doctor->inside ? check->inside : check->on_host)
		check->run(e->doctor, &result);
	else
		doctor_saw(
			&result,
			DOCTOR_UNKNOWN,
			"only seen %s",
			e->doctor->inside ? "on the host, outside of containers" : "in a container"
		);
	e->counts[result.status]++;
	e->failed |= result.details.failed;
	if (!e->checks)
		print_result(e->cli, check, &result);
	else if (add_json(e->checks, check, &result))
		e->failed = true;
	doctor_result_fini(&result);
}

static void print_head(struct cli *cli, const struct doctor *d)
{
	const char *separator = "";
	(void)fprintf(cli->out, "%s, for ", d->inside ? "in a container" : "on the host");
	for (size_t i = 0; i < DOCTOR_USE_COUNT; i++) {
		if (!(d->uses & (1u << i)))
			continue;
		(void)fprintf(cli->out, "%s%s", separator, doctor_use_names[i]);
		separator = ", ";
	}
	(void)fputs(":\n", cli->out);
}

static int print_summary(const struct examination *e)
{
	static const char *const words[DOCTOR_STATUS_COUNT] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_NOTE] = "to note",
		[DOCTOR_UNKNOWN] = "not seen",
		[DOCTOR_WARNING] = "to look at",
		[DOCTOR_MISSING] = "missing",
	};
	FILE *out = e->cli->out;
	int total = 0;
	const char *separator = ": ";
	for (size_t i = 0; i < DOCTOR_STATUS_COUNT; i++)
		total += e->counts[i];
	(void)fprintf(out, "%d check%s", total, total == 1 ? "" : "s");
	for (size_t i = 0; i < DOCTOR_STATUS_COUNT; i++) {
		if (!e->counts[i])
			continue;
		(void)fprintf(out, "%s%d %s", separator, e->counts[i], words[i]);
		separator = ", ";
	}
	(void)fputc('\n', out);
	return e->counts[DOCTOR_MISSING] ? CLI_FAILED : CLI_OK;
}

static int print_all_json(struct examination *e)
{
	bool ok = !e->counts[DOCTOR_MISSING];
	_cleanup_json_ json_t *answer = json_pack(
		"{s:b, s:s, s:o, s:O}",
		"ok",
		(int)ok,
		"place",
		e->doctor->inside ? "container" : "host",
		"for",
		json_of_uses(e->doctor->uses),
		"checks",
		e->checks
	);
	int status = answer ? cli_print_json(e->cli, answer) : CLI_FAILED;
	return status == CLI_OK && !ok ? CLI_FAILED : status;
}

static int add_use(void *arg, const char *value)
{
	unsigned int *uses = arg;
	_cleanup_free_ char *words = strdup(value);
	char *rest = words;
	if (!words)
		return -ENOMEM;
	for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ",")) {
		size_t i = 0;
		while (i < DOCTOR_USE_COUNT && strcmp(word, doctor_use_names[i]) != 0)
			i++;
		if (i < DOCTOR_USE_COUNT)
			*uses |= 1u << i;
		else if (strcmp(word, "all") == 0)
			*uses |= DOCTOR_ALL;
		else
			return -EINVAL;
	}
	return 0;
}

static int check_words(struct cli *cli, const struct cli_args *args, unsigned int *ret_uses)
{
	int r = cli_each_value(args, "for", add_use, ret_uses);
	if (r)
		return cli_usage(
			cli,
			args->cmd,
			"--for must be vhost, kernel, sriov, uplink or all, several with commas "
			"between, not '%s'",
			cli_value(args, "for")
		);
	for (int i = 0; i < args->name_count; i++)
		if (!doctor_find_check(args->names[i]))
			return cli_usage(cli, args->cmd, "there is no check '%s'", args->names[i]);
	return CLI_OK;
}

static int doctor_run(struct cli *cli, const struct cli_args *args)
{
	struct doctor d = {.root = "", .run_dir = cli->run_dir};
	struct examination e = {.cli = cli, .args = args, .doctor = &d};
	int status = check_words(cli, args, &d.uses);
	if (status)
		return status;
	doctor_look(&d);
	if (!d.uses)
		d.uses = doctor_choose_uses(&d);
	if (cli_value(args, "json"))
		e.checks = json_array();
	else
		print_head(cli, &d);
	doctor_each_check(examine, &e);
	status = e.checks ? print_all_json(&e) : print_summary(&e);
	if (e.failed) {
		err_set(&cli->error, -ENOMEM, "cannot say all that was seen: no memory");
		status = cli_fail(cli);
	}
	json_decref(e.checks);
	doctor_fini(&d);
	return status;
}

static void list_check(const struct doctor_check *check, void *arg)
{
	struct cli *cli = arg;
	const char *where = !check->inside ? "on the host: "
		: check->on_host	   ? ""
					   : "in a container: ";
	(void)fprintf(cli->out, "%-19s  %s%s\n", check->id, where, check->title);
}

static int doctor_list_checks(struct cli *cli, const struct cli_args *args)
{
	if (!cli_value(args, "list"))
		return doctor_run(cli, args);
	doctor_each_check(list_check, cli);
	return CLI_OK;
}

static const struct cli_opt doctor_opts[] = {
	{"for",
	 0,
	 "USE..",
	 "vhost, kernel, sriov, uplink or all; default: what this host is used for or could be"},
	{"list", 0, NULL, "show which checks there are"},
	{"json", 0, NULL, "print JSON"},
	{0},
};

const struct cli_cmd doctor_cmds[] = {
	{"doctor",
	 "[--for USE].. [--json] [CHECK...]",
	 "Check what DPDK in containers needs, and say what to do.",
	 doctor_opts,
	 0,
	 CLI_ANY,
	 doctor_list_checks,
	 false,
	 "The status is 1 when something is missing that is needed; warnings do not fail.\n"},
	{0},
};
