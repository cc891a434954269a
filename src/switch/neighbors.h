// SPDX-License-Identifier: BSD-3-Clause
// Answers to neighbour requests in the place of stations that the switch knows, on networks that ask for it
// (wire_network's proxy_neighbors). Runs on a worker; docs/neighbors.md.
#pragma once

#include "switch/worker.h"

// Whether a frame to many from this port is a request for the address of a station behind another port, which runs. Then
// the answer is in worker->answer.
bool neighbors_find(struct worker *worker, const struct port *port, const struct frame *frame);

// Delivers worker->answer to the port that asked.
void neighbors_deliver(struct worker *worker, struct port *port);
