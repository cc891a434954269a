// SPDX-License-Identifier: BSD-3-Clause
// Ports that have functions of a NIC: for a process by VFIO (vf), or as an interface (vf-kernel). Any thread, under the service's
// lock; function_job.c says what is written when.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"
#include "daemon/core/stats.h"
#include "daemon/model/functions.h"
#include "daemon/model/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void vf_attributes(const struct port *port, struct function_attributes *ret)
{
	const struct network_spec *network = &port->network->info.spec;
	const struct network_functions *functions = &network->functions;
	int64_t rate = model_function_rate(&port->info.spec.limits);
	*ret = (struct function_attributes){
		.vlan = network->vlan,
		.spoof_check = functions->spoof_check,
		.trust = functions->trust,
		.link_state = functions->link_state,
		.rate_min = functions->rate_min,
		.rate_max = functions->rate_max,
	};
	// The smaller one of what the port and the network have.
	if (rate && (functions->rate_max <= 0 || rate < functions->rate_max))
		ret->rate_max = rate;
	(void)memcpy(ret->mac, port->info.spec.mac, MAC_SIZE);
}

// An interface that is in the host's namespace has yet to be moved, or has come back.
static bool is_away(const struct daemon *d, const struct function *function)
{
	struct function_info info;
	return !functions_get(d->pci, function->row.address, &info, NULL) && !info.interface[0];
}

void vf_fill(const struct daemon *d, const struct port *port, struct port_info *ret_info)
{
	const struct function *function = function_of_port(d, port->info.id);
	bool vfio = strcmp(port->info.spec.attach, "vf") == 0;
	ret_info->state = WIRE_PORT_WAITING;
	if (!function) {
		(void)snprintf( // It fits.
			ret_info->reason,
			sizeof(ret_info->reason),
			"%s",
			"it has no function any more"
		);
		return;
	}
	_Static_assert(sizeof(ret_info->reason) == sizeof(function->reason), "reasons differ");
	(void)memcpy(ret_info->reason, function->reason, sizeof(ret_info->reason));
	if (!d->pci)
		(void)snprintf( // Cut.
			ret_info->reason,
			sizeof(ret_info->reason),
			"%.159s",
			d->functions_reason
		);
	(void)memcpy(ret_info->spec.function, function->row.address, FUNCTION_SIZE);
	(void)memcpy(ret_info->rdma, function->rdma, sizeof(ret_info->rdma));
	if (vfio)
		(void)memcpy(ret_info->vfio, function->vfio, sizeof(ret_info->vfio));
	else
		(void)memcpy(ret_info->ifname_host, function->interface, IFNAME_SIZE);
	if (d->pci && function->row.state == FUNCTION_TAKEN && function->checked &&
	    !function->lost && (vfio || is_away(d, function)))
		ret_info->state = WIRE_PORT_RUNNING;
}

// eth0, eth1, ..: the interfaces of those that are made with it.
static void next_ifname(const char *first, unsigned int at, char ret_name[IFNAME_SIZE])
{
	size_t length = strlen(first);
	while (length && first[length - 1] >= '0' && first[length - 1] <= '9')
		length--;
	unsigned long number = strtoul(first + length, NULL, 10) + at;
	// One that is cut is of no other, or is refused as taken.
	(void)snprintf(ret_name, IFNAME_SIZE, "%.*s%lu", (int)length, first, number);
}

static struct port_spec companion(const struct port_spec *spec, unsigned int at)
{
	struct port_spec other = *spec;
	other.vfs = 1;
	other.ip[0] = other.ip6[0] = other.endpoint_id[0] = other.key[0] = '\0';
	other.function[0] = '\0';
	(void)memset(other.mac, 0, MAC_SIZE);
	(void)snprintf(other.name, sizeof(other.name), "%.57s.%u", spec->name, at); // At most 16.
	if (other.ifname[0])
		next_ifname(spec->ifname, at, other.ifname);
	return other;
}

// Chooses, and writes that it is to be taken with the port's row.
static int insert(
	struct daemon *d,
	struct network *network,
	struct port_info *info,
	const char *key,
	struct rwy_err *err
)
{
	struct function *function = NULL;
	struct port_spec spec = info->spec;
	(void)memcpy(spec.key, key, sizeof(spec.key));
	int r = function_choose(d, network, &spec, 0, &function, err);
	if (r)
		return r;
	struct store_function row = function->row;
	(void)memcpy(row.key, key, sizeof(row.key));
	r = store_port_insert_taking(d->store, network->info.id, info, &row, err);
	if (r)
		return r;
	struct port *port = daemon_keep_port(d, network, info, STORE_CREATING);
	if (port)
		port->taking = calloc(1, sizeof(*port->taking));
	if (!port || !port->taking)
		return err_set(err, -ENOMEM, "no memory"); // Its row is undone by name.
	function->row = row;
	function->since_ms = daemon_now_ms();
	return 0;
}

