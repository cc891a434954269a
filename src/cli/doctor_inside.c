// SPDX-License-Identifier: BSD-3-Clause
// Checks of what a container was given: its place at /run/ringway, the preload library, capabilities. One thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/cli.h"
#include "cli/doctor_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct sockets { // Or nodes of functions.
	size_t all, good;
};

static void look_at_socket(
	const struct doctor *d,
	const char *path,
	struct sockets *sockets,
	struct doctor_result *result
)
{
	struct stat st;
	sockets->all++;
	if (doctor_stat(d, &st, "%s", path) || !S_ISSOCK(st.st_mode))
		doctor_detail(result, "%s: is not there", path);
	else if (!doctor_may(d, &st, 2))
		doctor_detail(
			result,
			"%s: user %u may not write to it (user %u, group %u, mode %04o)",
			path,
			d->process.uid,
			st.st_uid,
			st.st_gid,
			st.st_mode & 07777
		);
	else
		sockets->good++;
}

static void look_at_node(
	const struct doctor *d,
	json_t *port,
	struct sockets *sockets,
	struct doctor_result *result
)
{
	const char *node = cli_member(port, "vfio");
	sockets->all++;
	if (doctor_exists(d, "%s", node))
		sockets->good++; // Whether it may be opened is another check's to say.
	else
		doctor_detail(result, "%s: is not there", node);
}

static void judge_ports(const struct doctor *d, json_t *ports, struct doctor_result *result)
{
	struct sockets sockets = {0};
	size_t i, count = json_array_size(ports);
	json_t *port;
	json_array_foreach(ports, i, port)
	{
		const char *socket = cli_member(port, "socket");
		const char *function = cli_member(port, "pci");
		doctor_detail(
			result,
			"port %s, network %s, MAC %s%s%s",
			cli_member(port, "name"),
			cli_member(port, "network"),
			cli_member(port, "mac"),
			function[0] ? ", function " : "",
			function
		);
		if (function[0])
			look_at_node(d, port, &sockets, result);
		else if (socket[0])
			look_at_socket(d, socket, &sockets, result);
	}
	if (sockets.good == sockets.all) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"%zu port%s, %zu with a socket or a function for this user",
			count,
			count == 1 ? "" : "s",
			sockets.all
		);
		return;
	}
	doctor_saw(
		result,
		DOCTOR_MISSING,
		"%zu of %zu ports cannot be used",
		sockets.all - sockets.good,
		sockets.all
	);
	doctor_advise(
		result,
		"a network that was disconnected took its port along; else start the container anew, with the user that the application has:"
	);
	doctor_command(result, "ringway run --user %u --network NETWORK IMAGE", d->process.uid);
}

static void check_place(const struct doctor *d, struct doctor_result *result)
{
	_cleanup_free_ char *text = doctor_read_all(d, DOCTOR_PLACE "/manifest.json");
	_cleanup_json_ json_t *manifest = text ? json_loads(text, 0, NULL) : NULL;
	json_t *ports = json_object_get(manifest, "ports");
	if (!text) {
		doctor_saw(
			result,
			doctor_lack(d, DOCTOR_VHOST),
			"there is no " DOCTOR_PLACE
			"/manifest.json: this container has no port of Ringway's for DPDK"
		);
		doctor_advise(result, "on the host:");
		doctor_command(result, "ringway run --network NETWORK IMAGE");
		return;
	}
	if (!json_is_array(ports)) {
		doctor_saw(
			result,
			DOCTOR_MISSING,
			DOCTOR_PLACE "/manifest.json is not what ringwayd writes"
		);
		doctor_advise(result, "start the container anew, by ringway run");
		return;
	}
	judge_ports(d, ports, result);
}

struct preload {
	char path[READ_LINE_SIZE]; // Of ours in LD_PRELOAD; empty: it is not there.
	bool exists, off, arguments;
};

