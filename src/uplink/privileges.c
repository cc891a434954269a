// SPDX-License-Identifier: BSD-3-Clause
// A table of kinds of devices and the capabilities that they take. Capabilities are a thread's: of the others, each gives up its own in
// the handler of a signal. Control thread.
#include "uplink/privileges.h"

#include "base/walls.h"
#include "uplink/device.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DROP_WAIT_MS 2000 // Each is between two calls by then, or something is wrong.

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

// Those of this thread.
static uint64_t held(void)
{
	uint64_t have = 0;
	for (unsigned int c = 0; c <= CAP_LAST_CAP; c++)
		if (capng_have_capability(CAPNG_PERMITTED, c))
			have |= BIT(c);
	return have;
}

static int keep(uint64_t wanted, struct rwy_err *err)
{
	if (capng_get_caps_process())
		return err_set(err, -EIO, "cannot read capabilities");
	uint64_t have = wanted & held();
	capng_clear(CAPNG_SELECT_BOTH);
	for (unsigned int c = 0; c <= CAP_LAST_CAP; c++)
		if ((have & BIT(c)) &&
		    capng_update(CAPNG_ADD, (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED), c))
			return err_set(err, -EIO, "cannot choose capabilities");
	if (capng_apply(CAPNG_SELECT_CAPS))
		return err_set(err, -EPERM, "cannot give up capabilities: %s", strerror(errno));
	return 0;
}

static uint64_t kept_by(const char *args)
{
	if (device_is_pci(args))
		return pci_kept;
	return strncmp(args, "net_af_xdp", strlen("net_af_xdp")) == 0 ? xdp_kept : 0;
}

int privileges_limit(const char *args, struct rwy_err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_set(err, -errno, "cannot set no_new_privs: %s", strerror(errno));
	// A bounding set that may not be emptied is worthless without new privileges. Threads inherit it.
	(void)walls_drop_bounding();
	return keep(needed_by(args), err);
}

static struct {
	struct __user_cap_data_struct kept[_LINUX_CAPABILITY_U32S_3];
	uint32_t count; // Threads that have done it.
	int error;	// Of one that could not.
} others;

static void on_drop(int signal)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	int saved = errno;
	if (syscall(SYS_capset, &header, others.kept))
		__atomic_store_n(&others.error, errno, __ATOMIC_RELAXED);
	(void)__atomic_add_fetch(&others.count, 1, __ATOMIC_RELEASE);
	errno = saved;
}

// Sends the signal to every thread but this one. How many, or a negative errno.
static int signal_others(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) { // NOLINT(concurrency-mt-unsafe): one thread reads it.
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (tid > 0 && tid != gettid() && tgkill(getpid(), tid, SIGUSR2) == 0)
			count++;
	}
	(void)closedir(dir); // Read only.
	return count;
}

static int drop_in_others(uint64_t wanted)
{
	const struct sigaction action = {.sa_handler = on_drop, .sa_flags = SA_RESTART};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	const struct timespec pause = {.tv_nsec = 1000000};
	for (uint32_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		others.kept[i].effective = others.kept[i].permitted =
			(uint32_t)(wanted >> (32 * i)); // Those of each word.
	if (sigaction(SIGUSR2, &action, NULL))
		return -errno;
	int count = signal_others();
	for (int i = 0; i < DROP_WAIT_MS && count > 0; i++) {
		if (__atomic_load_n(&others.count, __ATOMIC_ACQUIRE) == (uint32_t)count)
			break;
		(void)nanosleep(&pause, NULL); // Sooner is no harm.
	}
	(void)sigaction(SIGUSR2, &ignore, NULL); // Cannot fail with these arguments.
	if (count < 0)
		return count;
	if (__atomic_load_n(&others.count, __ATOMIC_ACQUIRE) != (uint32_t)count)
		return -ETIMEDOUT;
	return -others.error;
}

int privileges_drop(const char *args, struct rwy_err *err)
{
	int r = keep(kept_by(args), err);
	if (r)
		return r;
	// What a device's own end takes, the control thread does; those of a bus are used wherever its driver runs.
	uint64_t wanted = device_is_pci(args) ? held() : 0;
	r = drop_in_others(wanted);
	if (r)
		return err_set(
			err, r, "cannot give up capabilities in all threads: %s", strerror(-r)
		);
	return 0;
}