static bool is_of(const struct port *port, const char *name)
{
	return port_is_vf(port) &&
		(strcmp(port->info.spec.name, name) == 0 || strcmp(port->info.with, name) == 0);
}

// The port and those made with it go from memory, their functions on their way back. Rows last.
static void drop_all(struct daemon *d, const char *name)
{
	char own[NAME_SIZE];
	(void
	)snprintf(own, sizeof(own), "%s", name); // It fits; name may be that of a port that goes.
	struct port *port = TAILQ_FIRST(&d->ports);
	while (port) {
		struct port *next = TAILQ_NEXT(port, entry);
		uint32_t id = port->info.id;
		if (is_of(port, own)) {
			struct function *function = function_of_port(d, id);
			if (function)
				function_set_state(d, function, FUNCTION_RETURNING);
			fd_close(&port->netns_fd);
			store_port_delete(d->store, id);
			daemon_drop_port(d, port);
		}
		port = next;
	}
	functions_kick(d);
}

int vf_remove(struct daemon *d, struct port *port, struct rwy_err *err)
{
	int r = port->state == STORE_READY
		? store_port_set_removing(d->store, port->info.spec.name, err)
		: 0;
	if (r)
		return r;
	drop_all(d, port->info.spec.name);
	return 0;
}

// Another function for a port whose first one somebody else has in use.
static int choose_again(struct daemon *d, struct port *port, int64_t since_ms, struct rwy_err *err)
{
	const struct rwy_err why = port->taking->err;
	struct function *function = NULL;
	int r = port->info.spec.function[0]
		? -EBUSY
		: function_choose(d, port->network, &port->info.spec, since_ms, &function, NULL);
	if (r) { // What is known of the last one tells more.
		if (err)
			*err = why;
		return why.code ? why.code : r;
	}
	struct store_function row = function->row;
	row.state = FUNCTION_TAKING;
	row.port = port->info.id;
	(void)memcpy(row.key, port->info.spec.key, sizeof(row.key));
	r = store_functions_put(d->store, &row, 1, err);
	if (r)
		return r;
	function->row = row;
	function->since_ms = daemon_now_ms();
	*port->taking = (struct port_taking){0};
	functions_kick(d);
	return 0;
}

// Whether all of them are there: 1; 0: not yet. Negative: one cannot be had.
static int look_at_all(struct daemon *d, const char *name, int64_t since_ms, struct rwy_err *err)
{
	struct port *port;
	bool all = true;
	bool any = false;
	TAILQ_FOREACH (port, &d->ports, entry) {
		if (!is_of(port, name))
			continue;
		any = true;
		all = all && port->taking && port->taking->done;
		if (!port->taking || !port->taking->done || !port->taking->result)
			continue;
		int r = port->taking->result;
		if (err)
			*err = port->taking->err;
		if (port->taking->refused)
			r = choose_again(d, port, since_ms, err);
		if (r)
			return r;
		all = false;
	}
	if (!any)
		return err_set(err, -ENOENT, "it was removed meanwhile");
	return all;
}

static int wait_for_all(struct daemon *d, const char *name, int64_t since_ms, struct rwy_err *err)
{
	const int64_t until = since_ms + FUNCTION_WAIT_MS;
	int r = 0;
	functions_kick(d);
	while (!(r = look_at_all(d, name, since_ms, err)) && functions_wait(d, until))
		;
	if (r)
		return r < 0 ? r : 0;
	err_set(err, -ETIMEDOUT, "its function is not there after %d s", FUNCTION_WAIT_MS / 1000);
	return err_hint(err, "`ringway network inspect` says what it waits for");
}

static void set_ready(struct daemon *d, const char *name)
{
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		if (!is_of(port, name))
			continue;
		port->state = STORE_READY;
		free(port->taking);
		port->taking = NULL;
		fd_close(&port->netns_fd);
	}
}

static int insert_all(
	struct daemon *d,
	struct network *network,
	struct port_info *info,
	int netns_fd,
	struct rwy_err *err
)
{
	const char *key = info->spec.key;
	int r = insert(d, network, info, key, err);
	for (unsigned int i = 1; !r && i < info->spec.vfs; i++) {
		if (strlen(info->spec.name) >= NAME_SIZE - 6)
			return err_set(err, -EINVAL, "its name is too long for several functions");
		struct port_info other = *info;
		other.spec = companion(&info->spec, i);
		(void)memcpy(other.with, info->spec.name, sizeof(other.with));
		r = port_check_new(d, &other.spec, &network, err);
		if (!r)
			r = insert(d, network, &other, key, err);
	}
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry)
		if (!r && netns_fd >= 0 && is_of(port, info->spec.name))
			port->netns_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 0);
	return r;
}

