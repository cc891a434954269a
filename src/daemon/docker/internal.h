// SPDX-License-Identifier: BSD-3-Clause
// What the files of the Docker side share.
#pragma once

#include "base/err.h"
#include "daemon/docker/docker.h"
#include "daemon/docker/eal.h"
#include "daemon/docker/parse.h"
#include "daemon/http/server.h"
#include "daemon/service.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOCKER_SOCKET_SIZE 108

// The label of a Ringway container, and of its events.
#define DOCKER_KEY_LABEL "ringway.key"

// Something about an id that holds until a moment and is then forgotten.
struct docker_mark {
	struct docker_mark *next;
	char id[DOCKER_ID_SIZE];
	int64_t value;	  // What is marked: a time, an amount.
	int64_t until_ms; // CLOCK_MONOTONIC.
};

struct docker {
	// Constant after docker_start().
	struct daemon *daemon;
	char name[NAME_SIZE];
	char plugin_socket[DOCKER_SOCKET_SIZE];
	char engine_socket[DOCKER_SOCKET_SIZE];
	int64_t started_ms;
	struct http_server *plugin;
	struct sync *sync;

	// Held while a network is made in Docker, so that two who want the same do it once.
	pthread_mutex_t create_lock;

	pthread_mutex_t lock; // Of what follows. Taken after the service lock, never before it.
	struct docker_mark *bound;    // docker_id: when its row was bound.
	struct docker_mark *patience; // Key: a place that may wait long for its container.
	struct docker_mark
		*promised; // Key: MiB of hugepages that were promised and perhaps not taken yet.
};

// CLOCK_MONOTONIC in milliseconds.
int64_t docker_now_ms(void);

// Marks id in a list for so long; replaces an older mark. Without memory nothing is marked.
void docker_mark_set(
	struct docker *docker,
	struct docker_mark **list,
	const char *id,
	int64_t value,
	int64_t for_ms
);
// The value of id's mark, or `none`.
int64_t docker_mark_get(
	struct docker *docker,
	struct docker_mark **list,
	const char *id,
	int64_t none
);
// The values of all marks but id's.
int64_t docker_mark_sum(struct docker *docker, struct docker_mark **list, const char *except);
void docker_marks_free(struct docker_mark **list);

// The MAC that a container with this IPv4 address gets ("10.0.0.2" or with a prefix), in the space of locally
// administered ones. Neighbours remember for a while which MAC an address has, so a container that is started again has
// to come back with the same. false: there is no such address. Pure.
bool docker_mac_of_address(const char *ip, uint8_t ret_mac[MAC_SIZE]);

// driver.c: the driver's calls, for the plugin socket's server.
struct http_table driver_routes(struct docker *docker);
http_error_body driver_error_body;
// Logs a failed call and returns what the engine is to see of it.
int driver_refuse(int r, const char *call, struct rwy_err *err);

// endpoint.c, publish.c: the calls about endpoints.
http_handler endpoint_on_create;
http_handler endpoint_on_delete;
http_handler endpoint_on_info;
http_handler endpoint_on_join;
http_handler endpoint_on_leave;
http_handler publish_on_program;
http_handler publish_on_revoke;
// Whether it is an ordinary interface of ours.
bool driver_is_kernel(const struct port_info *port);
// Whether the container has an interface: an ordinary one, or a function's.
bool driver_is_interface(const struct port_info *port);
// Whether a function of a NIC is behind it.
bool driver_is_function(const struct port_info *port);

// network.c: makes the row of a network that Docker has, or binds the one that waits for it. `docker_name` is Docker's
// name of it, or empty while that is not known. Idempotent. Service lock held.
int network_adopt(
	struct docker *docker,
	const struct driver_network *network,
	const char *docker_name,
	struct rwy_err *err
);
// Docker has forgotten the network: the row goes, or stays without Docker while ports are on it. Service
// lock held.
int network_forget(struct docker *docker, const char *docker_id, struct rwy_err *err);

// netbody.c: the body of POST /networks/create that makes this network in Docker; NULL without memory. Pure.
json_t *network_engine_body(const char *driver, const struct network_spec *spec);
// Auxiliary addresses ("name=address,..") as an object; family '4' or '6': only those of it. NULL without memory.
json_t *network_aux_json(const char *aux, char family);

// place.c: rewrites a place's manifest from the ports that it has now. memory_mib 0: as it was, or the default.
// Service lock held.
int place_update(struct docker *docker, const char *key, uint32_t memory_mib, struct rwy_err *err);
// Writes the manifests of all places anew, from the ports that were loaded: the last process may have ended between a
// port and its manifest, and the directories may be new. `lost`: only those that are missing. Service lock held.
void place_renew_all(struct docker *docker, bool lost);
// Chooses the memory for a place and remembers hugepages that it promised to it. Any lock or none.
struct eal_memory place_choose_memory(struct docker *docker, const char *key, uint32_t memory_mib);
// Removes a port and takes it out of its place's manifest. Service lock held. -ENOENT.
int place_remove_port(struct docker *docker, const struct port_info *port, struct rwy_err *err);
// Removes the place and every port in it. Service lock held.
int place_remove(struct docker *docker, const char *key, struct rwy_err *err);

// containers.c: GET /containers/json with our label. The array is the caller's.
int containers_list_engine(struct docker *docker, json_t **ret_array, struct rwy_err *err);
