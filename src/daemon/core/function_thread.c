// SPDX-License-Identifier: BSD-3-Clause
// The thread that takes functions, returns them, sets counts of parents and looks whether all is as it has to be: one thing at a
// time, each without the service's lock. function_job.c has the steps, and why a kill between them does no harm.
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"
#include "daemon/model/functions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define AGAIN_MS 1000
#define NAMED_MS 10000 // After that whoever is in the way is named.
#define CHECK_MS 3000

static void fill_inside(struct daemon *d, const struct port *port, struct function_job *job)
{
	const struct port_spec *spec = &port->info.spec;
	const struct network_spec *network = &port->network->info.spec;
	int fd = -1;
	// Of one that is being made it was opened when it was asked for.
	if (port->netns_fd >= 0)
		fd = fcntl(port->netns_fd, F_DUPFD_CLOEXEC, 0);
	else if (port->state == STORE_READY && namespace_open(spec->netns, &fd, NULL))
		fd = -1;
	if (fd >= 0 && port->info.netns_inode && namespace_inode(fd) != port->info.netns_inode)
		fd_close(&fd); // Another process has its number now.
	job->inside.netns_fd = fd;
	(void)memcpy(job->inside.name, spec->ifname, sizeof(job->inside.name));
	(void)memcpy(job->inside.address[0], spec->ip, ADDR_TEXT_SIZE);
	(void)memcpy(job->inside.address[1], spec->ip6, ADDR_TEXT_SIZE);
	if (network->internal || (fd >= 0 && namespace_is_own(fd)))
		return;
	if (spec->ip[0]) // Addresses alone are shorter.
		(void
		)memcpy(job->inside.gateway[0], network->gateway, sizeof(job->inside.gateway[0]));
	if (spec->ip6[0])
		(void
		)memcpy(job->inside.gateway[1], network->gateway6, sizeof(job->inside.gateway[1]));
}

void function_fill_job(struct daemon *d, const struct function *function, struct function_job *job)
{
	static const struct function_attributes keep = FUNCTION_ATTRIBUTES_KEEP;
	const struct port *port = daemon_find_port_id(d, function->row.port);
	*job = (struct function_job){
		.pci = d->pci,
		.row = function->row,
		.want = keep,
		.inside.netns_fd = -1,
		.whole = !function->checked,
	};
	if (!port)
		return;
	const struct network_spec *network = &port->network->info.spec;
	job->noiommu = network->functions.noiommu;
	job->mtu = network->mtu;
	job->uplink = port_is_ether(port);
	job->vfio = job->uplink || strcmp(port->info.spec.attach, "vf") == 0;
	if (job->uplink)
		return;
	job->uid = port->info.spec.owner_uid;
	vf_attributes(port, &job->want);
	if (!job->vfio && port->info.spec.netns[0])
		fill_inside(d, port, job);
}

static void note_seen(struct function *function, const struct function_job *job)
{
	(void)memcpy(function->rdma, job->info.rdma, sizeof(function->rdma));
	(void)memcpy(function->vfio, job->vfio_path, sizeof(function->vfio));
	function->numa_node = job->info.numa_node;
	function->away = !job->vfio && !job->info.interface[0];
	// In another namespace it has another name, and is known by the one that it had here.
	if (job->info.interface[0])
		(void)memcpy(function->interface, job->info.interface, sizeof(function->interface));
	else if (job->interface[0])
		(void)memcpy(function->interface, job->interface, sizeof(function->interface));
}

static void set_reason(struct function *function, const char *reason)
{
	if (strncmp(function->reason, reason, sizeof(function->reason) - 1) == 0)
		return;
	(void)snprintf( // Cut.
		function->reason,
		sizeof(function->reason),
		"%.159s",
		reason
	);
	if (reason[0])
		log_warn("function %s waits: %s", function->row.address, reason);
}

// Tells whoever waits for the port.
static void tell(struct port *port, int result, bool refused, const struct rwy_err *err)
{
	if (!port || !port->taking)
		return;
	port->taking->result = result;
	port->taking->refused = refused;
	port->taking->err = *err;
	port->taking->done = true;
}

