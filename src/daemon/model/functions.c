// SPDX-License-Identifier: BSD-3-Clause
// What networks with functions of a NIC, and the ports that get these, must be like. No state; any thread.
#include "daemon/model/functions.h"

#include "base/err.h"
#include "daemon/functions/functions.h"
#include "wire/uplink.h"

#include <errno.h>
#include <string.h>

#define MBIT 1000000

bool model_is_sriov(const struct network_spec *spec)
{
	return strcmp(spec->driver, "sriov") == 0;
}

bool model_is_function_port(const struct port_spec *spec)
{
	return strcmp(spec->attach, "vf") == 0 || strcmp(spec->attach, "vf-kernel") == 0;
}

const char *function_state_text(enum function_state state)
{
	static const char *const texts[FUNCTION_STATE_COUNT] = {
		"free", "taking", "taken", "returning"};
	return state < FUNCTION_STATE_COUNT ? texts[state] : "unknown";
}

static int check_driver(const struct network_spec *spec, struct rwy_err *err)
{
	if (!spec->driver[0] || strcmp(spec->driver, "switch") == 0 || model_is_sriov(spec))
		return 0;
	err_set(err, -EINVAL, "there is no driver '%s'", spec->driver);
	return err_hint(err, "use switch or sriov");
}

// What only networks with functions have, as far as somebody asked for it.
static int check_none(const struct network_spec *spec, struct rwy_err *err)
{
	const struct network_functions *functions = &spec->functions;
	const struct {
		const char *what;
		bool given;
	} parts[] = {
		{"a number of functions", functions->vfs != 0},
		{"trust", functions->trust > 0},
		{"a spoof check", functions->spoof_check > 0},
		{"a link state", functions->link_state > 0},
		{"a rate", functions->rate_min > 0 || functions->rate_max > 0},
		// An uplink's function may be of such a host.
		{"no-IOMMU mode", functions->noiommu && !spec->uplink[0]},
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].given) {
			err_set(err,
				-EINVAL,
				"%s: it has no parent whose functions have that",
				parts[i].what);
			return err_hint(err, "give the parent too, like eth2 or 0000:03:00.0");
		}
	if (!model_is_sriov(spec))
		return 0;
	err_set(err, -EINVAL, "driver sriov needs a parent");
	return err_hint(err, "give the NIC whose functions it is to have, like eth2");
}

static int check_count(const struct network_functions *functions, struct rwy_err *err)
{
	if (functions->vfs >= 1 && functions->vfs <= FUNCTIONS_MAX)
		return 0;
	err_set(err,
		-EINVAL,
		"%u functions are too %s",
		functions->vfs,
		functions->vfs ? "many" : "few");
	return err_hint(err, "use 1 to %d, as far as the device has them", FUNCTIONS_MAX);
}

static int check_attributes(const struct network_functions *functions, struct rwy_err *err)
{
	if (functions->trust > 1 || functions->spoof_check > 1 ||
	    functions->link_state >= FUNCTION_LINK_STATE_COUNT)
		return err_set(err, -EINVAL, "an attribute of its functions is out of range");
	if (functions->rate_max > 0 && functions->rate_min > functions->rate_max) {
		err_set(err,
			-EINVAL,
			"the least rate, %d Mbit/s, is above the largest, %d Mbit/s",
			functions->rate_min,
			functions->rate_max);
		return err_hint(err, "give a min that is at most max");
	}
	return 0;
}

// What the switch does, which such a network knows nothing of.
static int check_without_switch(const struct network_spec *spec, struct rwy_err *err)
{
	const char *what = spec->uplink[0] ? "an uplink" : NULL;
	if (spec->proxy_neighbors)
		what = "answering neighbour requests";
	if (!what)
		return 0;
	err_set(err, -EINVAL, "%s: networks of the driver sriov have no switch", what);
	return err_hint(err, "use the driver switch, which may have a parent too");
}

int model_check_functions(struct network_spec *spec, struct rwy_err *err)
{
	struct network_functions none = NETWORK_FUNCTIONS_NONE;
	int r = check_driver(spec, err);
	if (r)
		return r;
	if (!spec->functions.parent[0]) {
		r = check_none(spec, err);
		none.noiommu = spec->functions.noiommu;
		if (!r)
			spec->functions = none;
	} else {
		r = check_count(&spec->functions, err);
		if (!r)
			r = check_attributes(&spec->functions, err);
	}
	if (!r && model_is_sriov(spec)) {
		r = check_without_switch(spec, err);
		spec->no_gateway = true; // The host takes no part.
	} else {
		spec->driver[0] = '\0';
	}
	return r;
}

// Writes a PCI function's address in its long form: 03:10.1 -> 0000:03:10.1
static int read_address(char text[FUNCTION_SIZE], struct rwy_err *err)
{
	char address[UPLINK_PCI_SIZE];
	if (strchr(text, ',') || !uplink_read_pci(text, address) ||
	    strlen(address) >= FUNCTION_SIZE) {
		err_set(err, -EINVAL, "'%.12s' is no PCI function's address", text);
		return err_hint(err, "write it like 0000:03:10.1");
	}
	(void)memcpy(text, address, FUNCTION_SIZE);
	return 0;
}

int model_check_function_limits(const struct port_limits *limits, struct rwy_err *err)
{
	struct port_limits other = *limits;
	other.rx_bps = 0;
	for (size_t i = 0; i < PORT_LIMITS_COUNT; i++) {
		const char *at = (const char *)&other + port_limits_fields[i].offset;
		if (!*(const uint64_t *)at)
			continue;
		err_set(err,
			-EINVAL,
			"limit '%s': a NIC does not hold a function to that",
			port_limits_fields[i].name);
		return err_hint(err, "only the rate of what it sends can be limited, like rx:100M");
	}
	if (limits->rx_bps / MBIT < INT32_MAX)
		return 0;
	return err_set(err, -EINVAL, "its rate is more than any NIC has");
}

int64_t model_function_rate(const struct port_limits *limits)
{
	return (int64_t)((limits->rx_bps + MBIT - 1) / MBIT);
}

static int check_network(
	const struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
)
{
	bool function = model_is_function_port(spec);
	if (function && !network->functions.parent[0]) {
		err_set(err, -EINVAL, "network '%s' has no functions of a NIC", network->name);
		return err_hint(err, "make one with --parent and --vfs, or use vhost or kernel");
	}
	if (function || !model_is_sriov(network))
		return 0;
	err_set(err,
		-EINVAL,
		"network '%s' has functions of a NIC and no switch: %s ports are of a switch",
		network->name,
		spec->attach);
	return err_hint(err, "use vf or vf-kernel");
}

int model_check_function_port(
	struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
)
{
	int r = check_network(spec, network, err);
	if (r || !model_is_function_port(spec))
		return r;
	if (!spec->vfs)
		spec->vfs = 1;
	if (spec->vfs > MODEL_FUNCTIONS) {
		err_set(err, -EINVAL, "%u functions are too many", spec->vfs);
		return err_hint(err, "use 1 to %d", MODEL_FUNCTIONS);
	}
	if (spec->function[0])
		r = read_address(spec->function, err);
	return r ? r : model_check_function_limits(&spec->limits, err);
}
