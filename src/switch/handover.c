// SPDX-License-Identifier: BSD-3-Clause
// Ports that run pass to this switch from the one before, and from this one to the next. Control thread. Nothing moves
// before the start, and between release and start; between freeze and release frames go on, but no session changes.
// docs/restart.md says how ringwayd uses this.
#include "base/log.h"
#include "switch/chores.h"
#include "switch/eal.h"
#include "switch/switch.h"
#include "switch/trunk.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

// Tells one process from another; never 0.
static uint32_t own_word(const struct switch_state *sw)
{
	return (uint32_t)(sw->start_ns ^ (uint64_t)getpid() << 20) | 1;
}

void handover_own(const struct switch_state *sw, struct port *port)
{
	__atomic_store_n(&port->saved->owner, own_word(sw), __ATOMIC_RELEASE);
}

bool handover_is_succeeded(const struct switch_state *sw)
{
	if (!sw->active || sw->running)
		return false;
	for (const struct port *port = sw->ports; port; port = port->next)
		if (__atomic_load_n(&port->saved->owner, __ATOMIC_ACQUIRE) != own_word(sw))
			return true;
	return !sw->ports; // Nothing that anybody would miss.
}

// What the switch before showed last, it may not have signalled any more.
static void want_recall(struct port *port)
{
	for (uint16_t i = 0; i < port->spec.queues; i++)
		port->pair[i].recall = true; // No worker polls it yet.
}

static void start_port(struct switch_state *sw, struct port *port)
{
	want_recall(port);
	if (port->conn)
		attach_go(sw, port);
	else if (trunk_publish(sw, port))
		log_error("cannot publish the queues of port '%s': out of memory", port->spec.name);
}

int handover_start(struct switch_state *sw, int listen_fd, struct rwy_err *err)
{
	if (handover_is_succeeded(sw)) {
		loop_stop(sw->loop);
		return err_set(err, -EBUSY, "another switch has taken over");
	}
	bool was_running = sw->running;
	for (struct port *port = sw->ports; port; port = port->next)
		handover_own(sw, port);
	int r = listen_fd >= 0 ? control_listen(sw, listen_fd, err) : 0;
	if (r)
		return r;
	sw->active = sw->running = true;
	sw->frozen = false;
	chores_start(sw);
	// Nobody takes a frame before its destination is there.
	sw->starting = !was_running;
	for (struct port *port = sw->ports; port && !was_running; port = port->next)
		start_port(sw, port);
	sw->starting = false;
	if (!was_running)
		publish_assign_all(sw);
	eal_keep_off_workers(true);
	for (struct port *port = sw->ports; port; port = port->next)
		attach_look(port);
	return 0;
}

void handover_freeze(struct switch_state *sw)
{
	sw->frozen = true;
}

void handover_release(struct switch_state *sw)
{
	sw->frozen = true;
	sw->running = false;
	publish_remove_all(sw);
	eal_keep_off_workers(false);
}

void handover_fds(
	const struct port *port,
	struct wire_kept *ret_kept,
	int *ret_fds,
	uint32_t *ret_count
)
{
	struct vhost_kept kept[VHOST_KEPT_MAX] = {0};
	uint32_t count = 0;

	ret_kept->port = port->spec.port;
	ret_kept->has_state = port->saved_fd >= 0;
	ret_kept->has_conn = port->conn != NULL;
	if (ret_kept->has_state)
		ret_fds[count++] = port->saved_fd;
	if (port->conn) {
		ret_fds[count++] = vhost_conn_fd(port->conn);
		ret_kept->id_count = vhost_conn_kept(port->conn, kept);
	}
	for (uint32_t i = 0; i < ret_kept->id_count; i++) {
		ret_kept->ids[i].id = kept[i].id;
		ret_fds[count++] = kept[i].fd;
	}
	for (uint16_t i = 0; port->tap_fds && i < port->spec.queues; i++) {
		ret_kept->ids[ret_kept->id_count++].id = i + 1u;
		ret_fds[count++] = port->tap_fds[i];
	}
	*ret_count = count;
}

static void note_learned(void *arg, struct port *port, const uint8_t mac[MAC_SIZE])
{
	struct port_state *saved = port->saved;

	// Those of before are overwritten where they are: each is a whole address at any time, and the count comes last.
	if (port->noted < FDB_LEARNED_PER_PORT)
		memcpy(saved->learned[port->noted++], mac, MAC_SIZE);
}

void handover_note_learned(struct switch_state *sw)
{
	uint32_t changes = fdb_changes(sw->fdb);

	if (changes == sw->learned_noted || !sw->running)
		return;
	sw->learned_noted = changes;
	for (struct port *port = sw->ports; port; port = port->next)
		port->noted = 0;
	fdb_each_learned(sw->fdb, note_learned, NULL);
	for (struct port *port = sw->ports; port; port = port->next)
		__atomic_store_n(&port->saved->learned_count, port->noted, __ATOMIC_RELEASE);
}
