// SPDX-License-Identifier: BSD-3-Clause
// The buffers of frames. Control thread makes them.
#pragma once

#include "base/err.h"

#include <rte_mempool.h>

#include <stdint.h>

// Buffers for frames of `size` bytes and what drivers put before and behind them. NULL: -ENOMEM in *err.
struct rte_mempool *pool_new(const char *driver_args, uint32_t size, struct rwy_err *err);
