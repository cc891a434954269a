// SPDX-License-Identifier: BSD-3-Clause
// Opens an ethdev: arguments that its driver needs for our use, queues, offloads, and how it wakes. Control thread.
#include "uplink/device.h"

#include "base/log.h"
#include "uplink/lastlog.h"
#include "uplink/pool.h"
#include "wire/uplink.h"

#include <rte_bus_pci.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include <dirent.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DESCRIPTORS 1024
// tpacket_rcv() in the kernel: the header, an address, alignment; with room to spare.
#define PACKET_OVERHEAD 128
#define PACKET_RING_BYTES (4 << 20)
#define BLOCK_MIN 65536
#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif

bool device_is_pci(const char *args)
{
	char address[UPLINK_PCI_SIZE];
	return uplink_read_pci(args, address);
}

static bool starts_with(const char *text, const char *what)
{
	return strncmp(text, what, strlen(what)) == 0;
}

// AF_PACKET's ring: frames of a power of two, so that they never straddle its blocks.
static void packet_args(struct device *device)
{
	uint32_t frame = 2048;
	size_t used = strlen(device->args);
	if (strstr(device->args, ",framesz=") || strstr(device->args, ",blocksz="))
		return;
	while (frame < device->iface.mtu + FRAME_HEAD_SIZE + PACKET_OVERHEAD && frame < BLOCK_MIN)
		frame *= 2;
	(void)snprintf( // It fits: device_open() left room.
		device->args + used,
		sizeof(device->args) - used,
		",framesz=%u,blocksz=%u,framecnt=%u",
		frame,
		BLOCK_MIN,
		(uint32_t)(PACKET_RING_BYTES / frame)
	);
}

static void xdp_args(struct device *device)
{
	size_t used = strlen(device->args);
	uint32_t queues = device->iface.channels;
	if (strstr(device->args, ",queue_count=") || strstr(device->args, ",start_queue="))
		return;
	if (queues > DEVICE_QUEUES_MAX)
		queues = DEVICE_QUEUES_MAX;
	(void)snprintf( // It fits: device_open() left room.
		device->args + used,
		sizeof(device->args) - used,
		",queue_count=%u",
		queues
	);
}

// What DPDK says of a failure: its log, or the code where that is one. Drivers return -1 for anything.
static const char *explain(int code, char text[LASTLOG_SIZE])
{
	lastlog_read(text);
	if (text[0])
		return text;
	return code == -1 ? "its driver refuses these arguments, and does not say why"
			  : strerror(-code);
}

// Names the drivers that are installed, of those that make a device from arguments alone.
static int no_driver(struct rwy_err *err)
{
	static const char *const known[] = {
		"net_af_packet",
		"net_af_xdp",
		"net_bonding",
		"net_failsafe",
		"net_memif",
		"net_null",
		"net_pcap",
		"net_ring",
		"net_softnic",
		"net_tap",
		"net_vdev_netvsc",
		"net_vhost"};
	char list[256] = "";
	size_t used = 0;
	rte_log_set_global_level(RTE_LOG_EMERG); // Those that are not there are no news.
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct rte_devargs args = {0};
		if (rte_devargs_parse(&args, known[i]))
			continue;
		free(args.data);
		used += (size_t)snprintf( // All of them fit.
			list + used,
			sizeof(list) - used,
			"%s%s",
			used ? ", " : "",
			known[i]
		);
	}
	return err_set(
		err,
		-ENODEV,
		"DPDK has no driver of this name here (there are %s; each with a number, as net_null0)",
		list
	);
}

static int probe(struct device *device, struct rwy_err *err)
{
	struct rte_eth_dev_info info;
	char why[LASTLOG_SIZE];
	int r = rte_dev_probe(device->args);
	if (r == -EFAULT) // No bus knows it: rte_devargs_parse().
		return no_driver(err);
	if (r)
		return err_set(
			err,
			r == -EINVAL ? -EINVAL : -ENODEV,
			"DPDK cannot open it: %s",
			explain(r, why)
		);
	device->id = (uint16_t)rte_eth_find_next(0);
	if (device->id >= RTE_MAX_ETHPORTS)
		return err_set(err, -ENODEV, "DPDK has no network device of it");
	r = rte_eth_dev_info_get(device->id, &info);
	if (r)
		return err_set(err, r, "DPDK cannot describe it: %s", strerror(-r));
	(void)snprintf(
		device->driver, sizeof(device->driver), "%s", info.driver_name
	); // A cut name is fine.
	return 0;
}

