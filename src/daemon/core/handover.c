// SPDX-License-Identifier: BSD-3-Clause
// The switch of service.h: who it is, and handing its ports to another one. Any thread but the main one, under the lock.
#include "daemon/core/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void service_switch_get(struct daemon *d, struct service_switch_info *ret)
{
	*ret = (struct service_switch_info){.pid = link_pid(d->link)};
	(void)snprintf(
		ret->state,
		sizeof(ret->state),
		"%s",
		link_is_ready(d->link) ? "running" : "starting"
	);
}

int service_switch_restart(
	struct daemon *d,
	const char *path,
	struct service_handover *ret,
	struct rwy_err *err
)
{
	return err_set(err, -ENOSYS, "cannot restart the switch: not in this build");
}
