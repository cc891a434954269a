// SPDX-License-Identifier: BSD-3-Clause
// Rows in arrays; every function checks that the lock is held.
#include "tests/unit/daemon/docker/fake_service.h"

#include "daemon/model/spec.h"
#include "tests/unit/daemon/docker/fake_rows.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct daemon *fake_service_new(const char *run_dir)
{
	struct daemon *d = calloc(1, sizeof(*d));
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&d->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	snprintf(d->run_dir, sizeof(d->run_dir), "%s", run_dir);
	d->next_id = 1;
	return d;
}

void fake_service_free(struct daemon *d)
{
	pthread_mutex_destroy(&d->lock);
	free(d);
}

bool fake_service_is_locked(struct daemon *d)
{
	int r = pthread_mutex_trylock(&d->lock);
	if (!r)
		pthread_mutex_unlock(&d->lock);
	return r != 0;
}

void service_lock(struct daemon *d)
{
	if (pthread_mutex_lock(&d->lock))
		abort();
}

void service_unlock(struct daemon *d)
{
	if (pthread_mutex_unlock(&d->lock))
		abort();
}

void fake_service_age(struct daemon *d, int64_t created_ms)
{
	for (int i = 0; i < ROWS; i++)
		d->ports[i].created_ms = d->places[i].created_ms = created_ms;
}

#define FIND(rows, match)                    \
	for (int i = 0; i < ROWS; i++)       \
		if ((rows)[i].id && (match)) \
			return &(rows)[i];   \
	return NULL

static struct network_info *find_network(struct daemon *d, const char *name)
{
	FIND(d->networks, strcmp(d->networks[i].spec.name, name) == 0);
}

static struct network_info *find_docker(struct daemon *d, const char *id)
{
	FIND(d->networks, strcmp(d->networks[i].spec.docker_id, id) == 0);
}

static struct network_info *find_network_id(struct daemon *d, uint32_t id)
{
	FIND(d->networks, d->networks[i].id == id);
}

static struct port_info *find_port(struct daemon *d, const char *name)
{
	FIND(d->ports, strcmp(d->ports[i].spec.name, name) == 0);
}

static struct port_info *find_endpoint(struct daemon *d, const char *id)
{
	FIND(d->ports, *id && strcmp(d->ports[i].spec.endpoint_id, id) == 0);
}

static struct container_info *find_place(struct daemon *d, const char *key)
{
	for (int i = 0; i < ROWS; i++)
		if (d->places[i].key[0] && strcmp(d->places[i].key, key) == 0)
			return &d->places[i];
	return NULL;
}

int service_network_add(
	struct daemon *d,
	const struct network_spec *spec,
	struct network_info *ret,
	struct rwy_err *err
)
{
	held(d);
	if (find_network(d, spec->name))
		return err_set(
			err,
			-EEXIST,
			"cannot create network '%s': there is one of this name",
			spec->name
		);
	for (int i = 0; i < ROWS; i++)
		if (d->networks[i].id && model_check_overlap(spec, &d->networks[i].spec, err))
			return -EEXIST;
	for (int i = 0; i < ROWS; i++) {
		if (d->networks[i].id)
			continue;
		d->networks[i] = (struct network_info){.id = d->next_id++, .spec = *spec};
		d->networks[i].created = time(NULL);
		if (!spec->mtu)
			d->networks[i].spec.mtu = 1500;
		*ret = d->networks[i];
		fake_functions_make(d, spec);
		return 0;
	}
	return err_set(err, -ENOSPC, "full");
}

int service_network_get(
	struct daemon *d,
	const char *name,
	struct network_info *ret,
	struct rwy_err *err
)
{
	held(d);
	struct network_info *row = find_network(d, name);
	if (!row)
		return err_set(err, -ENOENT, "no network '%s'", name);
	*ret = *row;
	return 0;
}

int service_network_by_docker_id(
	struct daemon *d,
	const char *docker_id,
	struct network_info *ret,
	struct rwy_err *err
)
{
	held(d);
	struct network_info *row = find_docker(d, docker_id);
	if (!row)
		return err_set(err, -ENOENT, "no network '%s'", docker_id);
	*ret = *row;
	return 0;
}

