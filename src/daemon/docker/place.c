// SPDX-License-Identifier: BSD-3-Clause
// A container's place: its ports, and the manifest that tells the container about them. Runs in driver calls and
// on the sync thread, with the service lock.
#include "base/log.h"
#include "daemon/docker/internal.h"
#include "daemon/docker/manifest.h"
#include "daemon/docker/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// From the manifest to the application's own allocation. Until then the free pages that the kernel counts are
// spoken for, and a second container must not be sent after the same ones.
#define PROMISE_MS 10000
#define PROMISE_MIB 512

struct place_ports {
	const char *key;
	bool dpdk; // Those alone that the manifest speaks of: an interface is in plain sight.
	size_t count;
	struct port_info ports[MANIFEST_PORTS];
};

// Ports that were made with one of the place come after it, and have no key of their own.
static bool is_of_place(const struct place_ports *found, const struct port_info *info)
{
	if (strcmp(info->spec.key, found->key) == 0)
		return true;
	for (size_t i = 0; info->with[0] && i < found->count; i++)
		if (strcmp(found->ports[i].spec.name, info->with) == 0)
			return true;
	return false;
}

static void collect_port(void *arg, const struct port_info *info)
{
	struct place_ports *found = arg;
	bool wanted = !found->dpdk || !driver_is_interface(info);
	if (wanted && found->count < MANIFEST_PORTS && is_of_place(found, info))
		found->ports[found->count++] = *info;
}

static int by_index(const void *a, const void *b)
{
	const struct port_info *left = a, *right = b;
	if (left->spec.index != right->spec.index)
		return (int)left->spec.index - (int)right->spec.index;
	return (left->id > right->id) - (left->id < right->id); // A port's companions follow it.
}

struct describe {
	const struct port_info *port;
	struct manifest_port *out;
};

static void describe_function(void *arg, const struct service_function *function)
{
	const struct describe *describe = arg;
	if (strcmp(function->address, describe->port->spec.function) != 0)
		return;
	struct manifest_port *out = describe->out;
	out->eal.noiommu = function->noiommu;
	out->iommu_group = function->iommu_group;
	out->numa_node = function->numa_node;
}

static void describe_port(
	struct docker *docker,
	const struct port_info *port,
	struct manifest_port *out
)
{
	struct describe describe = {port, out};
	if (driver_is_function(port)) {
		memcpy(out->eal.pci, port->spec.function, sizeof(out->eal.pci));
		memcpy(out->vfio, port->vfio, sizeof(out->vfio));
		out->iommu_group = out->numa_node = -1;
		service_each_function(
			docker->daemon, port->spec.network, describe_function, &describe
		);
	}
	out->eal.index = port->spec.index;
	out->eal.queues = port->spec.queues ? port->spec.queues : 1;
	memcpy(out->eal.mac, port->spec.mac, MAC_SIZE);
	memcpy(out->name, port->spec.name, sizeof(out->name));
	memcpy(out->network, port->spec.network, sizeof(out->network));
	memcpy(out->ip, port->spec.ip, sizeof(out->ip));
	memcpy(out->ip6, port->spec.ip6, sizeof(out->ip6));
	memcpy(out->gateway, port->gateway, sizeof(out->gateway));
	memcpy(out->gateway6, port->gateway6, sizeof(out->gateway6));
	out->mtu = port->mtu;
}

struct eal_memory place_choose_memory(struct docker *docker, const char *key, uint32_t memory_mib)
{
	int64_t promised = docker_mark_sum(docker, &docker->promised, key);
	int64_t free_mib = (int64_t)eal_host_huge_mib() - promised;
	struct eal_memory memory = eal_choose_memory(
		memory_mib, eal_host_cpus(), free_mib > 0 ? (uint64_t)free_mib : 0
	);
	if (memory.hugepages)
		docker_mark_set(
			docker,
			&docker->promised,
			key,
			memory_mib > PROMISE_MIB ? memory_mib : PROMISE_MIB,
			PROMISE_MS
		);
	return memory;
}

// Ports of one container come one by one; the first decides for all, unless a later one says a size.
static struct eal_memory choose_memory(
	struct docker *docker,
	const struct container_info *place,
	uint32_t memory_mib,
	bool keep
)
{
	struct eal_memory memory;
	if (!memory_mib && keep && manifest_read_memory(place->dir, &memory) == 0)
		return memory;
	return place_choose_memory(docker, place->key, memory_mib);
}

