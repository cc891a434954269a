// SPDX-License-Identifier: BSD-3-Clause
// What the functions of a network may send, as people write it ("min:100M max:1G"), in Mbit/s as NICs have it. No state;
// any thread.
#pragma once

#include "base/err.h"

#include <stdint.h>

struct function_rate {
	int32_t min, max; // Mbit/s; 0: none; negative: not given.
};

#define FUNCTION_RATE_NONE           \
	{                            \
		.min = -1, .max = -1 \
	}
#define FUNCTION_RATE_TEXT_SIZE 48 // Of function_rate_format().

// Adds what a text says: a list, separated by blanks or commas, of [min:|max:] NUMBER [k|M|G|T] [bit|bps], or "none" for the
// number; without min: or max: it is the maximum. What is no whole Mbit/s counts as the next one. -EINVAL, with *rate
// as it was.
int function_rate_parse(const char *text, struct function_rate *rate, struct rwy_err *err);

// Writes what function_rate_parse() reads back; empty when nothing is given.
void function_rate_format(const struct function_rate *rate, char ret_text[FUNCTION_RATE_TEXT_SIZE]);