// What of `info`'s offloads is used. Requests of ports are passed on only where the device does all of them.
static void choose_offloads(struct device *device, const struct rte_eth_dev_info *info)
{
	const uint64_t checksums = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	const uint64_t capable = info->tx_offload_capa;
	uint64_t tx = capable & (RTE_ETH_TX_OFFLOAD_VLAN_INSERT | RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	if ((capable & checksums) == checksums && (capable & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)) {
		// IPv4's comes with TSO: each segment's header is new.
		tx |= checksums | (capable & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
		device->tx_checksum = true;
		// net_tap cuts segments in software, of which it has buffers for a few only: the switch does it better.
		device->tx_tso = (capable & RTE_ETH_TX_OFFLOAD_TCP_TSO) &&
			!starts_with(device->args, "net_tap");
		if (device->tx_tso)
			tx |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
	}
	device->tx_offloads = tx;
	device->rx_offloads = info->rx_offload_capa &
		(RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_SCATTER);
}

static int configure(struct device *device, bool interrupts)
{
	struct rte_eth_dev_info info;
	int r = rte_eth_dev_info_get(device->id, &info);
	if (r)
		return r;
	choose_offloads(device, &info);
	struct rte_eth_conf conf = {
		.rxmode =
			{.mtu = RTE_MAX(device->mtu, (uint32_t)RTE_ETHER_MIN_MTU),
			 .offloads = device->rx_offloads},
		.txmode = {.offloads = device->tx_offloads},
		.intr_conf = {.rxq = interrupts},
	};
	// A driver that says nothing of jumbo frames has what its interface has.
	if (info.max_mtu && conf.rxmode.mtu > info.max_mtu)
		conf.rxmode.mtu = info.max_mtu;
	if (device->iface.name[0] && info.max_rx_pktlen <= RTE_ETHER_MAX_LEN)
		conf.rxmode.mtu = RTE_ETHER_MTU;
	device->rx_queues = (uint16_t)RTE_MIN(info.max_rx_queues, DEVICE_QUEUES_MAX);
	bool by_queue = starts_with(device->driver, "net_af_xdp");
	if (!by_queue)
		device->rx_queues = 1;
	return rte_eth_dev_configure(
		device->id, device->rx_queues, by_queue ? device->rx_queues : 1, &conf
	);
}

static int setup_queues(struct device *device)
{
	uint16_t rx = DESCRIPTORS;
	uint16_t tx = DESCRIPTORS;
	int r = rte_eth_dev_adjust_nb_rx_tx_desc(device->id, &rx, &tx);
	for (uint16_t q = 0; !r && q < device->rx_queues; q++)
		r = rte_eth_rx_queue_setup(device->id, q, rx, SOCKET_ID_ANY, NULL, device->pool);
	uint16_t tx_queues = starts_with(device->driver, "net_af_xdp") ? device->rx_queues : 1;
	for (uint16_t q = 0; !r && q < tx_queues; q++)
		r = rte_eth_tx_queue_setup(device->id, q, tx, SOCKET_ID_ANY, NULL);
	return r;
}

// The sockets that the driver opened, which it tells nobody: the process has no others of these families.
static void find_sockets(struct device *device)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	while (dir && (entry = readdir(dir))
	) { // NOLINT(concurrency-mt-unsafe): one thread reads it.
		int domain = 0;
		socklen_t size = sizeof(domain);
		int fd = (int)strtol(entry->d_name, NULL, 10);
		if (entry->d_name[0] == '.' ||
		    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size))
			continue;
		// What the host itself sends is no frame from outside.
		if (domain == AF_PACKET)
			(void
			)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &(int){1}, sizeof(int));
		if ((domain == AF_PACKET || domain == AF_XDP) &&
		    device->fd_count < DEVICE_QUEUES_MAX)
			device->fds[device->fd_count++] = fd;
	}
	if (dir)
		(void)closedir(dir); // Read only.
}

static void choose_wake(struct device *device, bool interrupts)
{
	find_sockets(device);
	device->wake = device->fd_count ? DEVICE_WAKE_FD : DEVICE_WAKE_TIMER;
	if (device->wake == DEVICE_WAKE_TIMER && interrupts &&
	    rte_eth_dev_rx_intr_enable(device->id, 0) == 0) {
		device->wake = DEVICE_WAKE_INTR;
		(void)rte_eth_dev_rx_intr_disable(device->id, 0); // It could be enabled.
	}
}

