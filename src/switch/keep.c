// SPDX-License-Identifier: BSD-3-Clause
// Tells ringwayd what front ends bring, so that it outlives this process: a note that was sent stays in ringwayd's socket. Control
// thread. A front end whose note finds no room waits with it; others go on.
#include "switch/switch.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/poll.h>

// Front ends wait for a ringwayd that does not read for so long.
#define KEEP_SECONDS_MAX 2

// Front ends whose messages waited for ringwayd.
void keep_look(struct switch_state *sw)
{
	for (struct port *port = sw->ports; port; port = port->next) {
		if (!port->keep_waits)
			continue;
		port->keep_waits = false;
		attach_look(port);
	}
}

void keep_room(struct switch_state *sw)
{
	sw->keep_since_s = 0;
	if (loop_set_events(sw->daemon_source, EPOLLIN))
		control_drop_daemon(sw, strerror(errno));
	else
		keep_look(sw);
}

// Room for it is left at all times: events and replies come after it.
static bool has_room(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	return poll(&pfd, 1, 0) > 0 && pfd.revents & POLLOUT;
}

int keep_fds(
	struct switch_state *sw,
	struct port *port,
	const struct vhost_kept *kept,
	uint32_t count
)
{
	static struct wire_msg event; // Large; one thread.
	struct rwy_err err = {0};

	if (sw->daemon_fd < 0 || !sw->greeted)
		return 0;
	if (!has_room(sw->daemon_fd)) {
		if (loop_set_events(sw->daemon_source, EPOLLIN | EPOLLOUT) == 0) {
			sw->keep_since_s = sw->keep_since_s ? sw->keep_since_s : switch_seconds(sw);
			port->keep_waits = true;
			return -EAGAIN;
		}
		control_drop_daemon(sw, strerror(errno));
		return 0;
	}
	event.op = WIRE_KEEP;
	event.args.kept = (struct wire_kept){.port = port->spec.port, .id_count = count};
	event.fd_count = count;
	for (uint32_t i = 0; i < count; i++) {
		event.args.kept.ids[i].id = kept[i].id;
		event.fds[i] = kept[i].fd;
	}
	if (wire_send(sw->daemon_fd, &event, &err))
		control_drop_daemon(sw, err.msg);
	return 0;
}

void keep_drop(
	struct switch_state *sw,
	const struct port *port,
	const uint32_t *ids,
	uint32_t count
)
{
	static struct wire_msg event; // Large; one thread.
	struct rwy_err err = {0};

	if (sw->daemon_fd < 0 || !sw->greeted)
		return;
	event.op = WIRE_DROP;
	event.args.kept = (struct wire_kept){.port = port->spec.port, .id_count = count};
	for (uint32_t i = 0; i < count; i++)
		event.args.kept.ids[i].id = ids[i];
	if (wire_send(sw->daemon_fd, &event, &err))
		control_drop_daemon(sw, err.msg);
}

void keep_check(struct switch_state *sw)
{
	if (sw->keep_since_s && switch_seconds(sw) - sw->keep_since_s > KEEP_SECONDS_MAX)
		control_drop_daemon(sw, "it takes nothing");
}
