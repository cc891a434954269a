// SPDX-License-Identifier: BSD-3-Clause
// Makes the switch what the store says: fetches its state, adopts its listeners, plans, acts.
// Main thread, but for the single steps, which any thread does under the lock.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"
#include "daemon/core/takeover.h"
#include "daemon/plan/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DOUBT_CHECK_MS 1000

static void fill_network(const struct network *network, struct wire_network *ret)
{
	*ret = (struct wire_network){
		.network = network->info.id,
		.mtu = network->info.spec.mtu,
		.proxy_neighbors = network->info.spec.proxy_neighbors,
	};
	(void)memcpy(ret->name, network->info.spec.name, NAME_SIZE);
}

struct wire_msg *reconcile_network_msg(struct daemon *d, const struct network *network)
{
	struct wire_msg *msg = link_msg(d->link, WIRE_NETWORK_ADD);
	fill_network(network, &msg->args.network);
	return msg;
}

int reconcile_network_add(struct daemon *d, const struct network *network, struct rwy_err *err)
{
	return link_request(d->link, reconcile_network_msg(d, network), err);
}

// The wire's limits are those of base/portlimits.h, which it does not know.
_Static_assert(
	sizeof(struct port_limits) == sizeof(struct wire_limits) &&
		offsetof(struct port_limits, rx_frame_burst) ==
			offsetof(struct wire_limits, rx_frame_burst) &&
		offsetof(struct port_limits, tx_fps) == offsetof(struct wire_limits, tx_fps) &&
		offsetof(struct port_limits, flood_burst) ==
			offsetof(struct wire_limits, flood_burst),
	"limits differ"
);

static void fill_port(const struct port *port, struct wire_port *ret)
{
	const struct port_spec *spec = &port->info.spec;
	*ret = (struct wire_port){
		.port = port->info.id,
		.network = port->network->info.id,
		.queues = spec->queues,
		.learning = spec->learning,
		.allow_spoof = spec->allow_spoof,
		.pin_address = spec->pin_address,
		.no_offloads = spec->no_offloads,
	};
	char address[ADDR_TEXT_SIZE];
	if (spec->pin_address) { // Without prefix they fit.
		address_only(spec->ip, address);
		(void)memcpy(ret->ip, address, sizeof(ret->ip));
		address_only(spec->ip6, address);
		(void)memcpy(ret->ip6, address, sizeof(ret->ip6));
	}
	(void)memcpy(&ret->limits, &spec->limits, sizeof(ret->limits));
	(void)memcpy(ret->name, spec->name, NAME_SIZE);
	(void)memcpy(ret->mac, spec->mac, MAC_SIZE);
}

int reconcile_port_msg(
	struct daemon *d,
	struct port *port,
	struct wire_msg **ret_msg,
	struct rwy_err *err
)
{
	int r = keep_ensure_state(&port->keep, link_hello(d->link), err);
	if (r)
		return r;
	struct wire_msg *msg = link_msg(d->link, WIRE_PORT_ADD);
	struct wire_port *args = &msg->args.port;
	fill_port(port, args);
	args->has_state = port->keep.state >= 0;
	if (args->has_state)
		msg->fds[msg->fd_count++] = port->keep.state;
	if (port->listener >= 0)
		msg->fds[msg->fd_count++] = port->listener;
	if (port->info.state == WIRE_PORT_QUARANTINED)
		(void)memcpy(args->quarantine, port->info.reason, sizeof(args->quarantine));
	*ret_msg = msg;
	return 0;
}

int reconcile_port_add(struct daemon *d, struct port *port, struct rwy_err *err)
{
	struct wire_msg *msg = NULL;
	int r = reconcile_port_msg(d, port, &msg, err);
	return r ? r : link_request(d->link, msg, err);
}

int reconcile_port_set(struct daemon *d, const struct port *port, struct rwy_err *err)
{
	struct wire_msg *msg = link_msg(d->link, WIRE_PORT_SET);
	fill_port(port, &msg->args.port);
	return link_request(d->link, msg, err);
}

int reconcile_del(struct daemon *d, enum wire_op op, uint32_t id, struct rwy_err *err)
{
	struct wire_msg *msg = link_msg(d->link, op);
	msg->args.ref.id = id;
	return link_request(d->link, msg, err);
}