int service_network_bind(
	struct daemon *d,
	uint32_t id,
	const char *name,
	bool docker,
	const char *docker_id,
	struct rwy_err *err
)
{
	held(d);
	struct network_info *row = find_network_id(d, id);
	if (!row)
		return err_set(err, -ENOENT, "no network %u", id);
	if (*name) {
		for (int i = 0; i < ROWS; i++)
			if (d->ports[i].id && strcmp(d->ports[i].spec.network, row->spec.name) == 0)
				snprintf(d->ports[i].spec.network, NAME_SIZE, "%s", name);
		snprintf(row->spec.name, NAME_SIZE, "%s", name);
	}
	row->spec.docker = docker;
	snprintf(row->spec.docker_id, DOCKER_ID_SIZE, "%s", docker_id);
	return 0;
}

int service_network_set_addresses(
	struct daemon *d,
	uint32_t id,
	const struct network_spec *given,
	struct rwy_err *err
)
{
	held(d);
	struct network_info *row = find_network_id(d, id);
	char *const own[] = {
		row->spec.subnet,
		row->spec.gateway,
		row->spec.subnet6,
		row->spec.gateway6,
		row->spec.ip_range};
	const char *const theirs[] = {
		given->subnet, given->gateway, given->subnet6, given->gateway6, given->ip_range};
	for (int i = 0; i < 5; i++)
		if (own[i][0] && theirs[i][0] && strcmp(own[i], theirs[i]) != 0)
			return err_set(
				err,
				-EINVAL,
				"cannot create network '%s': its address is %s already, not %s",
				row->spec.name,
				own[i],
				theirs[i]
			);
	for (int i = 0; i < 5; i++)
		if (theirs[i][0])
			memcpy(own[i], theirs[i], ADDR_TEXT_SIZE);
	// As the service does: these are compared as text.
	if (row->spec.aux[0] && given->aux[0] && strcmp(row->spec.aux, given->aux) != 0)
		return err_set(
			err,
			-EINVAL,
			"cannot create network '%s': its auxiliary addresses are %s already",
			row->spec.name,
			row->spec.aux
		);
	if (given->aux[0])
		memcpy(row->spec.aux, given->aux, AUX_TEXT_SIZE);
	return 0;
}

int service_network_remove(struct daemon *d, const char *name, struct rwy_err *err)
{
	held(d);
	struct network_info *row = find_network(d, name);
	if (!row)
		return err_set(err, -ENOENT, "no network '%s'", name);
	if (row->ports)
		return err_set(err, -EBUSY, "network '%s' has ports", name);
	fake_functions_forget(d, name);
	row->id = 0;
	return 0;
}

static void drop_port(struct daemon *d, struct port_info *port)
{
	struct network_info *network = find_network(d, port->spec.network);
	if (network)
		network->ports--;
	fake_functions_drop(d, port->spec.name);
	for (int i = 0; i < ROWS; i++)
		if (d->ports[i].id && strcmp(d->ports[i].with, port->spec.name) == 0) {
			fake_functions_drop(d, d->ports[i].spec.name);
			d->ports[i].id = 0;
		}
	port->id = 0;
}

static void drop_replaced(struct daemon *d, const struct port_spec *spec)
{
	for (int i = 0; i < ROWS; i++) {
		struct port_info *other = &d->ports[i];
		bool place = spec->key[0] && strcmp(other->spec.key, spec->key) == 0 &&
			other->spec.index == spec->index;
		bool address = spec->ip[0] && strcmp(other->spec.ip, spec->ip) == 0 &&
			strcmp(other->spec.network, spec->network) == 0;
		if (other->id && other->spec.endpoint_id[0] && (place || address))
			drop_port(d, other);
	}
}

static struct port_info *free_row(struct daemon *d)
{
	struct port_info *row = d->ports;
	for (; row->id; row++)
		assert(row < d->ports + ROWS - 1);
	return row;
}

static int add_companion(
	struct daemon *d,
	const struct port_info *port,
	unsigned int at,
	struct rwy_err *err
)
{
	struct port_info *row = free_row(d);
	*row = *port;
	row->id = d->next_id++;
	memcpy(row->with, port->spec.name, NAME_SIZE);
	snprintf(row->spec.name, NAME_SIZE, "%.50s.%u", port->spec.name, at);
	row->spec.ip[0] = row->spec.key[0] = row->spec.endpoint_id[0] = '\0';
	row->spec.function[0] = '\0';
	row->spec.mac[5]++;
	return fake_functions_take(d, row, port->spec.key, err);
}

