// SPDX-License-Identifier: BSD-3-Clause
// The kernel's nftables: applying a script, and cheap questions about what is there. Whoever holds the service's lock.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct ruleset;

// What the kernel says of a table: equal as long as nobody else replaced it or took rules out of it.
struct ruleset_table {
	bool exists;
	uint64_t handle;
	uint32_t rules;
};

// -EOPNOTSUPP with the reason (rights, kernel), -ENOMEM.
int ruleset_open(struct ruleset **ret, struct rwy_err *err);
void ruleset_close(struct ruleset *ruleset);

// All of it or nothing. -EIO with the kernel's first complaint.
int ruleset_apply(struct ruleset *ruleset, const char *script, struct rwy_err *err);

// Changes with each change that anybody makes to any rule of this namespace. Negative errno.
int ruleset_generation(struct ruleset *ruleset, uint32_t *ret);
int ruleset_look(struct ruleset *ruleset, const char *table, struct ruleset_table *ret);
