// SPDX-License-Identifier: BSD-3-Clause
// What the readers of the engine's bodies share: members of objects, values of options. Each returns 0, or -EINVAL with
// a message that names the member or option, and then has written nothing. Pure; any thread.
#pragma once

#include "base/err.h"
#include "base/mac.h"
#include "daemon/service.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_PREFIX "ringway."

// Copies a string member of fewer than `size` bytes. Absent, null and empty are the same to Docker (Go's zero values).
int parse_get_string(
	json_t *object,
	const char *member,
	char *ret_text,
	size_t size,
	struct rwy_err *err
);
// An identifier of the engine's that has to be there.
int parse_get_id(
	json_t *object,
	const char *member,
	char ret_id[DOCKER_ID_SIZE],
	struct rwy_err *err
);
// An object member; absent and null give NULL and success.
int parse_get_object(json_t *object, const char *member, json_t **ret_value, struct rwy_err *err);
// An option's decimal number from min to max.
int parse_read_number(
	const char *name,
	const char *text,
	uint32_t min,
	uint32_t max,
	uint32_t *ret_value,
	struct rwy_err *err
);
// A name of ours (driver_name_is_valid()), into NAME_SIZE bytes.
int parse_read_name(const char *option, const char *text, char *ret_name, struct rwy_err *err);
// An array member; absent and null give NULL and success.
int parse_get_array(json_t *object, const char *member, json_t **ret_value, struct rwy_err *err);
// A unicast MAC address other than zero; `what` says whose.
int parse_read_mac(
	const char *what,
	const char *text,
	uint8_t ret_mac[MAC_SIZE],
	struct rwy_err *err
);
// "on" or "off".
int parse_read_switch(const char *name, const char *text, bool *ret_on, struct rwy_err *err);
// The same for numbers of 16 bits.
int parse_read_small(
	const char *name,
	const char *text,
	uint32_t min,
	uint32_t max,
	uint16_t *ret_value,
	struct rwy_err *err
);
// A PCI function's address, "0000:03:10.2" or without the domain "03:10.2", in the long form and lower case.
int parse_read_function(
	const char *what,
	const char *text,
	char ret_address[FUNCTION_SIZE],
	struct rwy_err *err
);

struct driver_network;
// An option of a network that speaks of functions. -ENOENT, without a message: it is none.
int parse_function_option(
	const char *name,
	const char *text,
	struct driver_network *network,
	struct rwy_err *err
);