static int write_manifest(
	struct docker *docker,
	const struct container_info *place,
	uint32_t memory_mib,
	bool keep_first,
	struct rwy_err *err
)
{
	struct place_ports *found = calloc(1, sizeof(*found));
	struct manifest *manifest = calloc(1, sizeof(*manifest));
	int r = -ENOMEM;
	if (found && manifest) {
		found->key = place->key;
		found->dpdk = true;
		service_each_port(docker->daemon, collect_port, found);
		qsort(found->ports, found->count, sizeof(found->ports[0]), by_index);
		for (size_t i = 0; i < found->count; i++)
			describe_port(docker, &found->ports[i], &manifest->ports[i]);
		manifest->port_count = found->count;
		bool keep = keep_first || found->count > 1;
		manifest->memory = choose_memory(docker, place, memory_mib, keep);
		r = manifest_write(place->dir, manifest, err);
	} else {
		err_set(err,
			r,
			"cannot write the manifest of '%s': %s",
			place->key,
			strerror(ENOMEM));
	}
	free(found);
	free(manifest);
	return r;
}

int place_update(struct docker *docker, const char *key, uint32_t memory_mib, struct rwy_err *err)
{
	struct container_info place;
	int r = service_container_get(docker->daemon, key, &place, err);
	return r ? r : write_manifest(docker, &place, memory_mib, false, err);
}

static void collect_place(void *arg, const struct container_info *info)
{
	struct container_info *place = snapshot_push(arg, sizeof(*place));
	if (place) // Without memory its manifest stays as it is.
		*place = *info;
}

// Whether the place speaks of ports, or should.
static bool has_manifest(struct docker *docker, const struct container_info *place)
{
	struct eal_memory memory;
	struct place_ports *found = calloc(1, sizeof(*found));
	if (!found)
		return false; // It stays as it is.
	found->key = place->key;
	service_each_port(docker->daemon, collect_port, found);
	bool has = found->count || manifest_read_memory(place->dir, &memory) == 0;
	free(found);
	return has;
}

// `lost`: only those whose directory is there, and is empty of it.
static bool needs_manifest(struct docker *docker, const struct container_info *place, bool lost)
{
	struct eal_memory memory;
	if (lost && (access(place->dir, W_OK) || manifest_read_memory(place->dir, &memory) == 0))
		return false;
	return has_manifest(docker, place);
}

void place_renew_all(struct docker *docker, bool lost)
{
	struct snapshot_vec places = {0};
	service_each_container(docker->daemon, collect_place, &places);
	const struct container_info *place = places.data;
	for (size_t i = 0; i < places.count; i++) {
		struct rwy_err err = {0};
		if (needs_manifest(docker, &place[i], lost) &&
		    write_manifest(docker, &place[i], 0, true, &err))
			log_err(&err, "place '%s'", place[i].key);
	}
	free(places.data);
}

int place_remove_port(struct docker *docker, const struct port_info *port, struct rwy_err *err)
{
	int r = service_port_remove(docker->daemon, port->spec.name, err);
	if (r || !port->spec.key[0])
		return r;
	// The port is gone; a manifest that still names it is put right by the place's next port.
	struct rwy_err stale = {0};
	int written = place_update(docker, port->spec.key, 0, &stale);
	if (written && written != -ENOENT)
		log_err(&stale, "port '%s' is gone, but not from its manifest", port->spec.name);
	return 0;
}

int place_remove(struct docker *docker, const char *key, struct rwy_err *err)
{
	struct place_ports *found = calloc(1, sizeof(*found));
	if (!found)
		return err_set(err, -ENOMEM, "cannot remove the place '%s': no memory", key);
	found->key = key;
	service_each_port(docker->daemon, collect_port, found);
	int r = 0;
	for (size_t i = 0; i < found->count && !r; i++) {
		r = service_port_remove(docker->daemon, found->ports[i].spec.name, err);
		if (r == -ENOENT)
			r = 0;
	}
	free(found);
	if (r)
		return r;
	service_functions_let_go(docker->daemon, key);
	return service_container_remove(docker->daemon, key, err);
}
