// SPDX-License-Identifier: BSD-3-Clause
// virtio-user devices, made and removed at run time. Control thread.
#include "uplink/port.h"

#include "base/mac.h"

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

// Frames for 24 ms at 500 Mbit/s: the worker, or the switch, may be kept from its CPU for some of that.
#define QUEUE_SIZE 1024
// So many ports share the device's buffers, which AF_XDP sends without a copy; each of the others brings its own.
#define SHARED_POOL_PORTS 4
#define OWN_BUFFERS (2 * QUEUE_SIZE - 1)
#define NAME_SIZE 32
#define ARGS_SIZE (UPLINK_WIRE_PATH + 128)

static void format_name(const struct port *port, char name[NAME_SIZE])
{
	(void)snprintf(name, NAME_SIZE, "net_virtio_user%u", port->slot); // It fits.
}

// virtio-user takes a path that is not there, or is no socket, for something else.
static int check_socket(const char *path)
{
	struct stat status;
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return -ENAMETOOLONG;
	if (strchr(path, ',') || stat(path, &status))
		return strchr(path, ',') ? -EINVAL : -errno;
	return S_ISSOCK(status.st_mode) ? 0 : -ENOTSOCK;
}

// The connection that virtio-user made, which it tells nobody: by its peer's name. -1: there is none.
static int find_connection(const char *path)
{
	int found = -1;
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	while (dir && (entry = readdir(dir))
	) { // NOLINT(concurrency-mt-unsafe): one thread reads it.
		struct sockaddr_un peer = {0};
		socklen_t size = sizeof(peer);
		int fd = (int)strtol(entry->d_name, NULL, 10);
		if (entry->d_name[0] == '.' || getpeername(fd, (struct sockaddr *)&peer, &size))
			continue;
		if (peer.sun_family == AF_UNIX &&
		    strncmp(peer.sun_path, path, sizeof(peer.sun_path)) == 0)
			found = fd;
	}
	if (dir)
		(void)closedir(dir); // Read only.
	return found;
}

// Kept for the slot's next port: the memory is reserved, and a pool with buffers in the air cannot go.
static struct rte_mempool *find_pool(const struct port *port, const struct device *device)
{
	char name[NAME_SIZE];
	if (port->slot < SHARED_POOL_PORTS)
		return device->pool;
	(void)snprintf(name, sizeof(name), "frames%u", port->slot); // It fits.
	struct rte_mempool *pool = rte_mempool_lookup(name);
	if (pool)
		return pool;
	return rte_pktmbuf_pool_create(
		name, OWN_BUFFERS, 0, 0, rte_pktmbuf_data_room_size(device->pool), SOCKET_ID_ANY
	);
}

// Offloads are asked for where the device does what a frame then asks for: else the switch has done it already.
static int configure(struct port *port, const struct device *device)
{
	struct rte_eth_dev_info info;
	const uint64_t rx_sums = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	const uint64_t tx_sums = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	int r = rte_eth_dev_info_get(port->id, &info);
	struct rte_eth_conf conf = {.rxmode = {.mtu = port->spec.mtu}, .intr_conf = {.rxq = 1}};
	if (r)
		return r;
	conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	if (device->tx_checksum && (info.rx_offload_capa & rx_sums) == rx_sums)
		conf.rxmode.offloads |= rx_sums;
	if (device->tx_tso && (conf.rxmode.offloads & rx_sums))
		conf.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_LRO;
	conf.txmode.offloads = info.tx_offload_capa & (RTE_ETH_TX_OFFLOAD_MULTI_SEGS | tx_sums);
	port->checksums = (info.tx_offload_capa & tx_sums) == tx_sums;
	struct rte_mempool *pool = find_pool(port, device);
	r = pool ? rte_eth_dev_configure(port->id, 1, 1, &conf) : -ENOMEM;
	if (!r)
		r = rte_eth_rx_queue_setup(port->id, 0, QUEUE_SIZE, SOCKET_ID_ANY, NULL, pool);
	if (!r)
		r = rte_eth_tx_queue_setup(port->id, 0, QUEUE_SIZE, SOCKET_ID_ANY, NULL);
	return r ? r : rte_eth_dev_start(port->id);
}

static int add(struct port *port, const struct device *device)
{
	char name[NAME_SIZE];
	char args[ARGS_SIZE];
	char mac[MAC_TEXT_SIZE];
	int r = check_socket(port->spec.socket);
	if (r)
		return r;
	format_name(port, name);
	mac_format(port->spec.mac, mac);
	(void)snprintf( // It fits.
		args,
		sizeof(args),
		"path=%s,mac=%s,queues=1,queue_size=%d,mrg_rxbuf=1,in_order=1",
		port->spec.socket,
		mac,
		QUEUE_SIZE
	);
	r = rte_eal_hotplug_add("vdev", name, args);
	if (r)
		return r == -1 ? -ECONNREFUSED : r;
	r = rte_eth_dev_get_port_by_name(name, &port->id);
	if (!r)
		r = configure(port, device);
	if (r)
		return r;
	port->socket = find_connection(port->spec.socket);
	port->call_fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port->id, 0);
	return port->socket < 0 || port->call_fd < 0 ? -EPIPE : 0;
}

int port_join(struct port *port, const struct device *device, struct rwy_err *err)
{
	int r = add(port, device);
	port->reason[0] = '\0';
	if (!r)
		return 0;
	port_leave(port);
	(void
	)err_set(err, r, "cannot join the switch by '%s': %s", port->spec.socket, strerror(-r));
	(void)snprintf( // A cut reason still says the most.
		port->reason,
		sizeof(port->reason),
		"cannot join the switch by '%.120s': %s",
		port->spec.socket,
		strerror(-r)
	);
	return r;
}

void port_leave(struct port *port)
{
	char name[NAME_SIZE];
	uint16_t id;
	format_name(port, name);
	if (rte_eth_dev_get_port_by_name(name, &id) == 0)
		(void)rte_eth_dev_stop(id);	    // It is removed next.
	(void)rte_eal_hotplug_remove("vdev", name); // Not there: it was never added.
	port->id = PORT_NO_ETHDEV;
	port->socket = port->call_fd = -1;
}
