// SPDX-License-Identifier: BSD-3-Clause
// Device nodes that containers need for the RDMA devices of their functions' interfaces.
#pragma once

#include "daemon/docker/runplan.h"

// Adds the nodes to the plan where the host shares RDMA devices among its namespaces; elsewhere the device itself goes to the
// container's. What cannot be found is logged: the interface works without. Any thread.
void rdma_add_nodes(struct runplan *plan);
