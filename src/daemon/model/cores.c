// SPDX-License-Identifier: BSD-3-Clause
// Lists of CPUs as text. No state; any thread.
#include "daemon/model/cores.h"

#include "wire/wire.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define CORES_MAX 1024

static int malformed(const char *text, struct rwy_err *err)
{
	err_set(err, -EINVAL, "'%.80s' is no list of CPUs", text);
	return err_hint(err, "write it like 2, 2-3 or 1,3-5");
}

// Reads a number off *at. Negative: there is none, or it is no CPU's.
static int read_core(const char **at)
{
	int core = 0;
	const char *from = *at;
	while (**at >= '0' && **at <= '9' && core < CORES_MAX)
		core = core * 10 + (*(*at)++ - '0');
	return *at == from || core >= CORES_MAX ? -1 : core;
}

int cores_count(const char *text, struct rwy_err *err)
{
	uint8_t seen[CORES_MAX] = {0};
	unsigned int count = 0;
	const char *at = text;
	do {
		int first = read_core(&at);
		int last = first;
		if (*at == '-') {
			at++;
			last = read_core(&at);
		}
		if (first < 0 || last < first || (*at && *at != ','))
			return malformed(text, err);
		for (int core = first; core <= last; core++, count++) {
			if (seen[core])
				return err_set(
					err, -EINVAL, "'%.80s' has CPU %d twice", text, core
				);
			seen[core] = 1;
		}
	} while (*at++ == ',');
	if (count <= WIRE_WORKERS_MAX)
		return (int)count;
	return err_set(
		err,
		-EINVAL,
		"'%.80s' has %u CPUs; a switch has at most %d workers",
		text,
		count,
		WIRE_WORKERS_MAX
	);
}

int cores_check(const char *text, struct rwy_err *err)
{
	int count = cores_count(text, err);
	return count < 0 ? count : 0;
}