static bool is_coming_back(struct daemon *d, char (*addresses)[FUNCTION_SIZE], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct function *function = function_find(d, addresses[i]);
		if (function && function->row.state == FUNCTION_RETURNING)
			return true;
	}
	return false;
}

// What could not be had is as it was, as far as that is a matter of seconds: what takes longer comes back by itself.
static void undo(struct daemon *d, const char *name)
{
	const int64_t until = daemon_now_ms() + FUNCTION_BACK_MS;
	char addresses[MODEL_FUNCTIONS][FUNCTION_SIZE];
	const struct port *port;
	size_t count = 0;
	TAILQ_FOREACH (port, &d->ports, entry) {
		const struct function *function =
			is_of(port, name) ? function_of_port(d, port->info.id) : NULL;
		if (function && count < MODEL_FUNCTIONS)
			(void)memcpy(addresses[count++], function->row.address, FUNCTION_SIZE);
	}
	drop_all(d, name);
	while (is_coming_back(d, addresses, count) && functions_wait(d, until))
		;
}

int vf_make(
	struct daemon *d,
	const struct port_spec *spec,
	int netns_fd,
	struct port_info *ret,
	struct rwy_err *err
)
{
	struct network *network = NULL;
	const int64_t since_ms = daemon_now_ms();
	struct port_info info = {
		.spec = *spec,
		.created = time(NULL),
		.created_ms = since_ms,
		.netns_inode = namespace_inode(netns_fd),
	};
	int r = port_check_new(d, &info.spec, &network, err);
	if (r)
		return r;
	r = insert_all(d, network, &info, netns_fd, err);
	if (!r)
		r = wait_for_all(d, info.spec.name, since_ms, err);
	if (!r)
		r = store_port_set_ready(d->store, info.spec.name, err);
	const struct port *port = daemon_find_port_id(d, info.id);
	if (!r && port) {
		set_ready(d, info.spec.name);
		port_fill(d, port, ret);
		return 0;
	}
	if (port || r != -ENOENT)
		undo(d, info.spec.name);
	return err_prefix(err, "cannot create port '%s': ", info.spec.name);
}

int vf_set_limits(struct daemon *d, const struct port *port, struct rwy_err *err)
{
	const struct function *function = function_of_port(d, port->info.id);
	struct function_attributes want;
	struct function_attributes rate = FUNCTION_ATTRIBUTES_KEEP;
	int r = functions_available(d, err);
	if (r)
		return r;
	if (!function)
		return err_set(err, -ENODEV, "it has no function any more");
	vf_attributes(port, &want);
	rate.rate_max = want.rate_max > 0 ? want.rate_max : 0;
	return functions_set_attributes(d->pci, function->row.address, &rate, err);
}

void vf_place_rdma(struct daemon *d, const struct port *port)
{
	const struct function *function = function_of_port(d, port->info.id);
	struct rwy_err err = {0};
	_cleanup_close_ int fd = -1;
	if (!d->pci || !function || !function->rdma[0] || !port->info.sandbox[0] ||
	    functions_rdma_mode(d->pci) != FUNCTION_RDMA_EXCLUSIVE)
		return;
	if (namespace_open(port->info.sandbox, &fd, &err) ||
	    functions_rdma_place(d->pci, function->rdma, fd, &err))
		log_err(&err, "port '%s' has no RDMA device", port->info.spec.name);
}

static json_t *traffic(uint64_t frames, uint64_t bytes)
{
	return json_pack(
		"{s:o, s:o}", "frames", counters_integer(frames), "bytes", counters_integer(bytes)
	);
}

json_t *counters_of_function(const struct daemon *d, const struct port *port)
{
	const struct function *function = function_of_port(d, port->info.id);
	struct function_counters counters = {0};
	struct function_attributes attributes;
	// What its parent's driver does not count is nothing.
	if (d->pci && function)
		(void)functions_get_attributes(
			d->pci, function->row.address, &attributes, &counters, NULL
		);
	uint64_t dropped = counters.rx_dropped + counters.tx_dropped;
	return json_pack(
		"{s:o, s:o, s:{s:o}, s:o, s:o}",
		"rx",
		traffic(counters.rx_frames, counters.rx_bytes),
		"tx",
		traffic(counters.tx_frames, counters.tx_bytes),
		"drops",
		"device",
		counters_integer(dropped),
		"dropped",
		counters_integer(dropped),
		"neighbor_answers",
		counters_integer(0)
	);
}