static int make_want(struct daemon *d, struct plan_set *ret_set)
{
	const struct network *network;
	const struct port *port;
	struct plan_set set = {
		.networks = calloc(d->network_count + 1, sizeof(*set.networks)),
		.ports = calloc(d->port_count + d->network_count + 1, sizeof(*set.ports)),
	};
	if (!set.networks || !set.ports) {
		plan_set_fini(&set);
		return -ENOMEM;
	}
	TAILQ_FOREACH (network, &d->networks, entry)
		if (!network_is_sriov(network))
			fill_network(network, &set.networks[set.network_count++]);
	TAILQ_FOREACH (port, &d->ports, entry)
		if (port_is_switched(port))
			fill_port(port, &set.ports[set.port_count++]);
	// Their numbers are above all others.
	TAILQ_FOREACH (network, &d->networks, entry)
		if (trunk_is_wanted(d, network))
			trunk_fill(d, network, &set.ports[set.port_count++]);
	*ret_set = set;
	return 0;
}

// Takes the listener that an earlier ringwayd left with the switch, if it is the one whose path
// is there.
static void adopt_listener(struct daemon *d, uint32_t id, int fd)
{
	struct rwy_err err = {0};
	char place[NAME_SIZE];
	char name[16];
	char path[PATH_TEXT_SIZE];
	_cleanup_close_ int listener = fd;
	struct port *port = daemon_find_port_id(d, id);
	if (!port || port->listener >= 0 || port->info.spec.connect[0])
		return;
	port_place(&port->info.spec, place, name);
	if (portdir_path(&d->portdir, place, name, path, NULL) ||
	    !portdir_is_socket(&d->portdir, place, name, listener))
		return;
	port->listener = fd_take(&listener);
	if (accept_open(d, port, &err))
		log_err(&err, "port '%s'", port->info.spec.name);
}

static void note_state(struct daemon *d, uint32_t id, uint32_t state)
{
	struct port *port = daemon_find_port_id(d, id);
	if (!port || state >= WIRE_PORT_STATE_COUNT)
		return;
	port->info.state = state;
	if (state == WIRE_PORT_WAITING || state == WIRE_PORT_QUARANTINED)
		keep_forget(&port->keep); // The switch has closed it.
	if (state == WIRE_PORT_WAITING && !port->connect_at_ms)
		accept_port_waits(d, port);
}

static void note_port(struct daemon *d, uint32_t id)
{
	struct port *port = daemon_find_port_id(d, id);
	if (port)
		port->of_switch = true;
}

// Whether the switch has the trunk with this id, if that is one's.
static void note_trunk(struct daemon *d, uint32_t id, bool there)
{
	struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry)
		if (WIRE_TRUNK_ID(network->info.id) == id)
			network->trunk = there;
}

static int add_page(struct daemon *d, struct wire_msg *msg, struct plan_set *set)
{
	const struct wire_state *page = &msg->args.state;
	uint32_t fd = 0;
	size_t networks = set->network_count + page->network_count;
	size_t ports = set->port_count + page->port_count;
	void *grown = reallocarray(set->networks, networks + 1, sizeof(*set->networks));
	if (!grown)
		return -ENOMEM;
	set->networks = grown;
	grown = reallocarray(set->ports, ports + 1, sizeof(*set->ports));
	if (!grown)
		return -ENOMEM;
	set->ports = grown;
	for (uint32_t i = 0; i < page->network_count; i++)
		set->networks[set->network_count++] = page->networks[i];
	for (uint32_t i = 0; i < page->port_count; i++) {
		const struct wire_state_port *from = &page->ports[i];
		struct wire_port *to = &set->ports[set->port_count++];
		*to = (struct wire_port){
			.port = from->port,
			.network = from->network,
			.queues = from->queues,
			.learning = from->learning,
			.allow_spoof = from->allow_spoof,
			.pin_address = from->pin_address,
			.no_offloads = from->no_offloads,
			.kind = from->kind,
			.limits = from->limits,
		};
		(void)memcpy(to->name, from->name, sizeof(to->name));
		(void)memcpy(to->mac, from->mac, sizeof(to->mac));
		(void)memcpy(to->ip, from->ip, sizeof(to->ip));
		(void)memcpy(to->ip6, from->ip6, sizeof(to->ip6));
		if (from->has_listener) {
			adopt_listener(d, from->port, msg->fds[fd]);
			msg->fds[fd++] = -1;
		}
		note_state(d, from->port, from->state);
		note_port(d, from->port);
		note_trunk(d, from->port, true);
		if (from->kind == WIRE_PORT_TAP && from->state == WIRE_PORT_QUARANTINED)
			(void)trunk_note_broken(d, from->port); // Of a network that is gone: fine.
	}
	return 0;
}