// Writes down what the host has the function as, under the lock again. False: nobody wants it any more, or it cannot be written.
static bool note(struct daemon *d, struct function *function, struct function_job *job)
{
	struct rwy_err err = {0};
	uint32_t id = job->row.port;
	service_unlock(d);
	int r = function_job_note(job, &err);
	service_lock(d);
	if (function->row.state != FUNCTION_TAKING || function->row.port != id)
		return false;
	if (!r)
		r = store_functions_put(d->store, &job->row, 1, &err);
	if (!r) {
		function->row = job->row;
		return true;
	}
	if (job->uplink)
		function_uplink_done(d, function->row.address, r, &err);
	else
		tell(daemon_find_port_id(d, id), r, true, &err);
	function->refused_ms = daemon_now_ms();
	function_set_state(d, function, FUNCTION_FREE);
	return false;
}

static void finish_take(
	struct daemon *d,
	struct function *function,
	const struct function_job *job,
	int result,
	struct rwy_err *err
)
{
	struct port *port = daemon_find_port_id(d, job->row.port);
	if (function->row.state != FUNCTION_TAKING || function->row.port != job->row.port)
		return; // Removed meanwhile: it is on its way back.
	if (!result) {
		function->row.state = FUNCTION_TAKEN;
		result = store_functions_put(d->store, &function->row, 1, err);
	}
	if (result) {
		function_set_state(d, function, FUNCTION_RETURNING);
		if (job->uplink)
			function_uplink_done(d, function->row.address, result, err);
		else
			tell(port, result, false, err);
		return;
	}
	function->checked = true;
	note_seen(function, job);
	if (job->uplink)
		function_uplink_done(d, function->row.address, 0, err);
	else
		tell(port, 0, false, err);
}

static void take(struct daemon *d, struct function *function)
{
	struct function_job job;
	struct rwy_err err = {0};
	function_fill_job(d, function, &job);
	if (!function->row.noted && !note(d, function, &job)) {
		fd_close(&job.inside.netns_fd);
		return;
	}
	service_unlock(d);
	int r = function_job_take(&job, &err);
	fd_close(&job.inside.netns_fd);
	service_lock(d);
	finish_take(d, function, &job, r, &err);
}

// Why it does not come back, and after a while who is in the way.
static void note_stuck(
	struct daemon *d,
	struct function *function,
	struct function_job *job,
	struct rwy_err *err
)
{
	struct rwy_err who = {0};
	function->again_ms = daemon_now_ms() + AGAIN_MS;
	if (err->code != -EBUSY || daemon_now_ms() - function->since_ms < NAMED_MS) {
		set_reason(function, err->msg);
		return;
	}
	service_unlock(d);
	int r = functions_check_free(job->pci, job->row.address, false, false, &who);
	service_lock(d);
	if (function->row.state == FUNCTION_RETURNING)
		set_reason(function, r ? who.msg : err->msg);
}

static void give_back(struct daemon *d, struct function *function)
{
	struct function_job job;
	struct rwy_err err = {0};
	function_fill_job(d, function, &job);
	service_unlock(d);
	int r = function_job_return(&job, &err);
	service_lock(d);
	if (r && r != -ENODEV) {
		if (function->row.state == FUNCTION_RETURNING)
			note_stuck(d, function, &job, &err);
		return;
	}
	if (function->row.state == FUNCTION_RETURNING) {
		function_set_state(d, function, FUNCTION_FREE);
	} else { // An uplink wants it again: what the host has is noted anew.
		function->row.noted = false;
		store_function_put_surely(d->store, &function->row);
	}
}

// A port's function that is not as it has to be is taken once more, unless somebody has it open.
static void retake(struct daemon *d, struct function *function, struct function_job *job)
{
	struct rwy_err err = {0};
	uint32_t id = job->row.port;
	service_unlock(d);
	bool open = job->vfio && functions_vfio_is_open(job->pci, job->row.address);
	int r = open ? err_set(&err, -EBUSY, "a process has it open, and it is not as it should be")
		     : function_job_take(job, &err);
	service_lock(d);
	if (function->row.state != FUNCTION_TAKEN || function->row.port != id)
		return;
	function->lost = r != 0;
	function->checked = !r;
	set_reason(function, r ? err.msg : "");
	if (r)
		return;
	log_info("function %s was not as it has to be: taken anew", function->row.address);
	note_seen(function, job);
}

