// SPDX-License-Identifier: BSD-3-Clause
// What the engine says in a driver call, checked once and put into structs. Pure; any thread.
#pragma once

#include "base/err.h"
#include "daemon/service.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// Docker's own names for objects are 64 hexadecimal digits; 12 of them are shown to people.
#define DOCKER_SHORT_ID 12

// What a network's options said, where unset is a value too.
#define DRIVER_GIVEN_PROXY_NEIGHBORS 1U
#define DRIVER_GIVEN_GATEWAY 2U
#define DRIVER_GIVEN_VLAN 4U
#define DRIVER_GIVEN_UPLINK 8U
#define DRIVER_GIVEN_DRIVER 16U
#define DRIVER_GIVEN_PARENT 32U
#define DRIVER_GIVEN_VFS 64U
#define DRIVER_GIVEN_NOIOMMU 128U

struct driver_network {
	char id[DOCKER_ID_SIZE];
	// The name is that of the option ringway.name (empty: Docker tells it later), an MTU of 0 was not given. Of a
	// driver call it has no ip_range. `docker` and `docker_id` are not set.
	struct network_spec spec;
	unsigned int given; // DRIVER_GIVEN_*
};

enum driver_attach {
	DRIVER_ATTACH_DEFAULT, // The options do not say: the network's driver decides.
	DRIVER_ATTACH_KERNEL,
	DRIVER_ATTACH_VHOST,
	DRIVER_ATTACH_VF,
	DRIVER_ATTACH_VF_KERNEL,
	DRIVER_ATTACH_COUNT
};

// "kernel", ..; DRIVER_ATTACH_DEFAULT gives what a network of this driver ("sriov" or another) gives to containers that
// the engine starts by itself.
const char *driver_attach_text(enum driver_attach attach, const char *network_driver);

struct driver_endpoint {
	char network_id[DOCKER_ID_SIZE];
	char id[DOCKER_ID_SIZE];
	enum driver_attach attach;
	char ip[ADDR_TEXT_SIZE];
	char ip6[ADDR_TEXT_SIZE];
	uint8_t mac[MAC_SIZE]; // Zero: we choose.
	bool mac_given;	       // By Docker, which then wants no answer about it.
	char name[NAME_SIZE];  // Empty: not given.
	char key[KEY_SIZE];    // Empty: in no container's place.
	uint16_t index;
	uint16_t queues; // 0: not given.
	bool learning;
	bool allow_spoof;
	bool pin_address, pin_given;
	bool no_offloads;
	struct port_limits_given limits;
	uint32_t memory_mib; // 0: not given.
	// Of functions:
	char functions[QUEUES_MAX][FUNCTION_SIZE]; // That it has to be, as far as it is said.
	uint16_t function_count;
	uint16_t vfs;	    // 0: not given.
	uint32_t owner_uid; // 0: not given, or root.
	uint64_t cpus;	    // 0: not given, or any.
};

struct driver_ids {
	char network_id[DOCKER_ID_SIZE];
	char endpoint_id[DOCKER_ID_SIZE];
	char sandbox[SANDBOX_SIZE]; // Of Join; empty elsewhere.
};

// NetworkDriver.CreateNetwork. -EINVAL names the member or option.
int driver_parse_network(json_t *body, struct driver_network *ret_network, struct rwy_err *err);

// The same out of an object of GET /networks, together with Docker's name of it (`ret_name` of NAME_SIZE
// bytes, empty when no network of ours can be called that).
int driver_parse_listed(
	json_t *object,
	struct driver_network *ret_network,
	char *ret_name,
	struct rwy_err *err
);

// NetworkDriver.CreateEndpoint. -EINVAL also: an option that the attachment does not have.
int driver_parse_endpoint(json_t *body, struct driver_endpoint *ret_endpoint, struct rwy_err *err);

enum driver_ids_want {
	DRIVER_IDS_NETWORK,
	DRIVER_IDS_ENDPOINT,
	DRIVER_IDS_SANDBOX,
	DRIVER_IDS_COUNT
};

// The ids that all other calls consist of.
int driver_parse_ids(
	json_t *body,
	enum driver_ids_want want,
	struct driver_ids *ret_ids,
	struct rwy_err *err
);

// The published ports among the options of ProgramExternalConnectivity: at most `max` of them, one for each host
// port; *ret_count tells how many. -EINVAL: one that is none, or too many.
int driver_parse_portmap(
	json_t *body,
	struct port_publish *ret_list,
	size_t max,
	size_t *ret_count,
	struct rwy_err *err
);

// Whether it consists of functions alone.
bool driver_network_is_sriov(const struct network_spec *spec);
// "auto", "enable" or "disable"; empty where nothing is said.
const char *driver_link_state_text(int state);

// 1 to 63 letters, digits, '.', '_', '-', beginning with a letter or digit.
bool driver_name_is_valid(const char *name);
// 16 hexadecimal digits in lower case.
bool driver_key_is_valid(const char *key);