int service_port_add(
	struct daemon *d,
	const struct port_spec *spec,
	struct port_info *ret,
	struct rwy_err *err
)
{
	held(d);
	struct port_info *row = find_endpoint(d, spec->endpoint_id);
	if (row) {
		*ret = *row;
		return 0;
	}
	struct network_info *network = find_network(d, spec->network);
	drop_replaced(d, spec);
	for (int i = 0; i < ROWS; i++)
		if (d->ports[i].id && strcmp(d->ports[i].spec.network, spec->network) == 0 &&
		    model_check_clash(spec, &d->ports[i].spec, err))
			return -EEXIST;
	if (find_port(d, spec->name))
		return err_set(
			err,
			-EEXIST,
			"cannot create port '%s': there is one of this name",
			spec->name
		);
	row = free_row(d);
	*row = (struct port_info){.id = d->next_id++, .spec = *spec, .mtu = network->spec.mtu};
	row->created = time(NULL);
	row->created_ms = now_ms();
	snprintf(row->gateway, sizeof(row->gateway), "%s", network->spec.gateway);
	snprintf(row->gateway6, sizeof(row->gateway6), "%s", network->spec.gateway6);
	row->internal = network->spec.internal;
	if (strcmp(spec->attach, "kernel") == 0)
		snprintf(row->ifname_host, sizeof(row->ifname_host), "rwc%u-abcd", row->id);
	d->published_count[row - d->ports] = 0;
	if (!row->spec.queues)
		row->spec.queues = 1;
	if (mac_is_zero(row->spec.mac))
		memcpy(row->spec.mac, (uint8_t[]){2, 0, 0, 0, 1, (uint8_t)row->id}, MAC_SIZE);
	network->ports++;
	int r = fake_functions_take(d, row, spec->key, err);
	for (uint16_t i = 1; i < spec->vfs && !r; i++)
		r = add_companion(d, row, i, err);
	*ret = *row;
	if (r)
		drop_port(d, row);
	return r;
}

int service_port_get(struct daemon *d, const char *name, struct port_info *ret, struct rwy_err *err)
{
	held(d);
	struct port_info *row = find_port(d, name);
	if (!row)
		return err_set(err, -ENOENT, "no port '%s'", name);
	*ret = *row;
	return 0;
}

int service_port_by_endpoint(
	struct daemon *d,
	const char *endpoint_id,
	struct port_info *ret,
	struct rwy_err *err
)
{
	held(d);
	struct port_info *row = find_endpoint(d, endpoint_id);
	if (!row)
		return err_set(err, -ENOENT, "no endpoint '%s'", endpoint_id);
	*ret = *row;
	return 0;
}

int service_port_set_sandbox(
	struct daemon *d,
	uint32_t id,
	const char *sandbox,
	bool seen,
	struct rwy_err *err
)
{
	held(d);
	for (int i = 0; i < ROWS; i++)
		if (d->ports[i].id == id) {
			snprintf(d->ports[i].sandbox, SANDBOX_SIZE, "%s", sandbox);
			d->ports[i].sandbox_seen = seen;
			return 0;
		}
	return err_set(err, -ENOENT, "no port %u", id);
}

int service_port_remove(struct daemon *d, const char *name, struct rwy_err *err)
{
	held(d);
	struct port_info *row = find_port(d, name);
	if (!row)
		return err_set(err, -ENOENT, "no port '%s'", name);
	drop_port(d, row);
	return 0;
}

// Port 1 of the host is taken.
int service_port_publish(
	struct daemon *d,
	uint32_t id,
	const struct port_publish *list,
	size_t count,
	struct rwy_err *err
)
{
	held(d);
	for (size_t i = 0; i < count; i++)
		if (list[i].host_port == 1)
			return err_set(err, -EADDRINUSE, "cannot publish port 1/tcp: in use");
	for (int i = 0; i < ROWS; i++) {
		if (d->ports[i].id != id)
			continue;
		assert(count <= 4);
		for (size_t j = 0; j < count; j++)
			d->published[i][j] = list[j];
		d->published_count[i] = count;
		return 0;
	}
	return err_set(err, -ENOENT, "no port %u", id);
}