// An interface that is in the host's namespace, and was somewhere else: that has ended.
static void look_where(struct daemon *d, struct function *function, const struct function_job *job)
{
	const struct port *port = daemon_find_port_id(d, function->row.port);
	bool was_moved = port && (port->info.spec.netns[0] || port->info.sandbox_seen);
	bool back = !job->vfio && was_moved && job->info.interface[0];
	if (function->away && port)
		vf_place_rdma(d, port);
	set_reason(function, back ? "its namespace has ended, and the host has it back" : "");
}

static void check(struct daemon *d, struct function *function)
{
	struct function_job job;
	struct rwy_err err = {0};
	function_fill_job(d, function, &job);
	uint32_t id = function->row.port;
	service_unlock(d);
	int r = function_job_check(&job, &err);
	service_lock(d);
	if (function->row.state == FUNCTION_TAKEN && function->row.port == id) {
		function->lost = r != 0;
		if (!r) {
			function->checked = true;
			note_seen(function, &job);
			look_where(d, function, &job);
		} else if (r == -ESTALE) {
			retake(d, function, &job);
		} else {
			function->checked = false;
			set_reason(function, err.msg);
		}
	}
	fd_close(&job.inside.netns_fd);
}

// Numbers stay, and what they are called may not.
static void rename_functions(
	struct daemon *d,
	const char *pf,
	char (*addresses)[FUNCTION_ADDRESS_SIZE],
	size_t count
)
{
	struct function *function;
	TAILQ_FOREACH (function, &d->functions, entry) {
		struct store_function *row = &function->row;
		if (strcmp(row->pf, pf) != 0 || row->number >= count ||
		    strcmp(row->address, pf) == 0 ||
		    strcmp(row->address, addresses[row->number]) == 0)
			continue;
		store_function_delete(d->store, row->address);
		(void)memcpy(row->address, addresses[row->number], sizeof(row->address));
		store_function_put_surely(d->store, row);
	}
}

// Sets the count where nobody uses the functions that would go. Without the lock.
static int set_count(struct daemon *d, const char *pf, uint16_t count, struct rwy_err *err)
{
	char addresses[FUNCTION_VFS_MAX][FUNCTION_ADDRESS_SIZE];
	size_t there = 0;
	int r = functions_list_vfs(d->pci, pf, addresses, &there, err);
	for (size_t i = 0; !r && i < there; i++)
		r = functions_check_free(d->pci, addresses[i], false, false, err);
	return r ? r : functions_set_count(d->pci, pf, count, err);
}

static int change_count(
	struct daemon *d,
	struct parent *parent,
	uint16_t count,
	struct rwy_err *err
)
{
	char addresses[FUNCTION_VFS_MAX][FUNCTION_ADDRESS_SIZE];
	size_t there = 0;
	const char *pf = parent->row.pf;
	service_unlock(d);
	int r = set_count(d, pf, count, err);
	if (!r)
		r = functions_list_vfs(d->pci, pf, addresses, &there, err);
	service_lock(d);
	if (!r)
		rename_functions(d, pf, addresses, there);
	return r;
}

static void set_wanted(struct daemon *d, struct parent *parent)
{
	uint16_t count = parent->want;
	parent->err = (struct rwy_err){0};
	parent->result = change_count(d, parent, count, &parent->err);
	parent->want = 0;
}

// The last network has gone: the count of before, unless somebody uses the functions now.
static void restore_parent(struct daemon *d, struct parent *parent)
{
	struct function_info info;
	struct rwy_err err = {0};
	parent->busy = true;
	service_unlock(d);
	int r = functions_get(d->pci, parent->row.pf, &info, &err);
	service_lock(d);
	if (!r && info.vfs != parent->row.vfs_before)
		r = change_count(d, parent, parent->row.vfs_before, &err);
	if (r)
		log_err(&err,
			"%s keeps its functions, of which there were %u before",
			parent->row.pf,
			parent->row.vfs_before);
	parent->busy = false;
	if (parent_is_used(d, parent->row.pf))
		return; // By a network that was made meanwhile.
	store_parent_delete(d->store, parent->row.pf);
	parent_drop(d, parent);
}

