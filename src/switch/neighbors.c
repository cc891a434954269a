// SPDX-License-Identifier: BSD-3-Clause
// Finds who is asked for and answers. Runs on a worker; reads published tables only. What is not known goes to everybody, as
// without it; so does a request for what is behind the port that asks, where the owner heard it itself.
#include "switch/neighbors.h"

#include "packet/neighbor.h"
#include "switch/count.h"
#include "switch/deliver.h"
#include "switch/stations.h"

#include <sys/socket.h>

// An address whose owner cannot be reached has no answer, or the asker would take it for alive.
static bool is_elsewhere(struct worker *worker, const struct port *port, const uint8_t *mac)
{
	uint64_t key = fdb_key(port->network->slot, mac);
	struct fdb_entry *entry = fdb_lookup(worker->fdb, &worker->cache, key);

	if (!entry)
		return false;
	const struct port *owner = __atomic_load_n(&entry->port, __ATOMIC_ACQUIRE);
	if (owner == port)
		return false;
	const struct port_path *path = __atomic_load_n(&owner->path, __ATOMIC_ACQUIRE);
	return path && path->tx_count;
}

bool neighbors_find(struct worker *worker, const struct port *port, const struct frame *frame)
{
	struct worker_answer *answer = &worker->answer;
	struct neighbor_request request;

	if (!neighbor_recognize(frame, &request))
		return false;
	const uint8_t *mac = stations_find(
		worker->stations,
		port->network->slot,
		request.version == 4 ? AF_INET : AF_INET6,
		request.target
	);
	if (!mac || !is_elsewhere(worker, port, mac))
		return false;
	uint32_t size = neighbor_answer(&request, mac, answer->bytes);
	answer->seg = (struct frame_seg){answer->bytes, size};
	answer->frame = (struct frame){
		.head = answer->bytes,
		.segs = &answer->seg,
		.size = size,
		.head_size = (uint16_t)(size < FRAME_HEAD_SIZE ? size : FRAME_HEAD_SIZE),
		.seg_count = 1,
	};
	return true;
}

void neighbors_deliver(struct worker *worker, struct port *port)
{
	const struct frame *frame = &worker->answer.frame;

	deliver_run(worker, port, &frame, 1);
	count_add(&port->counters[worker->index].neighbor_answers, 1);
}
