// SPDX-License-Identifier: BSD-3-Clause
// A split ring beside a model of its back end (ring_run.c).
#include "ring_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return ring_run(false, data, size);
}
