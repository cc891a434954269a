// SPDX-License-Identifier: BSD-3-Clause
// Capabilities and limits of ringwayd. Main thread, before there are others: capabilities are a
// thread's.
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

static const unsigned int needed[] = {
	CAP_CHOWN,	  // The API socket's group.
	CAP_DAC_OVERRIDE, // Ports that connect to sockets of any user; the engine's namespaces.
	CAP_FOWNER,	  // Modes of sockets below directories that an installer gave away.
	CAP_KILL,	  // Ending a switch that hangs: it has another user.
	CAP_SETGID,	  // Starting the switch as that user.
	CAP_SETUID,
	// Kernel ports (docs/kernel-ports.md), and what the host does for networks with them.
	CAP_NET_ADMIN, // Interfaces, routes, the tc programs and the packet filter.
	CAP_SYS_ADMIN, // Namespaces, mounts, programs and maps (it includes CAP_BPF and CAP_PERFMON).
	CAP_SYS_PTRACE,	      // The namespace of a process that has more capabilities.
	CAP_NET_RAW,	      // iptables' sockets; an uplink's packet sockets.
	CAP_NET_BIND_SERVICE, // Published ports below 1024.
};

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

int privileges_drop(struct rwy_err *err)
{
	bool have[sizeof(needed) / sizeof(needed[0])];
	raise_descriptors();
	if (capng_get_caps_process())
		return err_set(err, -EIO, "cannot read capabilities");
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		have[i] = capng_have_capability(CAPNG_PERMITTED, needed[i]);
	// Without SETPCAP (a container) the bounding set stays; nothing that we start has a
	// capability anyhow.
	bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (have[i] &&
		    capng_update(
			    CAPNG_ADD,
			    (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET),
			    needed[i]
		    ))
			return err_set(err, -EIO, "cannot choose capabilities");
	int r = capng_apply(bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
	if (r)
		return err_set(err, -EPERM, "cannot give up capabilities (%d)", r);
	return 0;
}
