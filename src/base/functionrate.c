// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes rates of functions; their numbers are those of ports' limits. No state; any thread.
#include "base/functionrate.h"

#include "base/portlimits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MBIT 1000000
#define WORD_SIZE 64

static int refuse(const char *text, struct rwy_err *err)
{
	return err_set(
		err,
		-EINVAL,
		"rate '%.60s' is malformed: write it like 1G, min:100M or max:2.5G",
		text
	);
}

// `word` is "min:100M", for example.
static int read_word(const char *word, struct function_rate *rate, struct rwy_err *err)
{
	char text[WORD_SIZE + 8];
	struct port_limits_given given = {0};
	bool min = strncasecmp(word, "min:", 4) == 0;
	bool named = min || strncasecmp(word, "max:", 4) == 0;
	(void)snprintf(text, sizeof(text), "rx:%s", named ? word + 4 : word); // It fits.
	if (port_limits_parse(PORT_LIMITS_RATE, text, &given, NULL) || given.values.rx_fps)
		return refuse(word, err);
	int32_t *member = min ? &rate->min : &rate->max;
	if (*member >= 0)
		return err_set(
			err, -EINVAL, "rate '%.60s' says again what was given already", word
		);
	*member = (int32_t)((given.values.rx_bps + MBIT - 1) / MBIT); // At most 10^13 bit/s.
	return 0;
}

int function_rate_parse(const char *text, struct function_rate *rate, struct rwy_err *err)
{
	struct function_rate all = *rate;
	size_t words = 0;
	const char *at = text;
	for (at += strspn(at, " ,"); *at; at += strspn(at, " ,"), words++) {
		char word[WORD_SIZE];
		size_t length = strcspn(at, " ,");
		if (length >= sizeof(word))
			return refuse(text, err);
		(void)snprintf(word, sizeof(word), "%.*s", (int)length, at); // It fits.
		int r = read_word(word, &all, err);
		if (r)
			return r;
		at += length;
	}
	if (!words)
		return refuse(text, err);
	*rate = all;
	return 0;
}

static size_t add(char *text, size_t used, const char *name, int32_t mbits)
{
	const char *blank = used ? " " : "";
	size_t room = FUNCTION_RATE_TEXT_SIZE - used;
	if (mbits < 0)
		return 0;
	int n = mbits ? snprintf(text + used, room, "%s%s:%dM", blank, name, mbits)
		      : snprintf(text + used, room, "%s%s:none", blank, name);
	return n > 0 ? (size_t)n : 0; // Both fit: ten digits at most.
}

void function_rate_format(const struct function_rate *rate, char ret_text[FUNCTION_RATE_TEXT_SIZE])
{
	ret_text[0] = '\0';
	size_t used = add(ret_text, 0, "min", rate->min);
	(void)add(ret_text, used, "max", rate->max); // The last one.
}