size_t service_port_published(
	struct daemon *d,
	uint32_t id,
	struct port_publish *ret_list,
	size_t max
)
{
	held(d);
	for (int i = 0; i < ROWS; i++) {
		if (d->ports[i].id != id)
			continue;
		for (size_t j = 0; j < d->published_count[i] && j < max; j++)
			ret_list[j] = d->published[i][j];
		return d->published_count[i];
	}
	return 0;
}

int service_container_add(
	struct daemon *d,
	const char *key,
	struct container_info *ret,
	struct rwy_err *err
)
{
	held(d);
	struct container_info *row = d->places;
	while (row->key[0])
		row++;
	assert(row < d->places + ROWS);
	snprintf(row->key, KEY_SIZE, "%s", key);
	snprintf(row->dir, sizeof(row->dir), "%.100s/ports", d->run_dir);
	(void)mkdir(row->dir, 0700);
	snprintf(row->dir, sizeof(row->dir), "%.100s/ports/%s", d->run_dir, key);
	(void)mkdir(row->dir, 0755);
	row->created = time(NULL);
	row->created_ms = now_ms();
	*ret = *row;
	return 0;
}

int service_container_get(
	struct daemon *d,
	const char *key,
	struct container_info *ret,
	struct rwy_err *err
)
{
	held(d);
	struct container_info *row = find_place(d, key);
	if (!row)
		return err_set(err, -ENOENT, "no container '%s'", key);
	*ret = *row;
	return 0;
}

int service_container_remove(struct daemon *d, const char *key, struct rwy_err *err)
{
	held(d);
	struct container_info *row = find_place(d, key);
	if (!row)
		return err_set(err, -ENOENT, "no container '%s'", key);
	for (int i = 0; i < ROWS; i++)
		if (d->ports[i].id && strcmp(d->ports[i].spec.key, key) == 0)
			return err_set(err, -EBUSY, "container '%s' has ports", key);
	char command[PATH_TEXT_SIZE + 16];
	snprintf(command, sizeof(command), "rm -rf '%s'", row->dir);
	if (system(command))
		return err_set(err, -EIO, "rm failed");
	row->key[0] = '\0';
	return 0;
}

void service_each_network(struct daemon *d, network_visit *visit, void *arg)
{
	held(d);
	for (int i = 0; i < ROWS; i++)
		if (d->networks[i].id)
			visit(arg, &d->networks[i]);
}

void service_each_port(struct daemon *d, port_visit *visit, void *arg)
{
	held(d);
	for (int i = 0; i < ROWS; i++)
		if (d->ports[i].id)
			visit(arg, &d->ports[i]);
}

void service_each_container(struct daemon *d, container_visit *visit, void *arg)
{
	held(d);
	for (int i = 0; i < ROWS; i++)
		if (d->places[i].key[0])
			visit(arg, &d->places[i]);
}

void service_make_key(struct daemon *d, char ret_key[KEY_SIZE])
{
	held(d);
	snprintf(ret_key, KEY_SIZE, "%016x", d->next_id++);
}

int service_make_mac(
	struct daemon *d,
	const char *network,
	uint8_t ret_mac[MAC_SIZE],
	struct rwy_err *err
)
{
	held(d);
	memcpy(ret_mac, (uint8_t[]){2, 0, 0, 0, 2, (uint8_t)d->next_id++}, MAC_SIZE);
	return 0;
}

const char *service_run_dir(const struct daemon *d)
{
	return d->run_dir;
}

const char *service_preload_path(const struct daemon *d)
{
	return "/opt/preload.so";
}

#define COUNT(rows, used)                \
	unsigned int count = 0;          \
	for (int i = 0; i < ROWS; i++)   \
		count += (rows)[i].used; \
	return count

unsigned int fake_service_networks(struct daemon *d)
{
	COUNT(d->networks, id != 0);
}

unsigned int fake_service_ports(struct daemon *d)
{
	COUNT(d->ports, id != 0);
}

unsigned int fake_service_places(struct daemon *d)
{
	COUNT(d->places, key[0] != '\0');
}
