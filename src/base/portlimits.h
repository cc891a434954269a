// SPDX-License-Identifier: BSD-3-Clause
// A port's limits as people write them ("rx:100M 50kfps") and as the API has them. No state; any thread.
#pragma once

#include "base/err.h"
#include "base/fields.h"

#include <stdint.h>

// Each 0 for none. rx: what the switch takes from the port; tx: what it delivers to it. A rate is bits or
// frames a second, a burst bytes or frames (0: the switch chooses). flood: broadcast, multicast and unknown
// unicast frames that the port may send.
struct port_limits {
	uint64_t rx_bps, rx_burst, rx_fps, rx_frame_burst;
	uint64_t tx_bps, tx_burst, tx_fps, tx_frame_burst;
	uint64_t flood_fps, flood_burst;
};

#define PORT_LIMITS_COUNT 10
#define PORT_LIMITS_TEXT_SIZE 160 // Of port_limits_format().

// The members in order, each a uint64_t; their names are the API's.
extern const struct field port_limits_fields[PORT_LIMITS_COUNT];

// Some limits, and which: bit N is that of port_limits_fields[N].
struct port_limits_given {
	struct port_limits values;
	uint32_t given;
};

// The options that limits are written in: --rate, --burst and --flood-rate.
enum port_limits_option {
	PORT_LIMITS_RATE,
	PORT_LIMITS_BURST,
	PORT_LIMITS_FLOOD_RATE,
	PORT_LIMITS_OPTION_COUNT
};

// Adds what an option's text says. It is a list, separated by blanks or commas, of
//   rate:       [rx:|tx:] NUMBER [k|M|G|T] [bit|bps], or fps in place of bit; or "none"
//   burst:      [rx:|tx:|flood:] SIZE [k|M|G] [B], or frames in place of B; or "none"
//   flood rate: NUMBER [k|M|G] [fps]; or "none"
// Letters of either case; k is 1000, Ki 1024; a rate or size without rx: or tx: is that of both directions.
// -EINVAL, with *given as it was: no such text, out of range, or a limit that was given already.
int port_limits_parse(
	enum port_limits_option option,
	const char *text,
	struct port_limits_given *given,
	struct rwy_err *err
);

// Writes what port_limits_parse() reads back; empty when there is no such limit.
void port_limits_format(
	enum port_limits_option option,
	const struct port_limits *limits,
	char ret_text[PORT_LIMITS_TEXT_SIZE]
);

// Puts the limits that were given over those of *limits. A rate that is taken away takes its burst along.
void port_limits_apply(struct port_limits *limits, const struct port_limits_given *given);

// -EINVAL: a limit is larger than any switch has use for, or a burst has no rate.
int port_limits_check(const struct port_limits *limits, struct rwy_err *err);

// An object of the limits that are set. NULL without memory.
json_t *port_limits_json(const struct port_limits *limits);
// An object of the limits that were given, zero or not. NULL without memory.
json_t *port_limits_given_json(const struct port_limits_given *given);
// The reverse: every member is a limit that is given. -EINVAL.
int port_limits_given_decode(
	json_t *object,
	struct port_limits_given *ret_given,
	struct rwy_err *err
);
