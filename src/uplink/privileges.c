// SPDX-License-Identifier: BSD-3-Clause
// A table of kinds of devices and the capabilities that they take. Any thread, for itself.
#include "uplink/privileges.h"

#include "uplink/device.h"

#include <cap-ng.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#define BIT(capability) (UINT64_C(1) << (capability))

struct kind {
	const char *prefix;
	uint64_t needed;
};

// NET_ADMIN: MTU, GRO, promiscuous mode, programs on interfaces.
static const struct kind kinds[] = {
	{"net_af_packet", BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN) | BIT(CAP_BPF)},
	{"net_af_xdp",
	 BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN) | BIT(CAP_BPF) | BIT(CAP_SYS_ADMIN) |
		 BIT(CAP_PERFMON) | BIT(CAP_IPC_LOCK) | BIT(CAP_SYS_RESOURCE) |
		 BIT(CAP_DAC_OVERRIDE)},
	{"net_tap", BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW)},
	{"net_memif", BIT(CAP_DAC_OVERRIDE)},
	{"net_pcap", BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN) | BIT(CAP_DAC_OVERRIDE)},
	{"net_", BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN) | BIT(CAP_IPC_LOCK) | BIT(CAP_DAC_OVERRIDE)},
};

// vfio, hugepages, ports of a bus.
static const uint64_t pci_needed = BIT(CAP_IPC_LOCK) | BIT(CAP_SYS_RAWIO) | BIT(CAP_SYS_ADMIN) |
	BIT(CAP_DAC_OVERRIDE) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW);
static const uint64_t pci_kept = BIT(CAP_IPC_LOCK) | BIT(CAP_SYS_RAWIO);
// Taking the program off the interface again.
static const uint64_t xdp_kept = BIT(CAP_NET_ADMIN);

static uint64_t needed_by(const char *args)
{
	if (device_is_pci(args))
		return pci_needed;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(args, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].needed;
	return 0;
}

static int keep(uint64_t wanted, struct rwy_err *err)
{
	uint64_t have = 0;
	if (capng_get_caps_process())
		return err_set(err, -EIO, "cannot read capabilities");
	for (unsigned int c = 0; c <= CAP_LAST_CAP; c++)
		if ((wanted & BIT(c)) && capng_have_capability(CAPNG_PERMITTED, c))
			have |= BIT(c);
	capng_clear(CAPNG_SELECT_BOTH);
	for (unsigned int c = 0; c <= CAP_LAST_CAP; c++)
		if ((have & BIT(c)) &&
		    capng_update(CAPNG_ADD, (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED), c))
			return err_set(err, -EIO, "cannot choose capabilities");
	// The bounding set may stay: no_new_privs makes it worthless.
	if (capng_apply(CAPNG_SELECT_CAPS))
		return err_set(err, -EPERM, "cannot give up capabilities: %s", strerror(errno));
	return 0;
}

int privileges_limit(const char *args, struct rwy_err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_set(err, -errno, "cannot set no_new_privs: %s", strerror(errno));
	return keep(needed_by(args), err);
}

int privileges_drop(const char *args, struct rwy_err *err)
{
	if (device_is_pci(args))
		return keep(pci_kept, err);
	return keep(strncmp(args, "net_af_xdp", strlen("net_af_xdp")) == 0 ? xdp_kept : 0, err);
}
