// SPDX-License-Identifier: BSD-3-Clause
// What ringwayd asks of an uplink, and the ports' life. The control thread's loop.
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "uplink/device.h"
#include "uplink/port.h"
#include "uplink/worker.h"

#include <stdbool.h>
#include <stdint.h>

struct control {
	struct loop *loop;
	struct device *device;
	struct worker *worker;
	int listen_fd;
	int conn; // ringwayd's, or -1.
	struct loop_source *conn_source;
	struct loop_source *retry;
	uint32_t retry_ms;
	struct port ports[UPLINK_PORTS_MAX];
	struct loop_source *port_sources[UPLINK_PORTS_MAX];
	bool used[UPLINK_PORTS_MAX];
	bool lost[UPLINK_PORTS_MAX]; // The switch closed it; it is still to be taken apart.
	// When it was lost, in ms; 0: it was not, or that is logged. A port that is being removed loses its connection too.
	uint64_t lost_ms[UPLINK_PORTS_MAX];
	struct view views[2];
	uint32_t view_index; // The one in use.
	bool gone;	     // The device.
};

// Serves listen_fd. The worker's first view is views[0], which is empty. 0 or a negative errno.
int control_start(struct control *control, struct rwy_err *err);
// Leaves every port. The worker has ended.
void control_stop(struct control *control);

// Tells the ringwayd that waits on listen_fd, if one does within a second, why there will be no uplink.
void control_report_failure(int listen_fd, const struct rwy_err *why);
