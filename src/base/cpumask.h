// SPDX-License-Identifier: BSD-3-Clause
// Lists of CPUs as container engines have them ("0-3,8"), as a mask. No state; any thread.
#pragma once

#include "base/err.h"

#include <stdint.h>

// Sets a bit for each of the CPUs 0 to 63; those above are read and left out. An empty text gives 0. -EINVAL: it is no list.
int cpumask_parse(const char *text, uint64_t *ret_mask, struct rwy_err *err);

#define CPUMASK_TEXT_SIZE 192 // Of cpumask_format().

// Writes what cpumask_parse() reads back.
void cpumask_format(uint64_t mask, char ret_text[CPUMASK_TEXT_SIZE]);
