// SPDX-License-Identifier: BSD-3-Clause
// What the checks of `ringway doctor` have in common: what they look at, and what they say. A check reads files below
// doctor.root only, so that a test gives it a tree of its own; what is no file (system calls, ringwayd's and the engine's
// answers) was asked before and stands in struct doctor. One thread.
#pragma once

#include "base/err.h"
#include "cli/strv.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DOCTOR_ADVICE_MAX 6
#define DOCTOR_NEED_MIB \
	512 // Of 2 MiB pages, from which on a container is given them (docs/docker.md).
#define DOCTOR_MEMLOCK_MIB 64	    // What a function's container may lock besides its memory.
#define DOCTOR_PLACE "/run/ringway" // In a container.

enum doctor_status {
	DOCTOR_OK,	// As it should be.
	DOCTOR_NOTE,	// Nothing is wrong, but worth knowing.
	DOCTOR_UNKNOWN, // Could not be seen from here.
	DOCTOR_WARNING, // Will hurt, or is left over.
	DOCTOR_MISSING, // Needed for what was asked for, and not there. The only one that fails.
	DOCTOR_STATUS_COUNT
};

// What a host or a container is to be used for.
enum doctor_use {
	DOCTOR_VHOST = 1,  // Sockets for DPDK applications.
	DOCTOR_KERNEL = 2, // Ordinary interfaces.
	DOCTOR_SRIOV = 4,  // Functions of a NIC.
	DOCTOR_UPLINK = 8, // Devices of the host on a network.
	DOCTOR_USE_COUNT = 4
};
#define DOCTOR_ALL (DOCTOR_VHOST | DOCTOR_KERNEL | DOCTOR_SRIOV | DOCTOR_UPLINK)

extern const char *const doctor_use_names[DOCTOR_USE_COUNT];
extern const char *const doctor_status_names[DOCTOR_STATUS_COUNT];

// Of this process. Errors are positive errno values, 0: it works.
struct doctor_process {
	uid_t uid;
	gid_t gid;
	uint64_t memlock; // RLIMIT_MEMLOCK in bytes; UINT64_MAX: no limit.
	int get_mempolicy, set_mempolicy, mbind;
	int bpf;
	const char *ld_preload;	  // NULL: not set.
	const char *preload_mode; // RINGWAY_PRELOAD; NULL: not set.
};

// What ringwayd said; NULL where it did not. `error` is why it did not.
struct doctor_daemon {
	json_t *version;
	json_t *sw;
	json_t *networks; // An array, with "functions" where a network has some.
	struct rwy_err error;
};

// What the engine said; NULL where it did not.
struct doctor_engine {
	const char *socket;
	json_t *version;
	json_t *networks; // An array.
	struct rwy_err error;
};

struct doctor {
	const char *root; // "" or a directory that stands for "/".
	const char *run_dir;
	bool inside; // A container.
	unsigned int uses;
	struct doctor_process process;
	struct doctor_daemon daemon;
	struct doctor_engine engine;
	char *kernel_config; // Of this kernel; NULL: not found.
};

struct doctor_advice {
	char text[384];
	char command[640]; // For a shell; empty: none.
};

struct doctor_result {
	enum doctor_status status;
	char seen[768];
	struct strv details; // A line each.
	struct doctor_advice advice[DOCTOR_ADVICE_MAX];
	size_t advice_count;
};

struct doctor_check {
	const char *id;
	const char *title;
	bool on_host, inside;
	unsigned int uses; // Of which at least one has to be meant.
	void (*run)(const struct doctor *d, struct doctor_result *ret);
};

// The families, each ended by an empty one.
extern const struct doctor_check doctor_memory_checks[];
extern const struct doctor_check doctor_limit_checks[];
extern const struct doctor_check doctor_cpu_checks[];
extern const struct doctor_check doctor_vfio_checks[];
extern const struct doctor_check doctor_pci_checks[];
extern const struct doctor_check doctor_kernel_checks[];
extern const struct doctor_check doctor_service_checks[];
extern const struct doctor_check doctor_engine_checks[];
extern const struct doctor_check doctor_inside_checks[];
extern const struct doctor_check doctor_left_checks[];

// The check of this name, or NULL.
const struct doctor_check *doctor_find_check(const char *id);
// Calls each() for every check, in the order of the families.
void doctor_each_check(void (*each)(const struct doctor_check *check, void *arg), void *arg);

// The status becomes the worse of the two; the text is added to what was seen. Bytes that no terminal should get become '?'.
void doctor_saw(struct doctor_result *result, enum doctor_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void doctor_detail(struct doctor_result *result, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
// What to do, as a sentence. The next doctor_command() belongs to it.
void doctor_advise(struct doctor_result *result, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void doctor_command(struct doctor_result *result, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void doctor_result_fini(struct doctor_result *result);

// What is not there: DOCTOR_MISSING where one of these uses is meant, else DOCTOR_NOTE.
enum doctor_status doctor_lack(const struct doctor *d, unsigned int uses);

// Asks the kernel, the environment, ringwayd and the engine; decides about the place, not about the uses.
void doctor_look(struct doctor *d);
void doctor_fini(struct doctor *d);
// Whether this is a container, by the namespaces and marks below the root.
bool doctor_is_inside(const struct doctor *d);
// What this host, or this container, is used for or could be: docs/doctor.md says how that is decided.
unsigned int doctor_choose_uses(const struct doctor *d);
// Whether ringwayd has a network with an uplink, and whether it has one that is a PCI device.
bool doctor_has_uplink(const struct doctor *d, bool pci);
