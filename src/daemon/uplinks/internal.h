// SPDX-License-Identifier: BSD-3-Clause
// What the files of this directory share. Everything under uplinks->lock; the thread of the uplinks makes all system calls
// on processes and sockets.
#pragma once

#include "base/loop.h"
#include "daemon/uplinks/uplinks.h"
#include "wire/uplink.h"

#include <pthread.h>
#include <sys/queue.h>
#include <sys/types.h>

#define UPLINKS_BACKOFF_FIRST_MS 100
#define UPLINKS_BACKOFF_LAST_MS 5000
#define UPLINKS_STEADY_MS 10000 // Who ran for so long starts with the first delay again.
#define UPLINKS_GREET_MS 30000	// PCI devices take their time.
#define UPLINKS_END_MS 3000
#define UPLINKS_LEAVE_MS 300 // Until one that was detached has let go of its port.

enum uplink_process_state {
	PROCESS_DOWN,	  // None runs, or none is connected.
	PROCESS_GREETING, // It opens the device.
	PROCESS_READY,
	PROCESS_STATE_COUNT
};

struct uplink_device {
	TAILQ_ENTRY(uplink_device) entry;
	struct uplinks *uplinks;
	char args[UPLINK_DEVICE_SIZE]; // Empty: found running, and nobody wanted it yet.
	char path[UPLINK_PATH_SIZE];
	enum uplink_process_state state;
	char reason[ERR_MSG_SIZE];
	pid_t pid; // 0: not known.
	int pidfd;
	int conn;
	struct loop_source *conn_source;
	struct loop_source *pidfd_source;
	struct loop_source *timer; // To start, or to give a greeting up.
	uint64_t backoff_ms;
	uint64_t started_ms;
	uint32_t starts;
	uint32_t next_id;
	uint64_t told_ms; // When `told` came.
	bool asked;	  // A state that has not come yet.
	bool wanted;	  // A caller waits for a newer one.
	bool ending;
	uint32_t deleting;	      // Ports that it was told to remove and has not confirmed.
	struct uplink_state_msg told; // What the process said last.
};

struct uplink_join {
	TAILQ_ENTRY(uplink_join) entry;
	struct uplink_port port;
	struct uplink_device *device;
	enum uplink_state state;
	char reason[ERR_MSG_SIZE];
	uint32_t add_id; // The request that adds it, while it is in the air.
};

TAILQ_HEAD(uplink_devices, uplink_device);
TAILQ_HEAD(uplink_joins, uplink_join);

struct uplinks {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool has_thread;
	bool stop;
	bool settled;
	struct loop *loop;
	int wake_fd;
	char dir[UPLINK_PATH_SIZE];
	char binary[UPLINK_PATH_SIZE];
	struct uplink_devices devices;
	struct uplink_joins joins;
};

uint64_t uplinks_now_ms(void);

// process.c: one device's process and connection.
struct uplink_device *device_new(struct uplinks *uplinks, const char *path);
void device_free(struct uplink_device *device);
// Makes real what is wanted. The uplinks' thread.
void device_sync(struct uplink_device *device);
// Ends the process and waits. The uplinks' thread has ended.
void device_end(struct uplink_device *device);

// talk.c
int talk_greet(struct uplink_device *device);
void talk_ask(struct uplink_device *device);
void talk_stop(struct uplink_device *device);
// Adds and removes ports of the process, so that it has what is wanted.
void talk_sync(struct uplink_device *device);
// What came on the connection. A negative errno: it is of no use any more.
int talk_read(struct uplink_device *device);
// No process: its ports wait, or failed for `reason`.
void talk_lost(struct uplink_device *device, const char *reason);

// iface.c: whether an interface of the host can carry an uplink.
struct uplinks_iface {
	char name[UPLINK_IFACE_SIZE];
	uint32_t arp_type;		// ARPHRD_*
	char master[UPLINK_IFACE_SIZE]; // What it belongs to, else empty.
	char master_kind[16];		// "bridge", ..
};

// 0; -EINVAL: it has no Ethernet frames; -EBUSY: what it belongs to takes its frames. `device`: as the user wrote it.
int uplinks_judge_iface(const struct uplinks_iface *iface, const char *device, struct rwy_err *err);
// The same for the interface that `args` name, if any. -ENODEV: it is not there; -EIO: the kernel does not say.
int uplinks_check_iface(const char *args, const char *device, struct rwy_err *err);
// Whether two devices, of different arguments, are the same interface or PCI function; ret_what is its name then.
bool uplinks_are_one(const char *args, const char *other, char ret_what[UPLINK_IFACE_SIZE]);

// spawn.c: starts `binary` with listen_fd as its control socket. 0 or the errno of whatever kept it from running.
int uplinks_spawn(
	const char *binary,
	const char *args,
	uint32_t mtu,
	int listen_fd,
	pid_t *ret_pid
);
