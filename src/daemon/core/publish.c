// SPDX-License-Identifier: BSD-3-Clause
// Published ports of service.h. Any thread, under the lock.
#include "daemon/core/daemon.h"

#include <errno.h>

int service_port_publish(
	struct daemon *d,
	uint32_t id,
	const struct port_publish *list,
	size_t count,
	struct rwy_err *err
)
{
	if (!daemon_find_port_id(d, id))
		return err_set(err, -ENOENT, "there is no port with the id %u", id);
	if (!count)
		return 0;
	return err_set(err, -EOPNOTSUPP, "cannot publish ports: there are no kernel ports yet");
}

size_t service_port_published(
	struct daemon *d,
	uint32_t id,
	struct port_publish *ret_list,
	size_t max
)
{
	return 0;
}
