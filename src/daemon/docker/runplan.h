// SPDX-License-Identifier: BSD-3-Clause
// What an engine must be given so that a container finds its ports: POST /v1/containers of docs/api.md. Pure; any
// thread.
#pragma once

#include "base/err.h"
#include "daemon/docker/eal.h"
#include "daemon/service.h"

#include <jansson.h>

#define RUNPLAN_NETWORKS 16
#define RUNPLAN_PORTS 16 // Of a container, as many as a place has.
#define RUNPLAN_NODES 32
#define RUNPLAN_IMAGE_SIZE 512
#define RUNPLAN_PRELOAD "/usr/lib/ringway/libringway-preload.so"

struct runplan_network {
	char network[NAME_SIZE];
	char attach[16]; // Absent: vhost, or vf on a network of functions.
	uint16_t queues;
	uint8_t mac[MAC_SIZE]; // Zero: not given; chosen before runplan_make().
	char ip[ADDR_TEXT_SIZE];
	bool learning;
	bool offloads; // True when absent.
	bool allow_spoof;
	bool pin_address, pin_given;
	struct port_limits limits;
	uint16_t vfs;
	char function[NAME_SIZE]; // The first one's address; empty: any.
	// Not from the request:
	char engine_name[256]; // Docker's name of the network.
	bool sriov, has_functions;
	uint16_t first; // Of the plan's functions, its first one; it has vfs of them.
};

struct runplan {
	char name[256]; // Of the container; empty: the engine chooses.
	char image[RUNPLAN_IMAGE_SIZE];
	bool dry_run;
	uint32_t memory; // MiB; 0: the default.
	uint16_t queues; // Of the vhost ports that do not say themselves.
	uint16_t vfs;	 // Of the vf networks that do not say themselves.
	uint32_t uid;	 // Whom the container runs as.
	char cpus[256];	 // Which CPUs it may use; empty: any.
	uint32_t network_count;
	struct runplan_network networks[RUNPLAN_NETWORKS];
	// Not from the request:
	uint64_t cpu_mask;
	char key[KEY_SIZE];
	const char *run_dir;
	const char *preload;
	struct eal_memory eal_memory;
	struct service_function functions[RUNPLAN_PORTS]; // That were kept.
	char nodes[RUNPLAN_NODES][64]; // Of RDMA devices, which containers of the host share.
	size_t node_count;
};

// Reads and checks a request by itself. -EINVAL names what is wrong.
int runplan_parse(json_t *body, struct runplan *ret_plan, struct rwy_err *err);

// Completes the networks once it is known which have functions: attachments, how many functions, and where they are in the plan's
// list. -EINVAL: something goes with another attachment or network.
int runplan_settle(struct runplan *plan, struct rwy_err *err);

// What a network of the plan wants of the service; count 0: no functions.
struct function_wish runplan_wish(
	const struct runplan *plan,
	const struct runplan_network *network
);

// Adds all of the answer but image_present to reply. -ENOMEM.
int runplan_make(const struct runplan *plan, json_t *reply, struct rwy_err *err);
