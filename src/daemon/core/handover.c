// SPDX-License-Identifier: BSD-3-Clause
// The switch of service.h: who it is, and handing its ports to another one. Any thread but the main one, under the lock.
#include "daemon/core/takeover.h"

#include <stdio.h>
#include <string.h>

void service_switch_get(struct daemon *d, struct service_switch_info *ret)
{
	struct link_info info;
	link_get(d->link, &info);
	*ret = (struct service_switch_info){
		.pid = info.pid,
		.spare_pid = info.spare_pid,
		.spare_wanted = info.spare_wanted,
		.restarts = info.restarts,
		.handovers = info.handovers,
		.last_gap_us = info.last_gap_us,
	};
	// All fit, but perhaps for the path, which a reader knows by its beginning.
	(void)snprintf(ret->state, sizeof(ret->state), "%s", info.state);
	(void)snprintf(ret->program, sizeof(ret->program), "%s", info.program);
	(void)snprintf(ret->path, sizeof(ret->path), "%s", info.path);
	(void)memcpy(ret->last_end, d->last_end, sizeof(ret->last_end));
}

int service_switch_restart(
	struct daemon *d,
	const char *path,
	struct service_handover *ret,
	struct rwy_err *err
)
{
	struct link_handover handover;
	int r = link_handover(d->link, path, &handover, err);
	if (!r) {
		*ret = (struct service_handover
		){.gap_us = handover.gap_us, .ports = d->taken_over, .pid = handover.pid};
		return 0;
	}
	// What was given to the new one in vain may have been lost on the way.
	if (link_is_ready(d->link))
		takeover_adopt(d);
	if (path)
		return err_prefix(err, "cannot hand over to '%.200s': ", path);
	return err_prefix(err, "cannot restart the switch: ");
}
