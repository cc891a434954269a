// SPDX-License-Identifier: BSD-3-Clause
// What callers see of the uplinks, and the thread that makes it real: callers change what is wanted, under the lock, and
// wake the thread.
#include "daemon/uplinks/uplinks.h"

#include "base/log.h"
#include "daemon/uplinks/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATS_FRESH_MS 100
#define STATS_WAIT_MS 300
#define SUFFIX ".sock"

uint64_t uplinks_now_ms(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // Cannot fail for this clock.
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const char *uplink_state_text(uint32_t state)
{
	static const char *const text[UPLINK_STATE_COUNT] = {"starting", "running", "failed"};
	return state < UPLINK_STATE_COUNT ? text[state] : "unknown";
}

static void wake(const struct uplinks *u)
{
	(void)eventfd_write(u->wake_fd, 1); // Fails when it is signalled already.
}

static void on_wake(void *arg, uint32_t events)
{
	struct uplinks *u = arg;
	struct uplink_device *device;
	struct uplink_device *next;
	eventfd_t count;
	(void)eventfd_read(u->wake_fd, &count); // Fails when there is nothing to read.
	pthread_mutex_lock(&u->lock);
	if (u->stop)
		loop_stop(u->loop);
	for (device = TAILQ_FIRST(&u->devices); device && !u->stop; device = next) {
		next = TAILQ_NEXT(device, entry);
		device_sync(device); // May free it.
	}
	pthread_mutex_unlock(&u->lock);
}

static void *run(void *arg)
{
	struct uplinks *u = arg;
	int r = loop_run(u->loop);
	if (r)
		log_error("the uplinks' loop failed: %s", strerror(-r));
	return NULL;
}

// Uplinks that run already, by their sockets.
static int scan(struct uplinks *u, struct rwy_err *err)
{
	DIR *dir = opendir(u->dir);
	const struct dirent *entry;
	char path[UPLINK_PATH_SIZE];
	if (!dir)
		return err_set(err, -errno, "cannot read '%s': %s", u->dir, strerror(errno));
	while ((entry = readdir(dir))) { // NOLINT(concurrency-mt-unsafe): this directory is ours.
		const char *dot = strrchr(entry->d_name, '.');
		if (!dot || strcmp(dot, SUFFIX) != 0 ||
		    snprintf(path, sizeof(path), "%s/%s", u->dir, entry->d_name) >=
			    (int)sizeof(path))
			continue;
		if (!device_new(u, path)) {
			(void)closedir(dir); // Read only.
			return err_set(err, -ENOMEM, "no memory for an uplink");
		}
	}
	(void)closedir(dir); // Read only.
	return 0;
}

static int make_dir(struct uplinks *u, const char *run_dir, struct rwy_err *err)
{
	// "/<16 digits>.sock" comes behind it, and a socket's path is short.
	if (snprintf(u->dir, sizeof(u->dir), "%s/uplinks", run_dir) > 80)
		return err_set(
			err,
			-ENAMETOOLONG,
			"cannot use the run directory '%s': its name is too long",
			run_dir
		);
	if (mkdir(u->dir, 0700) && errno != EEXIST)
		return err_set(err, -errno, "cannot make '%s': %s", u->dir, strerror(errno));
	return 0;
}

static int make_loop(struct uplinks *u, struct rwy_err *err)
{
	u->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	u->loop = loop_new();
	if (u->wake_fd < 0 || !u->loop || !loop_add_fd(u->loop, u->wake_fd, EPOLLIN, on_wake, u))
		return err_set(err, -errno, "cannot make the uplinks' loop: %s", strerror(errno));
	int r = pthread_create(&u->thread, NULL, run, u);
	if (r)
		return err_set(err, -r, "cannot start the uplinks' thread: %s", strerror(r));
	u->has_thread = true;
	wake(u); // Those that were found.
	return 0;
}

int uplinks_new(
	const struct uplinks_config *config,
	struct uplinks **ret_uplinks,
	struct rwy_err *err
)
{
	pthread_condattr_t attr;
	struct uplinks *u = calloc(1, sizeof(*u));
	if (!u)
		return err_set(err, -ENOMEM, "no memory for uplinks");
	TAILQ_INIT(&u->devices);
	TAILQ_INIT(&u->joins);
	u->wake_fd = -1;
	// These fail only for want of memory, which what follows would show too.
	(void)pthread_mutex_init(&u->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&u->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	int r = 0;
	if (snprintf(u->binary, sizeof(u->binary), "%s", config->binary) >= (int)sizeof(u->binary))
		r = err_set(
			err, -ENAMETOOLONG, "cannot use '%s': its path is too long", config->binary
		);
	if (!r)
		r = make_dir(u, config->run_dir, err);
	if (!r)
		r = scan(u, err);
	if (!r)
		r = make_loop(u, err);
	if (r) {
		uplinks_free(u, false);
		return r;
	}
	*ret_uplinks = u;
	return 0;
}

void uplinks_free(struct uplinks *uplinks, bool end)
{
	struct uplinks *u = uplinks;
	if (!u)
		return;
	if (u->has_thread) {
		pthread_mutex_lock(&u->lock);
		u->stop = true;
		pthread_mutex_unlock(&u->lock);
		wake(u);
		(void)pthread_join(u->thread, NULL); // It is joinable.
	}
	while (!TAILQ_EMPTY(&u->devices)) {
		if (end)
			device_end(TAILQ_FIRST(&u->devices));
		device_free(TAILQ_FIRST(&u->devices));
	}
	while (!TAILQ_EMPTY(&u->joins)) {
		struct uplink_join *join = TAILQ_FIRST(&u->joins);
		TAILQ_REMOVE(&u->joins, join, entry);
		free(join);
	}
	(void)rmdir(u->dir); // Fails while an uplink has its socket there.
	loop_free(u->loop);
	if (u->wake_fd >= 0)
		(void)close(u->wake_fd); // Nothing to do about a failing close here.
	(void)pthread_cond_destroy(&u->changed);
	(void)pthread_mutex_destroy(&u->lock);
	free(u);
}

void uplinks_settle(struct uplinks *uplinks)
{
	pthread_mutex_lock(&uplinks->lock);
	uplinks->settled = true;
	pthread_mutex_unlock(&uplinks->lock);
	wake(uplinks);
}

// FNV-1a of the arguments: the same device has the same socket in every ringwayd's life.
static void format_path(const struct uplinks *u, const char *args, char ret_path[UPLINK_PATH_SIZE])
{
	uint64_t hash = 0xcbf29ce484222325;
	for (const char *at = args; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 0x100000001b3;
	(void)snprintf( // It fits: make_dir() saw to it.
		ret_path,
		UPLINK_PATH_SIZE,
		"%.*s/%016llx" SUFFIX,
		(int)(UPLINK_PATH_SIZE - 32),
		u->dir,
		(unsigned long long)hash
	);
}

static struct uplink_device *find_device(struct uplinks *u, const char *args)
{
	char path[UPLINK_PATH_SIZE];
	struct uplink_device *device;
	format_path(u, args, path);
	TAILQ_FOREACH (device, &u->devices, entry)
		if (strcmp(device->path, path) == 0)
			break;
	if (!device)
		device = device_new(u, path);
	if (device)
		(void)snprintf(device->args, sizeof(device->args), "%s", args); // Same size.
	return device;
}

static struct uplink_join *find_join(struct uplinks *u, uint32_t id)
{
	struct uplink_join *join;
	TAILQ_FOREACH (join, &u->joins, entry)
		if (join->port.id == id)
			return join;
	return NULL;
}

// Two processes on one interface would both get its frames; on one PCI function, neither would.
static int check_other_uplink(
	struct uplinks *u,
	const struct uplink_port *port,
	const char *args,
	struct rwy_err *err
)
{
	char what[UPLINK_IFACE_SIZE];
	const struct uplink_join *join;
	TAILQ_FOREACH (join, &u->joins, entry) {
		if (strcmp(join->device->args, args) == 0 ||
		    !uplinks_are_one(args, join->device->args, what))
			continue;
		(void)err_set(
			err,
			-EBUSY,
			"cannot use device '%s': '%s' belongs to the uplink of port '%s' already",
			port->device,
			what,
			join->port.name
		);
		return err_hint(
			err,
			"a device serves many networks: '%.64s' with another VLAN",
			join->port.device
		);
	}
	return 0;
}

static int check_free(
	struct uplinks *u,
	const struct uplink_port *port,
	const char *args,
	struct rwy_err *err
)
{
	const struct uplink_join *join;
	if (find_join(u, port->id))
		return err_set(err, -EEXIST, "port '%s' has its uplink already", port->name);
	TAILQ_FOREACH (join, &u->joins, entry) {
		if (join->port.vlan != port->vlan || strcmp(join->device->args, args) != 0)
			continue;
		if (port->vlan)
			return err_set(
				err,
				-EEXIST,
				"VLAN %u of device '%s' is port '%s' already",
				port->vlan,
				port->device,
				join->port.name
			);
		return err_set(
			err,
			-EEXIST,
			"device '%s' without a VLAN is port '%s' already",
			port->device,
			join->port.name
		);
	}
	return 0;
}

int uplinks_attach(
	struct uplinks *uplinks,
	const struct uplink_port *port,
	bool must_exist,
	struct rwy_err *err
)
{
	struct uplinks *u = uplinks;
	char args[UPLINK_DEVICE_SIZE] = "";
	int r = uplinks_check_device(port->device, args, err);
	if (!r && must_exist)
		r = uplinks_check_iface(args, port->device, err);
	if (r && (r != -ENODEV || must_exist))
		return r;
	if (port->vlan > 4094)
		return err_set(
			err, -EINVAL, "cannot use VLAN %u: it must be from 1 to 4094", port->vlan
		);
	struct uplink_join *join = calloc(1, sizeof(*join));
	if (!join)
		return err_set(err, -ENOMEM, "no memory for an uplink");
	join->port = *port;
	pthread_mutex_lock(&u->lock);
	r = check_free(u, port, args, err);
	if (!r && must_exist)
		r = check_other_uplink(u, port, args, err);
	if (!r) {
		join->device = find_device(u, args);
		if (!join->device)
			r = err_set(err, -ENOMEM, "no memory for an uplink");
	}
	if (!r)
		TAILQ_INSERT_TAIL(&u->joins, join, entry);
	pthread_mutex_unlock(&u->lock);
	if (r) {
		free(join);
		return r;
	}
	if (err)
		*err = (struct rwy_err){0}; // A device that is not there yet is no failure here.
	wake(u);
	return 0;
}

static struct timespec deadline(int timeout_ms)
{
	struct timespec until = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &until); // Cannot fail for this clock.
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	return until;
}

int uplinks_wait(struct uplinks *uplinks, uint32_t id, int timeout_ms, struct rwy_err *err)
{
	struct uplinks *u = uplinks;
	struct timespec until = deadline(timeout_ms);
	const struct uplink_join *join;
	int r = -ETIMEDOUT;
	bool late = false;
	pthread_mutex_lock(&u->lock);
	while ((join = find_join(u, id)) && join->state == UPLINK_STARTING && !late)
		late = pthread_cond_timedwait(&u->changed, &u->lock, &until) != 0;
	if (!join)
		r = err_set(err, -ENOENT, "port %u has no uplink", id);
	else if (join->state == UPLINK_RUNNING)
		r = 0;
	else if (join->state == UPLINK_FAILED)
		r = err_set(
			err, -EIO, "cannot use device '%s': %s", join->port.device, join->reason
		);
	else
		r =
			err_set(err,
				-ETIMEDOUT,
				"device '%s' is not ready after %d ms%s%s",
				join->port.device,
				timeout_ms,
				join->reason[0] ? ": " : "",
				join->reason);
	pthread_mutex_unlock(&u->lock);
	return r;
}

// Whether the process has let go of the port, or there is none that could have it.
static bool has_left(const struct uplinks *u, const struct uplink_device *device, uint32_t id)
{
	const struct uplink_device *other;
	TAILQ_FOREACH (other, &u->devices, entry)
		if (other == device)
			break;
	if (!other || device->state != PROCESS_READY)
		return true;
	for (uint32_t i = 0; i < device->told.port_count; i++)
		if (device->told.ports[i].spec.port == id)
			return false;
	return !device->deleting;
}

int uplinks_detach(struct uplinks *uplinks, uint32_t id, struct rwy_err *err)
{
	struct uplinks *u = uplinks;
	struct timespec until = deadline(UPLINKS_LEAVE_MS);
	bool late = false;
	pthread_mutex_lock(&u->lock);
	struct uplink_join *join = find_join(u, id);
	if (!join) {
		pthread_mutex_unlock(&u->lock);
		return err_set(err, -ENOENT, "port %u has no uplink", id);
	}
	const struct uplink_device *device = join->device;
	TAILQ_REMOVE(&u->joins, join, entry);
	free(join);
	pthread_cond_broadcast(&u->changed);
	wake(u);
	// The switch closes the connection next, which DPDK does not bear while it removes that port itself.
	while (!late && !has_left(u, device, id))
		late = pthread_cond_timedwait(&u->changed, &u->lock, &until) != 0;
	pthread_mutex_unlock(&u->lock);
	return 0;
}

static void add_drops(
	const struct uplink_drop_msg *drops,
	uint32_t count,
	struct uplink_counters *ret
)
{
	for (uint32_t i = 0; i < count && ret->drop_count < UPLINK_DROPS_MAX; i++) {
		struct uplink_drop *to = &ret->drops[ret->drop_count++];
		(void)snprintf(
			to->reason, sizeof(to->reason), "%s", uplink_drop_text(drops[i].reason)
		); // It fits.
		to->frames = drops[i].frames;
	}
}

static void fill(const struct uplink_join *join, struct uplink_counters *ret)
{
	const struct uplink_device *device = join->device;
	*ret = (struct uplink_counters){
		.state = join->state,
		.pid = (uint32_t)device->pid,
		.restarts = device->starts ? device->starts - 1 : 0,
		.link_up = device->told.link,
		.link_mbps = device->told.mbps,
	};
	memcpy(ret->reason, join->reason, sizeof(ret->reason));
	memcpy(ret->driver, device->told.driver, sizeof(ret->driver));
	for (uint32_t i = 0; i < device->told.port_count; i++) {
		const struct uplink_port_state *port = &device->told.ports[i];
		if (port->spec.port != join->port.id)
			continue;
		ret->rx_frames = port->rx_frames;
		ret->rx_bytes = port->rx_bytes;
		ret->tx_frames = port->tx_frames;
		ret->tx_bytes = port->tx_bytes;
		add_drops(port->drops, port->drop_count, ret);
	}
	add_drops(device->told.drops, device->told.drop_count, ret);
}

static bool is_fresh(const struct uplink_device *device)
{
	return device->state != PROCESS_READY ||
		uplinks_now_ms() - device->told_ms < STATS_FRESH_MS;
}

int uplinks_stats(struct uplinks *uplinks, uint32_t id, struct uplink_counters *ret_counters)
{
	struct uplinks *u = uplinks;
	struct timespec until = deadline(STATS_WAIT_MS);
	struct uplink_join *join;
	bool late = false;
	pthread_mutex_lock(&u->lock);
	while ((join = find_join(u, id)) && !is_fresh(join->device) && !late) {
		join->device->wanted = true;
		wake(u);
		late = pthread_cond_timedwait(&u->changed, &u->lock, &until) != 0;
	}
	if (join)
		fill(join, ret_counters);
	pthread_mutex_unlock(&u->lock);
	return join ? 0 : -ENOENT;
}