static int start(struct device *device, struct rwy_err *err)
{
	bool interrupts = !device->iface.name[0];
	char why[LASTLOG_SIZE];
	int r = configure(device, interrupts);
	if (r && interrupts) {
		interrupts = false;
		r = configure(device, false);
	}
	if (!r)
		r = setup_queues(device);
	if (!r)
		r = rte_eth_dev_start(device->id);
	if (r)
		return err_set(
			err, r, "its driver %s cannot start it: %s", device->driver, explain(r, why)
		);
	r = device->iface.name[0] ? iface_set_promiscuous(&device->iface)
				  : rte_eth_promiscuous_enable(device->id);
	if (r && r != -ENOTSUP)
		log_warn("'%s' does not become promiscuous: %s", device->args, strerror(-r));
	choose_wake(device, interrupts);
	return 0;
}

// The MTU that frames may have: the interface's where the kernel has one, else what the driver accepts.
static void find_mtu(struct device *device, uint32_t wanted)
{
	struct rte_eth_dev_info info;
	device->mtu = wanted;
	if (device->iface.name[0]) {
		device->mtu = device->iface.mtu;
		return;
	}
	if (rte_eth_dev_info_get(device->id, &info) == 0 && info.max_mtu && wanted > info.max_mtu)
		device->mtu = info.max_mtu;
}

static int open_prepared(struct device *device, uint32_t mtu, struct rwy_err *err)
{
	int r = probe(device, err);
	if (r)
		return r;
	find_mtu(device, mtu);
	device->pool = pool_new(device->args, device->mtu + FRAME_HEAD_SIZE + PACKET_OVERHEAD, err);
	return device->pool ? start(device, err) : -ENOMEM;
}

int device_open(const char *args, uint32_t mtu, struct device *ret_device, struct rwy_err *err)
{
	struct device *device = ret_device;
	*device = (struct device){0};
	if (snprintf(device->args, sizeof(device->args), "%s", args) >= DEVICE_ARGS_SIZE / 2)
		return err_set(err, -EINVAL, "the device's arguments '%s' are too long", args);
	int r = iface_find(args, &device->iface, err);
	if (r)
		return r;
	iface_prepare(&device->iface, mtu);
	if (starts_with(args, "net_af_packet"))
		packet_args(device);
	if (starts_with(args, "net_af_xdp")) {
		xdp_args(device);
		iface_clear_xdp(&device->iface);
	}
	r = open_prepared(device, mtu, err);
	if (r) {
		if (device->iface.name[0])
			iface_undo(&device->iface);
		return r;
	}
	if (starts_with(args, "net_af_packet"))
		iface_cut_segments(&device->iface);
	if (starts_with(args, "net_af_xdp"))
		device->xdp_id = iface_xdp_id(&device->iface);
	return 0;
}

void device_close(struct device *device)
{
	(void)rte_eth_dev_stop(device->id);		  // It is closed next.
	(void)rte_eth_dev_close(device->id);		  // The process ends.
	iface_remove_xdp(&device->iface, device->xdp_id); // libxdp does not always.
}

void device_read_losses(struct device *device, uint64_t *ret_missed, uint64_t *ret_unsent)
{
	struct rte_eth_stats stats = {0};
	uint64_t invalid = 0;
	for (uint32_t i = 0; i < device->fd_count; i++) {
		struct tpacket_stats packet = {0};
		struct xdp_statistics xdp = {0};
		socklen_t packet_size = sizeof(packet);
		socklen_t xdp_size = sizeof(xdp);
		int fd = device->fds[i];
		// Each kind of socket has its own; of AF_XDP's, DPDK counts the rest.
		if (!getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &packet, &packet_size))
			device->missed += packet.tp_drops;
		else if (!getsockopt(fd, SOL_XDP, XDP_STATISTICS, &xdp, &xdp_size))
			invalid += xdp.tx_invalid_descs;
	}
	(void)rte_eth_stats_get(device->id, &stats); // Who counts nothing has lost nothing.
	*ret_missed = device->missed + stats.imissed;
	*ret_unsent = stats.oerrors + invalid;
}

void device_read_link(const struct device *device, bool *ret_up, uint32_t *ret_mbps)
{
	struct rte_eth_link link = {0};
	*ret_up = device->iface.up;
	*ret_mbps = device->iface.mbps;
	if (device->iface.name[0])
		return;
	if (rte_eth_link_get_nowait(device->id, &link))
		return;
	*ret_up = link.link_status == RTE_ETH_LINK_UP;
	*ret_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
}
