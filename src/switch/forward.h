// SPDX-License-Identifier: BSD-3-Clause
// The data path of one burst: take, judge, deliver, complete. Runs on a worker.
#pragma once

#include "switch/worker.h"

// Handles one burst of one receive queue, at most `max` chains (and FRAME_BURST_MAX). The caller has set worker->now. Returns
// the number of chains that were taken: 0 when there were none, or when the port's limit lets none through now.
uint32_t forward_queue(struct worker *worker, struct port_queue *queue, uint32_t max);
