// SPDX-License-Identifier: BSD-3-Clause
// Capabilities and limits of ringwayd. Main thread, before there are others: capabilities are a
// thread's.
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const unsigned int needed[] = {
	CAP_CHOWN,	  // The API socket's group.
	CAP_DAC_OVERRIDE, // Ports that connect to sockets of any user; the engine's namespaces.
	CAP_FOWNER,	  // Modes of sockets below directories that an installer gave away.
	CAP_KILL,	  // Ending a switch that hangs: it has another user.
	CAP_SETGID,	  // Starting the switch as that user.
	CAP_SETUID,
	CAP_SETPCAP, // Its bounding set is empty.
	// Kernel ports (docs/kernel-ports.md), and what the host does for networks with them.
	CAP_NET_ADMIN, // Interfaces, routes, the tc programs and the packet filter.
	CAP_SYS_ADMIN, // Namespaces, mounts, programs and maps (it includes CAP_BPF and CAP_PERFMON).
	CAP_SYS_PTRACE,	      // The namespace of a process that has more capabilities.
	CAP_NET_RAW,	      // iptables' sockets; an uplink's packet sockets.
	CAP_NET_BIND_SERVICE, // Published ports below 1024.
};

// Of what ringwayd starts: the devices of uplinks. They must be permitted to ringwayd, too, where a service manager allows
// no new privileges; it does not use them itself.
static const unsigned int passed_on[] =
	{CAP_BPF, CAP_IPC_LOCK, CAP_PERFMON, CAP_SYS_RAWIO, CAP_SYS_RESOURCE};

static void raise_descriptors(void)
{
	struct rlimit limit;
	// A port takes a few descriptors. Failing leaves the limit as it was, which shows when it
	// is hit.
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

// Adds those of table that this process has to what it will have: `in` says in which sets.
static int choose(const unsigned int *table, const bool *have, size_t count, unsigned int in)
{
	int r = 0;
	for (size_t i = 0; i < count && !r; i++)
		if (have[i])
			r = capng_update(CAPNG_ADD, (capng_type_t)in, table[i]);
	return r;
}

static void look(const unsigned int *table, size_t count, bool *ret_have)
{
	for (size_t i = 0; i < count; i++)
		ret_have[i] = capng_have_capability(CAPNG_PERMITTED, table[i]) != 0;
}

int privileges_drop(struct rwy_err *err)
{
	bool have[COUNT(needed)];
	bool have_passed_on[COUNT(passed_on)];
	raise_descriptors();
	if (capng_get_caps_process())
		return err_set(err, -EIO, "cannot read capabilities");
	look(needed, COUNT(needed), have);
	look(passed_on, COUNT(passed_on), have_passed_on);
	// Without SETPCAP (a container) the bounding set stays as it is.
	bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_BOTH);
	if (choose(needed,
		   have,
		   COUNT(needed),
		   CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET) ||
	    choose(passed_on, have_passed_on, COUNT(passed_on), CAPNG_PERMITTED | CAPNG_BOUNDING_SET
	    ))
		return err_set(err, -EIO, "cannot choose capabilities");
	int r = capng_apply(bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
	if (r)
		return err_set(err, -EPERM, "cannot give up capabilities (%d)", r);
	// Neither iptables nor an uplink gets more than we have, whatever their files say.
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_set(err, -errno, "cannot set no_new_privs: %s", strerror(errno));
	return 0;
}
