// SPDX-License-Identifier: BSD-3-Clause
// Checks of Ringway's own processes, by what ringwayd answers. One thread.
#include "cli/cli.h"
#include "cli/doctor.h"

#include <errno.h>
#include <string.h>

static void check_daemon(const struct doctor *d, struct doctor_result *result)
{
	const struct rwy_err *error = &d->daemon.error;
	const char *version = cli_member(d->daemon.version, "version");
	if (!d->daemon.version) {
		doctor_saw(
			result,
			error->code == -EACCES ? DOCTOR_UNKNOWN : DOCTOR_MISSING,
			"%s",
			error->msg
		);
		doctor_advise(
			result,
			"%s",
			error->hint[0] ? error->hint : "see its log: journalctl -u ringwayd"
		);
		return;
	}
	doctor_saw(
		result,
		DOCTOR_OK,
		"%s, API %s, process %lld",
		version,
		cli_member(d->daemon.version, "api"),
		(long long)json_integer_value(json_object_get(d->daemon.version, "pid"))
	);
	if (strcmp(version, RINGWAY_VERSION) == 0)
		return;
	doctor_saw(result, DOCTOR_WARNING, "this program is %s", RINGWAY_VERSION);
	doctor_advise(result, "run what is installed; no frame is lost:");
	doctor_command(result, "systemctl restart ringwayd");
}

static void check_switch(const struct doctor *d, struct doctor_result *result)
{
	json_t *sw = d->daemon.sw;
	const char *last_end = cli_member(sw, "last_end");
	if (!sw) {
		doctor_saw(result, DOCTOR_UNKNOWN, "ringwayd would know, and did not answer");
		return;
	}
	if (strcmp(cli_member(sw, "state"), "running") != 0) {
		doctor_saw(
			result,
			doctor_lack(d, DOCTOR_VHOST),
			"the switch is %s",
			cli_member(sw, "state")
		);
		if (last_end[0])
			doctor_detail(result, "%s", last_end);
		doctor_advise(result, "its log says why it does not start:");
		doctor_command(result, "journalctl -u ringway-switch -u ringwayd");
		return;
	}
	doctor_saw(
		result,
		DOCTOR_OK,
		"%s, process %lld",
		cli_member(sw, "program"),
		(long long)json_integer_value(json_object_get(sw, "pid"))
	);
	if (json_integer_value(json_object_get(sw, "spare_pid")))
		doctor_saw(result, DOCTOR_OK, "a spare is ready");
	else {
		doctor_saw(
			result,
			DOCTOR_NOTE,
			json_is_false(json_object_get(sw, "spare_wanted"))
				? "no spare, as ringwayd was told: a crash costs more time"
				: "no spare yet"
		);
		doctor_advise(
			result, "ringwayd makes one where it was not started with --no-spare"
		);
	}
	long long restarts = json_integer_value(json_object_get(sw, "restarts"));
	if (restarts == 0)
		return;
	doctor_saw(result, DOCTOR_WARNING, "it ended unasked %lld times", restarts);
	doctor_detail(result, "%s", last_end);
	doctor_advise(result, "its log says more:");
	doctor_command(result, "journalctl -u ringway-switch -u ringwayd");
}

const struct doctor_check doctor_service_checks[] = {
	{"ringwayd", "ringwayd answers", true, false, DOCTOR_ALL, check_daemon},
	{"switch",
	 "the switch runs, and a spare waits",
	 true,
	 false,
	 DOCTOR_VHOST | DOCTOR_KERNEL | DOCTOR_UPLINK,
	 check_switch},
	{0},
};