static int compare_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static int fetch_have(struct daemon *d, struct plan_set *ret_set, struct rwy_err *err)
{
	struct plan_set set = {0};
	uint32_t after = 0;
	bool more = true;
	int r = 0;
	while (!r && more) {
		struct wire_msg *msg = link_msg(d->link, WIRE_STATE);
		msg->args.after.after = after;
		r = link_request(d->link, msg, err);
		if (r)
			break;
		if (add_page(d, msg, &set))
			r = err_set(err, -ENOMEM, "no memory for the switch's state");
		wire_msg_close_fds(msg);
		const struct wire_state *page = &msg->args.state;
		more = page->more;
		if (more && page->port_count == 0)
			r = err_set(err, -EPROTO, "a page of the switch's state is empty");
		else if (more)
			after = page->ports[page->port_count - 1].port;
	}
	if (r) {
		plan_set_fini(&set);
		return r;
	}
	if (set.networks)
		qsort(set.networks, set.network_count, sizeof(*set.networks), compare_id);
	if (set.ports)
		qsort(set.ports, set.port_count, sizeof(*set.ports), compare_id);
	*ret_set = set;
	return 0;
}

static struct network *find_network(struct daemon *d, uint32_t id)
{
	struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry)
		if (network->info.id == id)
			return network;
	return NULL;
}

static struct network *find_trunk(struct daemon *d, uint32_t id)
{
	return id >= WIRE_TRUNK_ID(0) ? find_network(d, id - WIRE_TRUNK_ID(0)) : NULL;
}

static int del_port(struct daemon *d, uint32_t id, struct rwy_err *err)
{
	struct port *port = daemon_find_port_id(d, id);
	note_trunk(d, id, false);
	if (port)
		keep_fini(&port->keep); // It begins anew.
	return reconcile_del(d, WIRE_PORT_DEL, id, err);
}

static int add_port(struct daemon *d, uint32_t id, struct rwy_err *err)
{
	struct network *owner = find_trunk(d, id);
	struct port *port = daemon_find_port_id(d, id);
	if (owner)
		return trunk_give(d, owner, err);
	if (!port)
		return 0;
	keep_fini(&port->keep);
	port->info.state = WIRE_PORT_WAITING;
	port->info.reason[0] = '\0';
	accept_port_waits(d, port);
	return reconcile_port_add(d, port, err);
}

static int set_port(struct daemon *d, uint32_t id, struct rwy_err *err)
{
	struct network *owner = find_trunk(d, id);
	struct port *port = daemon_find_port_id(d, id);
	if (owner)
		return trunk_set(d, owner, err);
	return port ? reconcile_port_set(d, port, err) : 0;
}

static int do_step(struct daemon *d, const struct plan_step *step, struct rwy_err *err)
{
	const struct network *network = find_network(d, step->id);
	switch (step->act) {
	case PLAN_PORT_DEL:
		return del_port(d, step->id, err);
	case PLAN_NETWORK_DEL:
		return reconcile_del(d, WIRE_NETWORK_DEL, step->id, err);
	case PLAN_NETWORK_ADD:
		return network ? reconcile_network_add(d, network, err) : 0;
	case PLAN_PORT_ADD:
		return add_port(d, step->id, err);
	case PLAN_PORT_SET:
		return set_port(d, step->id, err);
	case PLAN_ACT_COUNT:
		break;
	}
	return err_set(err, -EINVAL, "a step that is none");
}

static int do_plan(
	struct daemon *d,
	const struct plan_set *want,
	const struct plan_set *have,
	struct rwy_err *err
)
{
	struct plan plan = {0};
	int failed = 0;
	if (plan_make(want, have, &plan))
		return err_set(err, -ENOMEM, "no memory for a plan");
	for (size_t i = 0; i < plan.count && failed != -EAGAIN; i++) {
		struct rwy_err why = {0};
		int r = do_step(d, &plan.steps[i], &why);
		if (!r)
			continue;
		log_err(&why, "switch and store differ at id %" PRIu32, plan.steps[i].id);
		failed = r;
	}
	if (plan.count)
		log_info("switch brought in line: %zu steps", plan.count);
	plan_fini(&plan);
	return failed == -EAGAIN ? err_set(err, failed, "the switch ended meanwhile") : 0;
}

