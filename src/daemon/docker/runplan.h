// SPDX-License-Identifier: BSD-3-Clause
// What an engine must be given so that a container finds its ports: POST /v1/containers of docs/api.md. Pure; any
// thread.
#pragma once

#include "base/err.h"
#include "daemon/docker/eal.h"
#include "daemon/service.h"

#include <jansson.h>

#define RUNPLAN_NETWORKS 16
#define RUNPLAN_IMAGE_SIZE 512
#define RUNPLAN_PRELOAD "/usr/lib/ringway/libringway-preload.so"

struct runplan_network {
	char network[NAME_SIZE];
	char attach[16]; // "vhost", which it is when absent, or "kernel".
	uint16_t queues;
	uint8_t mac[MAC_SIZE]; // Zero: not given; chosen before runplan_make().
	char ip[ADDR_TEXT_SIZE];
	bool learning;
	bool offloads; // True when absent.
	bool allow_spoof;
	bool pin_address, pin_given;
	struct port_limits limits;
	// Not from the request:
	char engine_name[256]; // Docker's name of the network.
};

struct runplan {
	char name[256]; // Of the container; empty: the engine chooses.
	char image[RUNPLAN_IMAGE_SIZE];
	bool dry_run;
	uint32_t memory; // MiB; 0: the default.
	uint32_t network_count;
	struct runplan_network networks[RUNPLAN_NETWORKS];
	// Not from the request:
	char key[KEY_SIZE];
	const char *run_dir;
	const char *preload;
	struct eal_memory eal_memory;
};

// Reads and checks a request by itself. -EINVAL names what is wrong.
int runplan_parse(json_t *body, struct runplan *ret_plan, struct rwy_err *err);

// Adds all of the answer but image_present to reply. -ENOMEM.
int runplan_make(const struct runplan *plan, json_t *reply, struct rwy_err *err);
