// SPDX-License-Identifier: BSD-3-Clause
// What callers see of the uplinks. Any thread.
#include "daemon/uplinks/uplinks.h"

#include <errno.h>
#include <stddef.h>

int uplinks_new(
	const struct uplinks_config *config,
	struct uplinks **ret_uplinks,
	struct rwy_err *err
)
{
	*ret_uplinks = NULL;
	return 0;
}

void uplinks_free(struct uplinks *uplinks, bool end)
{
}

void uplinks_settle(struct uplinks *uplinks)
{
}

const char *uplink_state_text(uint32_t state)
{
	static const char *const text[UPLINK_STATE_COUNT] = {"starting", "running", "failed"};
	return state < UPLINK_STATE_COUNT ? text[state] : "unknown";
}

int uplinks_check_device(
	const char *text,
	char ret_devargs[UPLINK_DEVICE_SIZE],
	struct rwy_err *err
)
{
	return err_set(err, -EOPNOTSUPP, "cannot use device '%s': uplinks are not there yet", text);
}

int uplinks_attach(
	struct uplinks *uplinks,
	const struct uplink_port *port,
	bool must_exist,
	struct rwy_err *err
)
{
	return err_set(
		err, -EOPNOTSUPP, "cannot use device '%s': uplinks are not there yet", port->device
	);
}

int uplinks_wait(struct uplinks *uplinks, uint32_t id, int timeout_ms, struct rwy_err *err)
{
	return err_set(err, -ENOENT, "port %u has no uplink", id);
}

int uplinks_detach(struct uplinks *uplinks, uint32_t id, struct rwy_err *err)
{
	return err_set(err, -ENOENT, "port %u has no uplink", id);
}

int uplinks_stats(struct uplinks *uplinks, uint32_t id, struct uplink_counters *ret_counters)
{
	return -ENOENT;
}
