// SPDX-License-Identifier: BSD-3-Clause
// ioctls, rtnetlink's link messages, and the program that keeps a veth's other end from merging. Control thread.
#include "uplink/iface.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "wire/uplink.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NETLINK_BUFFER 32768

// An ioctl of the interface with `data` as its argument. 0 or a negative errno.
static int ask(const struct iface *iface, unsigned long request, struct ifreq *ifr)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(ifr->ifr_name, iface->name, sizeof(ifr->ifr_name));
	return sock < 0 || ioctl(sock, request, ifr) ? -errno : 0;
}

static int ask_ethtool(const struct iface *iface, void *data)
{
	struct ifreq ifr = {.ifr_data = data};
	return ask(iface, SIOCETHTOOL, &ifr);
}

// Not by the interface's flag (as DPDK's drivers do), which would stay behind.
int iface_set_promiscuous(struct iface *iface)
{
	struct packet_mreq request = {
		.mr_ifindex = (int)iface->index, .mr_type = PACKET_MR_PROMISC};
	_cleanup_close_ int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); // Receives none.
	if (sock < 0 ||
	    setsockopt(sock, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)))
		return -errno;
	iface->promiscuous = sock;
	sock = -1;
	return 0;
}

static void read_speed(struct iface *iface)
{
	char path[64];
	char text[16] = "";
	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/speed", iface->name); // It fits.
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	// The kernel says -1, or fails, where it does not know.
	long mbps = fgets(text, sizeof(text), file) ? strtol(text, NULL, 10) : 0;
	iface->mbps = mbps > 0 ? (uint32_t)mbps : 0;
	(void)fclose(file); // Read only.
}

static void read_channels(struct iface *iface)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	iface->channels = 1;
	if (ask_ethtool(iface, &channels))
		return;
	uint32_t count = channels.combined_count + channels.rx_count;
	iface->channels = count ? count : 1;
}

static int read_state(struct iface *iface)
{
	struct ifreq ifr = {0};
	int r = ask(iface, SIOCGIFMTU, &ifr);
	if (r)
		return r;
	iface->mtu = (uint32_t)ifr.ifr_mtu;
	r = ask(iface, SIOCGIFFLAGS, &ifr);
	iface->up = !r && (ifr.ifr_flags & IFF_UP) && (ifr.ifr_flags & IFF_RUNNING);
	return r;
}

int iface_find(const char *devargs, struct iface *ret_iface, struct rwy_err *err)
{
	struct iface iface = {.xdp_link = -1, .promiscuous = -1, .netlink = -1, .channels = 1};
	char path[64];
	*ret_iface = iface;
	if (uplink_read_iface(devargs, iface.name))
		return 0;
	iface.index = if_nametoindex(iface.name);
	if (!iface.index || read_state(&iface))
		return err_set(err, -ENODEV, "there is no interface '%s'", iface.name);
	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/device", iface.name); // It fits.
	iface.is_virtual = access(path, F_OK) != 0;
	read_channels(&iface);
	read_speed(&iface);
	*ret_iface = iface;
	return 0;
}

// Whether it was on, and is off now.
static bool turn_off_gro(const struct iface *iface)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GGRO};
	if (ask_ethtool(iface, &value) || !value.data)
		return false;
	value = (struct ethtool_value){.cmd = ETHTOOL_SGRO};
	int r = ask_ethtool(iface, &value);
	if (r)
		log_warn("cannot turn off GRO of '%s': %s", iface->name, strerror(-r));
	else
		log_info("turned off GRO of '%s'", iface->name);
	return !r;
}

// ETHTOOL_SFLAGS has all flags at once.
static void turn_off_lro(const struct iface *iface)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GFLAGS};
	if (ask_ethtool(iface, &value) || !(value.data & ETH_FLAG_LRO))
		return;
	value.cmd = ETHTOOL_SFLAGS;
	value.data &= ~(uint32_t)ETH_FLAG_LRO;
	if (ask_ethtool(iface, &value))
		log_warn("cannot turn off LRO of '%s': %s", iface->name, strerror(errno));
}

static bool is_veth(const struct iface *iface)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	return ask_ethtool(iface, &info) == 0 && strcmp(info.driver, "veth") == 0;
}

// A veth hands over what its other end sends: segments of 64 KiB that nobody has cut. The kernel cuts them when this end
// has an XDP program; this one lets everything pass.
static void keep_segments_off(struct iface *iface)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, load, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	LIBBPF_OPTS(bpf_link_create_opts, create, .flags = XDP_FLAGS_DRV_MODE);
	_cleanup_close_ int program = bpf_prog_load(
		BPF_PROG_TYPE_XDP,
		"ringway_pass",
		"BSD",
		pass,
		sizeof(pass) / sizeof(pass[0]),
		&load
	);
	if (program >= 0)
		iface->xdp_link = bpf_link_create(program, (int)iface->index, BPF_XDP, &create);
	if (program < 0 || iface->xdp_link < 0)
		log_warn(
			"cannot keep the other end of '%s' from sending long segments: %s (turn off its tso and gso)",
			iface->name,
			strerror(errno)
		);
}

