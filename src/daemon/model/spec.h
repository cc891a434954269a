// SPDX-License-Identifier: BSD-3-Clause
// What a network and a port must be like, whoever asks for them. No state; any thread.
#pragma once

#include "base/err.h"
#include "daemon/service.h"

#define MODEL_MTU_MIN 68 // RFC 791: every host forwards 68 bytes.
#define MODEL_MTU_MAX 65535
#define MODEL_MTU_DEFAULT 1500
#define MODEL_PLACES 16 // Ports of one container's place.

// `kind` is the word for messages: "network", "port".
int model_check_name(const char *kind, const char *name, struct rwy_err *err);

// Checks a network's name, subnet, gateway and MTU, and writes them in their normal form
// (defaults filled in). -EINVAL.
int model_check_network(struct network_spec *spec, struct rwy_err *err);

// -EEXIST when both have a subnet and these overlap.
int model_check_overlap(
	const struct network_spec *spec,
	const struct network_spec *other,
	struct rwy_err *err
);

// Checks a port for `network` and writes it in its normal form: the address gets the subnet's
// prefix, queues its default. -EINVAL.
int model_check_port(
	struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
);

// -EEXIST when two ports of one network have the same MAC or address.
int model_check_clash(
	const struct port_spec *spec,
	const struct port_spec *other,
	struct rwy_err *err
);

// "0123456789abcdef". -EINVAL.
int model_check_key(const char *key, struct rwy_err *err);
