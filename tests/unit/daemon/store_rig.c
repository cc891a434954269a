// SPDX-License-Identifier: BSD-3-Clause
// A store in a directory of its own, sample rows, and what a load tells. The test's thread.
#include "tests/unit/daemon/store_rig.h"

#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

char store_rig_dir[64];
char store_rig_path[96];

int store_rig_setup(void **state)
{
	(void)snprintf(store_rig_dir, sizeof(store_rig_dir), "%s", "/tmp/ringway-store-XXXXXX");
	assert_non_null(mkdtemp(store_rig_dir));
	(void)snprintf(store_rig_path, sizeof(store_rig_path), "%s/ringway.db", store_rig_dir);
	return 0;
}

int store_rig_teardown(void **state)
{
	static const char *const names[] = {
		"lock", "ringway.db", "ringway.db-wal", "ringway.db-shm"};
	char name[128];
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", store_rig_dir, names[i]);
		(void)unlink(name);
	}
	return rmdir(store_rig_dir);
}

struct store *store_rig_open(void)
{
	struct store *s = NULL;
	struct rwy_err err = {0};
	if (store_open(store_rig_dir, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

static int see_published(void *arg, uint32_t port, const struct port_publish *publish)
{
	struct store_rig_seen *seen = arg;
	seen->published++;
	seen->published_port = port;
	seen->publish = *publish;
	return 0;
}

static int see_network(void *arg, const struct network_info *info, enum store_state row)
{
	struct store_rig_seen *seen = arg;
	seen->networks++;
	seen->network = *info;
	seen->network_state = row;
	return 0;
}

static int see_port(void *arg, uint32_t network, const struct port_info *info, enum store_state row)
{
	struct store_rig_seen *seen = arg;
	seen->ports++;
	seen->port = *info;
	seen->port_network = network;
	seen->port_state = row;
	return 0;
}

static int see_container(void *arg, const struct container_info *info)
{
	struct store_rig_seen *seen = arg;
	seen->containers++;
	SET_TEXT(seen->key, info->key);
	return 0;
}

static int see_parent(void *arg, const struct store_parent *parent)
{
	struct store_rig_seen *seen = arg;
	seen->parents++;
	seen->parent = *parent;
	return 0;
}

static int see_function(void *arg, const struct store_function *function)
{
	struct store_rig_seen *seen = arg;
	seen->functions++;
	seen->function = *function;
	return 0;
}

struct store_rig_seen store_rig_load(struct store *s)
{
	static const struct store_visit visit = {
		see_network, see_port, see_container, see_published, see_parent, see_function};
	struct store_rig_seen seen = {0};
	struct rwy_err err = {0};
	if (store_load(s, &visit, &seen, &err))
		fail_msg("%s", err.msg);
	return seen;
}

struct network_info store_rig_network(void)
{
	return (struct network_info){
		.spec =
			{.name = "fast",
			 .subnet = "10.0.0.0/24",
			 .gateway = "10.0.0.1",
			 .subnet6 = "fd00::/64",
			 .gateway6 = "fd00::1",
			 .ip_range = "10.0.0.128/25",
			 .aux = "router=10.0.0.5",
			 .mtu = 9000,
			 .internal = true,
			 .proxy_neighbors = true,
			 .no_gateway = true,
			 .vlan = 7,
			 .uplink = "xdp:eth1",
			 .docker = true,
			 .driver = "sriov",
			 .functions =
				 {.parent = "eth2",
				  .pf = "0000:03:00.0",
				  .vfs = 5,
				  .noiommu = true,
				  .trust = 1,
				  .spoof_check = 0,
				  .link_state = 2,
				  .rate_min = -1,
				  .rate_max = 100000}},
		.created = 1234567890123,
	};
}

struct port_info store_rig_port(void)
{
	return (struct port_info){
		.spec =
			{.name = "p",
			 .attach = "vhost",
			 .mac = {2, 0, 0, 0, 0, 0xfe},
			 .ip = "10.0.0.2/24",
			 .ip6 = "fd00::2/64",
			 .pin_address = true,
			 .of_network = true,
			 .netns = "/proc/7/ns/net",
			 .ifname = "eth1",
			 .device = "net_pcap0",
			 .vlan = 4094,
			 .queues = 4,
			 .learning = true,
			 .no_offloads = true,
			 .limits =
				 {.rx_bps = 1,
				  .rx_burst = 2,
				  .rx_fps = 3,
				  .rx_frame_burst = 4,
				  .tx_bps = 10000000000000,
				  .tx_burst = 6,
				  .tx_fps = 7,
				  .tx_frame_burst = 8,
				  .flood_fps = 9,
				  .flood_burst = 10},
			 .endpoint_id = "ep",
			 .key = "0123456789abcdef",
			 .index = 3,
			 .vfs = 2,
			 .owner_uid = 4000000000,
			 .cpus = 0x8000000000000001},
		.with = "q",
		.netns_inode = 4026532000,
		.created = 5,
	};
}

struct store_function store_rig_function(uint32_t network)
{
	return (struct store_function){
		.address = "0000:03:10.1",
		.pf = "0000:03:00.0",
		.number = 3,
		.network = network,
		.port = 9,
		.state = FUNCTION_TAKEN,
		.key = "0123456789abcdef",
		.noted = true,
		.driver = "igbvf",
		.overridden = true,
		.interface = "eth5",
		.before =
			{.mac = {2, 0, 0, 0, 0, 7},
			 .vlan = 7,
			 .spoof_check = 1,
			 .trust = -1,
			 .link_state = 2,
			 .rate_min = 1,
			 .rate_max = 100000},
	};
}