static int set_up(const struct iface *iface, bool up)
{
	struct ifreq ifr = {0};
	int r = ask(iface, SIOCGIFFLAGS, &ifr);
	if (r || !(ifr.ifr_flags & IFF_UP) == !up)
		return r ? r : -EALREADY;
	ifr.ifr_flags = (short)(ifr.ifr_flags ^ IFF_UP);
	return ask(iface, SIOCSIFFLAGS, &ifr);
}

void iface_prepare(struct iface *iface, uint32_t mtu)
{
	struct ifreq ifr = {.ifr_mtu = (int)mtu};
	if (!iface->name[0])
		return;
	if (mtu > iface->mtu) {
		if (ask(iface, SIOCSIFMTU, &ifr))
			log_warn(
				"'%s' has MTU %u, its networks have %u: longer frames are dropped",
				iface->name,
				iface->mtu,
				mtu
			);
		else
			iface->mtu_before = iface->mtu;
	}
	iface->raised = set_up(iface, true) == 0; // A failure shows as a link that is down.
	iface->unmerged = turn_off_gro(iface);
	turn_off_lro(iface);
	(void)read_state(iface); // It was read a moment ago; a failure leaves what was known.
}

void iface_undo(const struct iface *iface)
{
	struct ifreq ifr = {.ifr_mtu = (int)iface->mtu_before};
	struct ethtool_value gro = {.cmd = ETHTOOL_SGRO, .data = 1};
	int r = iface->mtu_before ? ask(iface, SIOCSIFMTU, &ifr) : 0;
	if (!r && iface->raised)
		r = set_up(iface, false);
	if (!r && iface->unmerged)
		r = ask_ethtool(iface, &gro);
	if (r)
		log_warn("'%s' is not as it was before: %s", iface->name, strerror(-r));
}

void iface_cut_segments(struct iface *iface)
{
	if (iface->name[0] && is_veth(iface))
		keep_segments_off(iface);
}

void iface_clear_xdp(const struct iface *iface)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	uint32_t id = 0;
	if (!iface->name[0] || bpf_xdp_query_id((int)iface->index, 0, &id) || !id)
		return;
	_cleanup_close_ int program = bpf_prog_get_fd_by_id(id);
	if (program < 0 || bpf_obj_get_info_by_fd(program, &info, &size))
		return;
	// libxdp's own for AF_XDP sockets: a name that nobody else uses.
	if (strncmp(info.name, "xsk_def", strlen("xsk_def")) != 0)
		return;
	if (bpf_xdp_detach((int)iface->index, 0, NULL) == 0)
		log_info("'%s': took off the program that an earlier uplink left", iface->name);
}

uint32_t iface_xdp_id(const struct iface *iface)
{
	uint32_t id = 0;
	if (iface->name[0] && bpf_xdp_query_id((int)iface->index, 0, &id))
		id = 0;
	return id;
}

void iface_remove_xdp(const struct iface *iface, uint32_t id)
{
	if (id && iface_xdp_id(iface) == id && bpf_xdp_detach((int)iface->index, 0, NULL))
		log_warn("'%s' keeps its program: %s", iface->name, strerror(errno));
}

static void read_message(struct iface *iface, const struct nlmsghdr *head)
{
	const struct ifinfomsg *info = NLMSG_DATA(head);
	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) ||
	    (uint32_t)info->ifi_index != iface->index)
		return;
	if (head->nlmsg_type == RTM_DELLINK) {
		iface->changed(iface->arg, true);
		return;
	}
	if (head->nlmsg_type != RTM_NEWLINK)
		return;
	bool up = (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_RUNNING);
	if (up == iface->up)
		return;
	iface->up = up;
	iface->mbps = 0;
	read_speed(iface);
	iface->changed(iface->arg, false);
}

static void on_netlink(void *arg, uint32_t events)
{
	struct iface *iface = arg;
	static _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER]; // One thread.
	ssize_t size = recv(iface->netlink, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (size < 0) {
		// Messages were lost: look again.
		if (errno == ENOBUFS)
			iface->changed(iface->arg, read_state(iface) != 0);
		return;
	}
	size_t left = (size_t)size;
	for (struct nlmsghdr *head = (void *)buffer; NLMSG_OK(head, left);
	     head = NLMSG_NEXT(head, left))
		read_message(iface, head);
}

int iface_watch(
	struct iface *iface,
	struct loop *loop,
	void (*changed)(void *arg, bool gone),
	void *arg,
	struct rwy_err *err
)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	if (!iface->name[0])
		return 0;
	iface->changed = changed;
	iface->arg = arg;
	iface->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (iface->netlink < 0 ||
	    bind(iface->netlink, (struct sockaddr *)&address, sizeof(address)) ||
	    !loop_add_fd(loop, iface->netlink, EPOLLIN, on_netlink, iface))
		return err_set(
			err, -errno, "cannot watch interface '%s': %s", iface->name, strerror(errno)
		);
	// What changed since it was opened, and before this, has sent no message.
	if (read_state(iface) == 0)
		read_speed(iface);
	return 0;
}
