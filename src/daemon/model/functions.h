// SPDX-License-Identifier: BSD-3-Clause
// What networks with functions of a NIC, and the ports that get these, must be like. No state; any thread.
#pragma once

#include "base/err.h"
#include "daemon/service.h"

#define MODEL_FUNCTIONS 16 // Of one port.

bool model_is_sriov(const struct network_spec *spec);
bool model_is_function_port(const struct port_spec *spec); // vf or vf-kernel.

// Parts of model_check_network() and model_check_port(), which say whose they are. -EINVAL.
int model_check_functions(struct network_spec *spec, struct rwy_err *err);
int model_check_function_port(
	struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
);

// Of all limits a parent's driver has one: the rate of what the function sends. -EINVAL.
int model_check_function_limits(const struct port_limits *limits, struct rwy_err *err);
// What a port's limits allow a function to send, in whole Mbit/s, rounded up; 0: no limit.
int64_t model_function_rate(const struct port_limits *limits);
