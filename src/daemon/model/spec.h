// SPDX-License-Identifier: BSD-3-Clause
// What a network and a port must be like, whoever asks for them. No state; any thread.
#pragma once

#include "base/err.h"
#include "daemon/service.h"

#define MODEL_MTU_MIN 68 // RFC 791: every host forwards 68 bytes.
#define MODEL_MTU_MAX 65535
#define MODEL_MTU_MIN_IPV6 1280 // RFC 8200, section 5.
#define MODEL_MTU_DEFAULT 1500
#define MODEL_VLAN_MAX 4094 // IEEE 802.1Q: 4095 is kept.
#define MODEL_PLACES 16	    // Ports of one container's place.

// `kind` is the word for messages: "network", "port".
int model_check_name(const char *kind, const char *name, struct rwy_err *err);

// Checks a network's values and writes them in their normal form: defaults filled in, IPv6 in the members of its
// own. -EINVAL.
int model_check_network(struct network_spec *spec, struct rwy_err *err);

// Gives a checked network that has a subnet and no gateway the first address of it, as engines do. Not with an address
// range, out of which an engine picks one.
void model_choose_gateways(struct network_spec *spec);

// Moves IPv6 subnets and gateways to the members of their own. -EINVAL: there are two.
int model_sort_network(struct network_spec *spec, struct rwy_err *err);

// The next "name=address" of aux at *at, which moves on. False: none is left.
bool model_next_aux(const char **at, char ret_entry[AUX_TEXT_SIZE]);

// -EEXIST when both have subnets of one family and these overlap.
int model_check_overlap(
	const struct network_spec *spec,
	const struct network_spec *other,
	struct rwy_err *err
);

// Checks a port for `network` and writes it in its normal form: addresses get the subnet's prefix and
// stand in their family's member, queues gets its default. -EINVAL.
int model_check_port(
	struct port_spec *spec,
	const struct network_spec *network,
	struct rwy_err *err
);

// Whether a port is held to its addresses where nobody said: a kernel port that has some, unless others are behind it.
bool model_pins_address(const struct port_spec *spec);

// -EEXIST when two ports of one network have the same MAC or address.
int model_check_clash(
	const struct port_spec *spec,
	const struct port_spec *other,
	struct rwy_err *err
);

int model_check_ifname(const char *name, struct rwy_err *err); // An interface's name. -EINVAL.
int model_check_vlan(uint16_t vlan, struct rwy_err *err);      // 0, none, is one too. -EINVAL.

// "0123456789abcdef". -EINVAL.
int model_check_key(const char *key, struct rwy_err *err);
