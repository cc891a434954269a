// SPDX-License-Identifier: BSD-3-Clause
// The data path of one burst: take, judge, deliver, complete. Runs on a worker.
#pragma once

#include "switch/worker.h"

// Handles one burst of one queue. Returns the number of chains that were taken.
uint32_t forward_queue(struct worker *worker, struct port_queue *queue);
