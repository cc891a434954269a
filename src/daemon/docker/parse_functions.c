// SPDX-License-Identifier: BSD-3-Clause
// Reads what networks say of a NIC's functions. Two of the words are those that SR-IOV plugins of Docker have used
// before: netdevice and nvf. Pure; any thread.
#include "base/functionrate.h"
#include "daemon/docker/parse.h"
#include "daemon/docker/parse_value.h"
#include "daemon/functions/functions.h"

#include <errno.h>
#include <string.h>

typedef int option_fn(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
);

static const char *const link_states[FUNCTION_LINK_STATE_COUNT] = {
	[FUNCTION_LINK_AUTO] = "auto",
	[FUNCTION_LINK_UP] = "enable",
	[FUNCTION_LINK_DOWN] = "disable",
};

const char *driver_link_state_text(int state)
{
	return state >= 0 && state < FUNCTION_LINK_STATE_COUNT ? link_states[state] : "";
}

static int read_driver(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	if (strcmp(text, "switch") != 0 && strcmp(text, "sriov") != 0) {
		err_set(err, -EINVAL, "option '%s' is '%.40s', not a driver", name, text);
		return err_hint(err, "switch, which is the default, or sriov");
	}
	network->given |= DRIVER_GIVEN_DRIVER;
	memcpy(network->spec.driver, text, strlen(text) + 1);
	return 0;
}

// What it is the service says, which knows the host.
static int read_parent(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	char *parent = network->spec.functions.parent;
	size_t size = sizeof(network->spec.functions.parent);
	if (!*text || strlen(text) >= size)
		return err_set(
			err,
			-EINVAL,
			"option '%s' is '%.40s', not an interface or PCI address",
			name,
			text
		);
	if (*parent && strcmp(parent, text) != 0)
		return err_set(
			err,
			-EINVAL,
			"option '%s' is '%.40s', and another one says '%.40s'",
			name,
			text,
			parent
		);
	network->given |= DRIVER_GIVEN_PARENT;
	memcpy(parent, text, strlen(text) + 1);
	return 0;
}

static int read_vfs(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	uint16_t vfs = 0;
	int r = parse_read_small(name, text, 1, FUNCTIONS_MAX, &vfs, err);
	if (r)
		return r;
	if ((network->given & DRIVER_GIVEN_VFS) && network->spec.functions.vfs != vfs)
		return err_set(
			err,
			-EINVAL,
			"option '%s' is %u, and another one says %u",
			name,
			vfs,
			network->spec.functions.vfs
		);
	network->given |= DRIVER_GIVEN_VFS;
	network->spec.functions.vfs = vfs;
	return 0;
}

static int read_tristate(const char *name, const char *text, int8_t *ret_value, struct rwy_err *err)
{
	bool on = false;
	int r = parse_read_switch(name, text, &on, err);
	if (!r)
		*ret_value = on;
	return r;
}

static int read_trust(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	return read_tristate(name, text, &network->spec.functions.trust, err);
}

static int read_spoof_check(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	return read_tristate(name, text, &network->spec.functions.spoof_check, err);
}

static int read_link_state(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	for (int i = 0; i < FUNCTION_LINK_STATE_COUNT; i++) {
		if (strcmp(text, link_states[i]) != 0)
			continue;
		network->spec.functions.link_state = (int8_t)i;
		return 0;
	}
	return err_set(
		err, -EINVAL, "option '%s' is '%.40s', not auto, enable or disable", name, text
	);
}

static int read_rate(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	struct function_rate rate = FUNCTION_RATE_NONE;
	int r = function_rate_parse(text, &rate, err);
	if (r)
		return err_prefix(err, "option '%s': ", name);
	network->spec.functions.rate_min = rate.min;
	network->spec.functions.rate_max = rate.max;
	return 0;
}

static int read_noiommu(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	network->given |= DRIVER_GIVEN_NOIOMMU;
	return parse_read_switch(name, text, &network->spec.functions.noiommu, err);
}

static const struct {
	const char *name;
	option_fn *read;
} function_options[] = {
	{OPTION_PREFIX "driver", read_driver},
	{"netdevice", read_parent},
	{OPTION_PREFIX "parent", read_parent},
	{OPTION_PREFIX "pf-pci", read_parent},
	{"nvf", read_vfs},
	{OPTION_PREFIX "vfs", read_vfs},
	{OPTION_PREFIX "trust", read_trust},
	{OPTION_PREFIX "spoofchk", read_spoof_check},
	{OPTION_PREFIX "link-state", read_link_state},
	{OPTION_PREFIX "rate", read_rate},
	{OPTION_PREFIX "allow-unsafe-noiommu", read_noiommu},
};

int parse_function_option(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
)
{
	for (size_t i = 0; i < sizeof(function_options) / sizeof(function_options[0]); i++)
		if (strcmp(name, function_options[i].name) == 0)
			return function_options[i].read(name, text, network, err);
	return -ENOENT;
}

bool driver_network_is_sriov(const struct network_spec *spec)
{
	return strcmp(spec->driver, "sriov") == 0;
}
