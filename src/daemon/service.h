// SPDX-License-Identifier: BSD-3-Clause
// What ringwayd can do, whichever door it is asked at (HTTP API, Docker driver, reconciliation). One
// struct daemon, one lock: every function here is called WITH the lock held (service_lock()), from any
// thread, writes intent to the store first, then acts on the switch and the file system, and undoes both
// when a step fails. Nothing here talks to a container engine: engines call back into the driver,
// so whoever asks one must have let go of the lock.
#pragma once

#include "base/err.h"
#include "base/mac.h"
#include "base/portlimits.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define NAME_SIZE 64 // With its NUL.
#define DOCKER_ID_SIZE 65
#define KEY_SIZE 17	  // 16 hexadecimal digits.
#define ADDR_TEXT_SIZE 50 // "address/prefix" of either family.
#define SANDBOX_SIZE 128
#define PATH_TEXT_SIZE 256
#define QUEUES_MAX 16

struct daemon;

void service_lock(struct daemon *daemon);
void service_unlock(struct daemon *daemon);

struct network_spec {
	char name[NAME_SIZE]; // Empty only from Docker: a provisional name is made of the id.
	char subnet[ADDR_TEXT_SIZE];
	char gateway[ADDR_TEXT_SIZE]; // Without prefix.
	uint32_t mtu;		      // 0: the default, 1500.
	bool docker;		      // A Docker network is wanted.
	char docker_id[DOCKER_ID_SIZE];
};

struct network_info {
	uint32_t id;
	struct network_spec spec;
	uint32_t ports;
	int64_t created; // Seconds since the epoch.
};

struct port_spec {
	char name[NAME_SIZE];
	char network[NAME_SIZE];
	char attach[16];	 // "vhost"
	uint8_t mac[MAC_SIZE];	 // Zero: one is made.
	char ip[ADDR_TEXT_SIZE]; // "10.0.0.2/24" or empty.
	uint16_t queues;	 // 0: 1.
	bool learning;
	bool no_offloads; // Checksum and segmentation requests are not offered to the front end.
	struct port_limits limits;
	char connect[PATH_TEXT_SIZE]; // Not empty: ringwayd connects there instead of listening.
	// Set by the Docker driver only:
	char endpoint_id[DOCKER_ID_SIZE];
	char key[KEY_SIZE]; // The container's place, or empty.
	uint16_t index;	    // Which of its ports.
};

struct port_info {
	uint32_t id;
	struct port_spec spec;
	char gateway[ADDR_TEXT_SIZE];
	uint32_t mtu;
	char socket[PATH_TEXT_SIZE];
	uint32_t state; // enum wire_port_state
	char reason[160];
	char sandbox[SANDBOX_SIZE]; // Docker: SandboxKey after Join.
	bool sandbox_seen;	    // Its namespace has been seen to exist.
	int64_t created;	    // Seconds since the epoch.
	int64_t created_ms;	    // CLOCK_MONOTONIC, 0 when loaded from the store.
};

struct container_info {
	char key[KEY_SIZE];
	char dir[PATH_TEXT_SIZE];
	int64_t created;
	int64_t created_ms; // CLOCK_MONOTONIC, 0 when loaded from the store.
};

// While a switch is being started anew, the adds wait for it for up to three seconds, and let go of the lock
// meanwhile: what was looked up before may be gone after. -EAGAIN: none came.

// Networks. Errors as negative errno with err: -EINVAL, -EEXIST, -ENOENT, -EBUSY (has ports), -ENOSPC.
int service_network_add(
	struct daemon *d,
	const struct network_spec *spec,
	struct network_info *ret,
	struct rwy_err *err
);
int service_network_get(
	struct daemon *d,
	const char *name,
	struct network_info *ret,
	struct rwy_err *err
);
int service_network_by_docker_id(
	struct daemon *d,
	const char *docker_id,
	struct network_info *ret,
	struct rwy_err *err
);
// Changes name (when not empty), docker_id and docker of an existing network.
int service_network_bind(
	struct daemon *d,
	uint32_t id,
	const char *name,
	bool docker,
	const char *docker_id,
	struct rwy_err *err
);
// Fills in the subnet and gateway that an engine's address management picked: those that are unset are set,
// those that are set must agree (-EINVAL). -EEXIST: the subnet overlaps another network's.
int service_network_set_addresses(
	struct daemon *d,
	uint32_t id,
	const char *subnet,
	const char *gateway,
	struct rwy_err *err
);
int service_network_remove(struct daemon *d, const char *name, struct rwy_err *err);

// Ports. add: listens (or connects), tells the switch. For endpoints it is idempotent on endpoint_id, and an
// older endpoint that holds the same address or the same place and index is removed first (Docker forgot it).
// remove: closes everything, removes the socket; -ENOENT when there is none.
int service_port_add(
	struct daemon *d,
	const struct port_spec *spec,
	struct port_info *ret,
	struct rwy_err *err
);
int service_port_get(
	struct daemon *d,
	const char *name,
	struct port_info *ret,
	struct rwy_err *err
);
int service_port_by_endpoint(
	struct daemon *d,
	const char *endpoint_id,
	struct port_info *ret,
	struct rwy_err *err
);
int service_port_set_sandbox(
	struct daemon *d,
	uint32_t id,
	const char *sandbox,
	bool seen,
	struct rwy_err *err
);
// Changes the limits that are given, and no other; the front end stays connected. -EINVAL, -ENOENT, -EAGAIN.
int service_port_set_limits(
	struct daemon *d,
	const char *name,
	const struct port_limits_given *given,
	struct port_info *ret,
	struct rwy_err *err
);
int service_port_remove(struct daemon *d, const char *name, struct rwy_err *err);

// Containers' places: a key, RUN_DIR/ports/KEY (0755, below a 0700 parent), a row.
int service_container_add(
	struct daemon *d,
	const char *key,
	struct container_info *ret,
	struct rwy_err *err
);
int service_container_get(
	struct daemon *d,
	const char *key,
	struct container_info *ret,
	struct rwy_err *err
);
// -EBUSY while it has ports.
int service_container_remove(struct daemon *d, const char *key, struct rwy_err *err);

// Visits all, in order of id. The callback must not call a function that changes the same kind.
typedef void network_visit(void *arg, const struct network_info *info);
typedef void port_visit(void *arg, const struct port_info *info);
typedef void container_visit(void *arg, const struct container_info *info);
void service_each_network(struct daemon *d, network_visit *visit, void *arg);
void service_each_port(struct daemon *d, port_visit *visit, void *arg);
void service_each_container(struct daemon *d, container_visit *visit, void *arg);

// Makes a free key, or a free MAC on a network (locally administered, unicast).
void service_make_key(struct daemon *d, char ret_key[KEY_SIZE]);
int service_make_mac(
	struct daemon *d,
	const char *network,
	uint8_t ret_mac[MAC_SIZE],
	struct rwy_err *err
);

// Paths of this instance; stable after start, so without the lock.
const char *service_run_dir(const struct daemon *d);
const char *service_state_dir(const struct daemon *d);
const char *service_preload_path(const struct daemon *d); // Host path of the preload library.

// The switch's counters: adds "ports" and "switch" as docs/api.md says. port NULL: all. Lock held.
int service_stats(struct daemon *d, const char *port, json_t *ret_object, struct rwy_err *err);