// A parent that has lost all of its functions gets them again: after a restart of the host, or of its driver.
static void look_at_parent(struct daemon *d, struct parent *parent)
{
	struct function_info info;
	struct rwy_err err = {0};
	parent->busy = true;
	service_unlock(d);
	int r = functions_get(d->pci, parent->row.pf, &info, NULL);
	service_lock(d);
	if (!r && !info.vfs && parent->row.vfs && !parent->want) {
		r = change_count(d, parent, parent->row.vfs, &err);
		if (r && !parent->kept_logged)
			log_err(&err, "%s has lost its functions", parent->row.pf);
		else if (!r)
			log_info("%s had lost its functions: made anew", parent->row.pf);
		parent->kept_logged = r != 0;
	}
	parent->busy = false;
}

static struct function *next_function(struct daemon *d)
{
	struct function *function;
	struct function *first = NULL;
	int64_t now = daemon_now_ms();
	TAILQ_FOREACH (function, &d->functions, entry) {
		bool due = function->row.state == FUNCTION_TAKING ||
			(function->row.state == FUNCTION_RETURNING && function->again_ms <= now);
		if (due && (!first || function->since_ms < first->since_ms))
			first = function;
	}
	return first;
}

static struct parent *next_parent(struct daemon *d)
{
	struct parent *parent;
	TAILQ_FOREACH (parent, &d->parents, entry)
		if (parent->want || (!parent->busy && !parent_is_used(d, parent->row.pf)))
			return parent;
	return NULL;
}

static void work_on(struct daemon *d, struct function *function)
{
	function->busy = true;
	if (function->row.state == FUNCTION_TAKING)
		take(d, function);
	else if (function->row.state == FUNCTION_RETURNING)
		give_back(d, function);
	else
		check(d, function);
	function->busy = false;
	// An uplink's that is as it was is nobody's any more.
	if (function->row.state == FUNCTION_FREE && !function->row.network)
		function_drop(d, function);
	(void)pthread_cond_broadcast(&d->functions_cond); // Cannot fail.
}

// Rows may go while the lock is not held, but the one in hand: so each turn begins anew, after the last one's place.
static void check_all(struct daemon *d)
{
	struct parent *parent;
	struct function *function = TAILQ_FIRST(&d->functions);
	TAILQ_FOREACH (parent, &d->parents, entry)
		if (!parent->busy)
			look_at_parent(d, parent);
	while (function && !d->functions_stop) {
		struct function *next = NULL;
		char after[FUNCTION_SIZE];
		(void)memcpy(after, function->row.address, sizeof(after));
		if (function->row.state == FUNCTION_TAKEN)
			work_on(d, function);
		function = function_find(d, after);
		next = function ? TAILQ_NEXT(function, entry) : NULL;
		function = next;
	}
	d->functions_check_ms = daemon_now_ms() + CHECK_MS;
}

static bool work(struct daemon *d)
{
	struct function *function;
	struct parent *parent = next_parent(d);
	if (parent) {
		if (parent->want)
			set_wanted(d, parent);
		else
			restore_parent(d, parent);
		(void)pthread_cond_broadcast(&d->functions_cond); // Cannot fail.
		return true;
	}
	function = next_function(d);
	if (function)
		work_on(d, function);
	else if (d->functions_check_ms <= daemon_now_ms())
		check_all(d);
	else
		return false;
	return true;
}

void *functions_run(void *arg)
{
	struct daemon *d = arg;
	service_lock(d);
	while (!d->functions_stop) {
		d->functions_due = false;
		if (!work(d) && !d->functions_due && !d->functions_stop)
			(void)functions_wait(d, d->functions_check_ms); // It is looked again.
	}
	service_unlock(d);
	return NULL;
}
