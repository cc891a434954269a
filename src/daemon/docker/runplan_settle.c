// SPDX-License-Identifier: BSD-3-Clause
// Which attachment each network of a plan gets, and whether all that was asked for goes with it. Pure; any thread.
#include "daemon/docker/runplan_settle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	OF_VHOST = 1,
	OF_KERNEL = 2,
	OF_VF = 4,
	OF_VF_KERNEL = 8
};

static unsigned int kind_of(const struct runplan_network *network)
{
	if (runplan_is(network, "vf"))
		return OF_VF;
	if (runplan_is(network, "vf-kernel"))
		return OF_VF_KERNEL;
	return runplan_is(network, "kernel") ? OF_KERNEL : OF_VHOST;
}

static int check_kind(const struct runplan_network *network, struct rwy_err *err)
{
	bool function = (kind_of(network) & (OF_VF | OF_VF_KERNEL)) != 0;
	if (function && !network->has_functions) {
		err_set(err,
			-EINVAL,
			"attachment '%s': the network has no functions of a NIC",
			network->attach);
		return err_hint(err, "`ringway network create --driver sriov` makes one that has");
	}
	if (!function && network->sriov) {
		err_set(err,
			-EINVAL,
			"attachment '%s': the network consists of a NIC's functions",
			network->attach);
		return err_hint(err, "use vf or vf-kernel");
	}
	return 0;
}

// Of a function the NIC itself can limit what it sends, and nothing else.
static bool has_other_limits(const struct port_limits *limits)
{
	struct port_limits rest = *limits;
	const struct port_limits none = {0};
	rest.rx_bps = 0;
	return memcmp(&rest, &none, sizeof(rest)) != 0; // 64-bit members alone.
}

static int check_options(const struct runplan_network *network, struct rwy_err *err)
{
	const struct {
		const char *option;
		bool given;
		unsigned int of;
		const char *who;
	} options[] = {
		{"queues", network->queues > 1, OF_VHOST, "vhost ports"},
		{"offloads", !network->offloads, OF_VHOST, "vhost ports"},
		{"learning", network->learning, OF_VHOST | OF_KERNEL, "vhost and kernel ports"},
		{"allow_spoof",
		 network->allow_spoof,
		 OF_VHOST | OF_KERNEL,
		 "vhost and kernel ports"},
		{"pin_address",
		 network->pin_given && network->pin_address,
		 OF_VHOST | OF_KERNEL,
		 "vhost and kernel ports"},
		{"limits other than rx_bps",
		 has_other_limits(&network->limits),
		 OF_VHOST | OF_KERNEL,
		 "vhost and kernel ports"},
		{"several functions (vfs)", network->vfs > 1, OF_VF, "vf ports"},
		{"vfs", network->vfs == 1, OF_VF | OF_VF_KERNEL, "vf and vf-kernel ports"},
		{"function",
		 network->function[0] != '\0',
		 OF_VF | OF_VF_KERNEL,
		 "vf and vf-kernel ports"},
	};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!options[i].given || (options[i].of & kind_of(network)))
			continue;
		err_set(err, -EINVAL, "a %s port has no '%s'", network->attach, options[i].option);
		return err_hint(err, "only %s have", options[i].who);
	}
	return 0;
}

static int settle_network(
	const struct runplan *plan,
	struct runplan_network *network,
	struct rwy_err *err
)
{
	if (!network->attach[0])
		(void)snprintf( // It fits.
			network->attach,
			sizeof(network->attach),
			"%s",
			network->sriov ? "vf" : "vhost"
		);
	int r = check_kind(network, err);
	if (!r)
		r = check_options(network, err);
	if (r)
		return err_prefix(err, "cannot run on network '%s': ", network->network);
	if (!network->queues && runplan_is(network, "vhost"))
		network->queues = plan->queues;
	if (!network->queues)
		network->queues = 1; // Elements of a list begin as zeros.
	if (!network->vfs && runplan_is(network, "vf"))
		network->vfs = plan->vfs;
	if (!network->vfs && (kind_of(network) & (OF_VF | OF_VF_KERNEL)))
		network->vfs = 1;
	return 0;
}

// What a default of the whole container is for.
static int check_defaults(const struct runplan *plan, unsigned int kinds, struct rwy_err *err)
{
	const char *option = NULL;
	if (plan->vfs && !(kinds & OF_VF))
		option = "vfs";
	else if (plan->queues > 1 && !(kinds & OF_VHOST))
		option = "queues";
	if (!option)
		return 0;
	err_set(err,
		-EINVAL,
		"cannot plan the container: '%s' is given, and none of its ports is a %s port",
		option,
		strcmp(option, "vfs") == 0 ? "vf" : "vhost");
	return err_hint(err, "leave it out, or choose another network or attachment");
}

int runplan_settle(struct runplan *plan, struct rwy_err *err)
{
	unsigned int kinds = 0;
	uint32_t ports = 0, functions = 0;
	for (uint32_t i = 0; i < plan->network_count; i++) {
		struct runplan_network *network = &plan->networks[i];
		int r = settle_network(plan, network, err);
		if (r)
			return r;
		kinds |= kind_of(network);
		ports += network->vfs ? network->vfs : 1;
		network->first = (uint16_t)functions;
		functions += network->vfs;
	}
	if (kinds == OF_KERNEL) {
		// A place is there for sockets and functions. What needs none is any engine's container.
		err_set(err,
			-EINVAL,
			"cannot plan the container: none of its ports is a vhost port or a function"
		);
		return err_hint(err, "an ordinary container needs 'docker run --network NET' only");
	}
	if (ports > RUNPLAN_PORTS)
		return err_set(
			err,
			-EINVAL,
			"cannot plan the container: it has %u ports, the limit is %d",
			ports,
			RUNPLAN_PORTS
		);
	return check_defaults(plan, kinds, err);
}

struct function_wish runplan_wish(const struct runplan *plan, const struct runplan_network *network)
{
	return (struct function_wish){
		.network = network->network,
		.key = plan->key,
		.attach = network->attach,
		.function = network->function,
		.count = network->vfs,
		.cpus = plan->cpu_mask,
		.dry = plan->dry_run,
	};
}