void reconcile_open_listeners(struct daemon *d)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct rwy_err why = {0};
		if (port->listener < 0 && !port->info.spec.connect[0] && port_is_switched(port) &&
		    accept_open(d, port, &why))
			log_err(&why, "port '%s'", port->info.spec.name);
	}
}

// `found`: the switch ran before, so it has what the next one will need.
static int reconcile(struct daemon *d, bool found, struct rwy_err *err)
{
	struct plan_set want = {0};
	struct plan_set have = {0};
	struct network *network;
	struct port *port;
	TAILQ_FOREACH (network, &d->networks, entry)
		network->trunk = network->trunk_broken = false; // Until the switch says so.
	TAILQ_FOREACH (port, &d->ports, entry)
		port->of_switch = false;
	int r = fetch_have(d, &have, err);
	if (r)
		return r;
	if (found)
		takeover_adopt(d);
	reconcile_open_listeners(d); // Before their ports are told of.
	if (make_want(d, &want))
		r = err_set(err, -ENOMEM, "no memory for a plan");
	else
		r = do_plan(d, &want, &have, err);
	plan_set_fini(&want);
	plan_set_fini(&have);
	return r;
}

// Gateways and uplinks that networks lack: because this instance could not make them until now.
static void ensure_own(struct daemon *d)
{
	struct network *network;
	TAILQ_FOREACH (network, &d->networks, entry) {
		struct rwy_err err = {0};
		if (network->state == STORE_READY && own_ensure(d, network, false, &err))
			log_err(&err, "network '%s'", network->info.spec.name);
	}
}

static void on_ready(void *arg, bool found)
{
	struct daemon *d = arg;
	struct rwy_err err = {0};
	(void)link_take_doubt(d->link); // This is what it asks for.
	if (reconcile(d, found, &err))
		log_err(&err, "cannot bring the switch in line");
	trunk_mend(d);
	station_sync(d);
	ether_resume(d);
	ensure_own(d);
	accept_enable(d, true);
	// Cannot fail with a valid timer.
	(void)loop_set_timer(d->doubt_timer, DOUBT_CHECK_MS, DOUBT_CHECK_MS);
}

static void on_down(void *arg)
{
	struct daemon *d = arg;
	struct network *network;
	struct port *port;
	// Connections stay in the listeners' queues until there is a switch again.
	accept_enable(d, false);
	(void)loop_set_timer(d->doubt_timer, 0, 0);
	TAILQ_FOREACH (network, &d->networks, entry)
		network->trunk = network->trunk_broken = false;
	TAILQ_FOREACH (port, &d->ports, entry) {
		// Of kernel ports and functions the kernel knows. The next switch goes on with connections that are kept.
		if (!port_is_switched(port) || keep_is_connected(&port->keep) ||
		    port->info.state == WIRE_PORT_QUARANTINED)
			continue;
		keep_forget(&port->keep);
		port->info.state = WIRE_PORT_WAITING;
		port->info.reason[0] = '\0';
	}
}

static void on_port_event(void *arg, const struct wire_port_event *event)
{
	struct daemon *d = arg;
	struct port *port = daemon_find_port_id(d, event->port);
	if (event->state == WIRE_PORT_QUARANTINED && trunk_note_broken(d, event->port))
		return;
	if (!port || event->state >= WIRE_PORT_STATE_COUNT)
		return; // Removed since.
	if (event->state == WIRE_PORT_QUARANTINED)
		log_warn("port '%s' is quarantined: %s", port->info.spec.name, event->reason);
	(void)memcpy(port->info.reason, event->reason, sizeof(port->info.reason));
	note_state(d, event->port, event->state);
}

static int on_prepare(void *arg, struct rwy_err *err)
{
	return takeover_prepare(arg, err);
}

static void on_ended(void *arg, const struct link_end *end)
{
	takeover_note_end(arg, end);
}

static void on_kept(void *arg, struct wire_msg *msg)
{
	takeover_note_kept(arg, msg);
}

const struct link_ops daemon_link_ops = {
	.prepare = on_prepare,
	.ready = on_ready,
	.down = on_down,
	.ended = on_ended,
	.port_event = on_port_event,
	.kept = on_kept,
};