// LD_PRELOAD's words have colons or blanks between.
static void read_preload(const struct doctor *d, struct preload *preload)
{
	_cleanup_free_ char *words = strdup(d->process.ld_preload ? d->process.ld_preload : "");
	const char *mode = d->process.preload_mode;
	char *rest = words;
	preload->off = mode && strcmp(mode, "off") == 0;
	preload->arguments = doctor_exists(d, DOCTOR_PLACE "/eal-args");
	for (char *word = words ? strsep(&rest, ": ") : NULL; word; word = strsep(&rest, ": ")) {
		if (!strstr(word, "ringway-preload"))
			continue;
		(void)snprintf(preload->path, sizeof(preload->path), "%s", word); // Ours is short.
		preload->exists = doctor_exists(d, "%s", word);
	}
}

static void judge_preload(
	const struct doctor *d,
	const struct preload *preload,
	struct doctor_result *result
)
{
	if (preload->path[0] && preload->exists && !preload->off) {
		doctor_saw(
			result,
			preload->arguments ? DOCTOR_OK : doctor_lack(d, DOCTOR_ALL),
			preload->arguments
				? "%s; dynamically linked applications get their EAL arguments"
				: "%s, but no " DOCTOR_PLACE "/eal-args for it",
			preload->path
		);
		return;
	}
	if (preload->off)
		doctor_saw(result, DOCTOR_NOTE, "turned off by RINGWAY_PRELOAD");
	else if (preload->path[0])
		doctor_saw(
			result,
			DOCTOR_WARNING,
			"LD_PRELOAD names %s, which is not there",
			preload->path
		);
	else
		doctor_saw(
			result,
			DOCTOR_WARNING,
			"LD_PRELOAD does not name it: applications get no EAL argument by themselves"
		);
	if (preload->arguments) {
		doctor_advise(
			result,
			"pass the arguments yourself, as a statically linked application has to%s:",
			d->process.get_mempolicy ? " (with hugepages see the check mempolicy, too)"
						 : ""
		);
		doctor_command(
			result, "APPLICATION $(tr '\\n' ' ' < " DOCTOR_PLACE "/eal-args) -- .."
		);
	} else
		doctor_advise(
			result, "start the container by ringway run, which mounts and names it"
		);
}

static void check_preload(const struct doctor *d, struct doctor_result *result)
{
	struct preload preload = {0};
	read_preload(d, &preload);
	judge_preload(d, &preload, result);
}

static void check_capabilities(const struct doctor *d, struct doctor_result *result)
{
	char effective[64], privileges[16];
	_cleanup_free_ char *status = doctor_read_all(d, "/proc/self/status");
	doctor_find_line(status, "CapEff", effective, sizeof(effective));
	doctor_find_line(status, "NoNewPrivs", privileges, sizeof(privileges));
	if (!effective[0]) {
		doctor_saw(result, DOCTOR_UNKNOWN, "/proc/self/status does not tell");
		return;
	}
	unsigned long long bits = strtoull(effective, NULL, 16);
	const char *new_privileges = privileges[0] == '1' ? ", and none can be gained" : "";
	if (bits == 0) {
		doctor_saw(
			result,
			DOCTOR_OK,
			"user %u, none%s; none is needed",
			d->process.uid,
			new_privileges
		);
		return;
	}
	doctor_saw(
		result,
		DOCTOR_NOTE,
		"user %u, %d capabilities (%s)%s; Ringway's ports need none",
		d->process.uid,
		__builtin_popcountll(bits),
		effective,
		new_privileges
	);
	doctor_advise(result, "where the application needs none either, on the host:");
	doctor_command(
		result,
		"ringway run --user 1000 --cap-drop ALL --security-opt no-new-privileges --network NETWORK IMAGE"
	);
}

const struct doctor_check doctor_inside_checks[] = {
	{"place", "the container's ports", false, true, DOCTOR_VHOST | DOCTOR_SRIOV, check_place},
	{"preload", "the preload library", false, true, DOCTOR_VHOST | DOCTOR_SRIOV, check_preload},
	{"capabilities", "which privileges there are", false, true, DOCTOR_ALL, check_capabilities},
	{0},
};
