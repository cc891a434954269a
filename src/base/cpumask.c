// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes lists of CPUs. No state; any thread.
#include "base/cpumask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CPUS_MAX 8192 // The most that Linux is built for.
#define MASK_CPUS 64

// Reads a number off *at. Negative: there is none, or it is no CPU's.
static int read_cpu(const char **at)
{
	int cpu = 0;
	const char *from = *at;
	while (**at >= '0' && **at <= '9' && cpu < CPUS_MAX)
		cpu = cpu * 10 + (*(*at)++ - '0');
	return *at == from || cpu >= CPUS_MAX ? -1 : cpu;
}

int cpumask_parse(const char *text, uint64_t *ret_mask, struct rwy_err *err)
{
	uint64_t mask = 0;
	const char *at = text;
	while (*at) {
		int first = read_cpu(&at);
		int last = first;
		if (*at == '-') {
			at++;
			last = read_cpu(&at);
		}
		bool ends = !*at || (*at == ',' && at[1]);
		if (first < 0 || last < first || !ends) {
			err_set(err, -EINVAL, "'%.80s' is no list of CPUs", text);
			return err_hint(err, "write it like 2, 0-3 or 1,4-7");
		}
		for (int cpu = first; cpu <= last && cpu < MASK_CPUS; cpu++)
			mask |= 1ULL << cpu;
		at += *at == ',';
	}
	*ret_mask = mask;
	return 0;
}

void cpumask_format(uint64_t mask, char ret_text[CPUMASK_TEXT_SIZE])
{
	size_t used = 0;
	ret_text[0] = '\0';
	for (int first = 0; first < MASK_CPUS; first++) {
		int last = first;
		if (!(mask >> first & 1))
			continue;
		while (last + 1 < MASK_CPUS && mask >> (last + 1) & 1)
			last++;
		// At worst every other CPU: 32 numbers and their commas, which fit.
		used += (size_t)snprintf(
			ret_text + used,
			CPUMASK_TEXT_SIZE - used,
			last > first ? "%s%d-%d" : "%s%d",
			used ? "," : "",
			first,
			last
		);
		first = last;
	}
}
