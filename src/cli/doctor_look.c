// SPDX-License-Identifier: BSD-3-Clause
// What `ringway doctor` cannot read from a file: the limits and system calls of this process, and what ringwayd and the engine
// answer. Nothing is changed by it. Also where this is, and what it is used for. One thread.
#include "base/cleanup.h"
#include "base/fields.h"
#include "cli/cli.h"
#include "cli/doctor_engine.h"
#include "cli/doctor_read.h"
#include "cli/doctor_sockets.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

// The default policy is asked for and set anew, on this thread and on a page of our own: nobody notices.
static void try_mempolicy(struct doctor_process *process)
{
	const size_t size = 4096;
	int mode = 0;
	process->get_mempolicy = syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) ? errno : 0;
	process->set_mempolicy = syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0) ? errno : 0;
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		process->mbind = errno;
		return;
	}
	process->mbind = syscall(SYS_mbind, page, size, MPOL_DEFAULT, NULL, 0, 0) ? errno : 0;
	(void)munmap(page, size); // Our own.
}

// Whether the kernel has the call at all, and whether this user may make a map.
static int try_bpf(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	long fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return errno;
	(void)close((int)fd); // It goes with it.
	return 0;
}

static void look_at_process(struct doctor_process *process)
{
	struct rlimit limit = {0};
	process->uid = geteuid();
	process->gid = getegid();
	process->memlock = UINT64_MAX;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		process->memlock = limit.rlim_cur;
	process->ld_preload = getenv("LD_PRELOAD");
	process->preload_mode = getenv("RINGWAY_PRELOAD");
	process->bpf = try_bpf();
	try_mempolicy(process);
}

// The list of networks has no functions: the network itself has them.
static json_t *with_functions(struct client *client, json_t *network)
{
	_cleanup_json_ json_t *whole = NULL;
	struct rwy_err err = {0};
	const char *name = cli_member(network, "name");
	bool has_some = json_integer_value(json_object_get(network, "vfs")) > 0 ||
		strcmp(cli_member(network, "driver"), "sriov") == 0;
	_cleanup_free_ char *path = has_some ? client_path("/v1/networks/", name, "") : NULL;
	if (path && client_call(client, "GET", path, NULL, &whole, &err) == 0)
		return json_incref(whole);
	return json_incref(network);
}

static void ask_daemon(const char *run_dir, struct doctor_daemon *daemon)
{
	_cleanup_json_ json_t *answer = NULL;
	struct rwy_err ignored = {0};
	_cleanup_client_ struct client *client = client_new(run_dir, &daemon->error);
	if (!client ||
	    client_call(client, "GET", "/v1/version", NULL, &daemon->version, &daemon->error))
		return;
	// One that answers the first may still fail at the others; then they are not known.
	(void)client_call(client, "GET", "/v1/switch", NULL, &daemon->sw, &ignored);
	if (client_call(client, "GET", "/v1/networks", NULL, &answer, &ignored))
		return;
	daemon->networks = json_array();
	size_t i;
	json_t *network;
	json_array_foreach(json_object_get(answer, "networks"), i, network)
	{
		if (json_is_object(network))
			(void
			)json_array_append_new(daemon->networks, with_functions(client, network));
	}
}

void doctor_look(struct doctor *d)
{
	d->inside = doctor_is_inside(d);
	d->kernel_config = doctor_read_config(d);
	look_at_process(&d->process);
	if (d->inside)
		return; // Neither is given to a container.
	ask_daemon(d->run_dir, &d->daemon);
	doctor_ask_engine(&d->engine);
}

void doctor_fini(struct doctor *d)
{
	json_decref(d->daemon.version);
	json_decref(d->daemon.sw);
	json_decref(d->daemon.networks);
	json_decref(d->engine.version);
	json_decref(d->engine.networks);
	free(d->kernel_config);
}

// The kernel's first namespaces have numbers of their own (include/uapi/linux/nsfs.h, PROC_*_INIT_INO).
static bool is_first(const struct doctor *d, const char *kind, const char *first)
{
	char name[64];
	doctor_read_link(d, name, sizeof(name), "/proc/self/ns/%s", kind);
	return !name[0] || strcmp(name, first) == 0;
}

// Marks alone do not make a container: a virtual machine's disk may be made of an image and keep them. Neither do namespaces:
// unshare(1) gives a shell some.
bool doctor_is_inside(const struct doctor *d)
{
	bool apart = !is_first(d, "pid", "pid:[4026531836]") ||
		!is_first(d, "ipc", "ipc:[4026531839]") || !is_first(d, "uts", "uts:[4026531838]");
	bool marked = doctor_exists(d, "/.dockerenv") || doctor_exists(d, "/run/.containerenv") ||
		doctor_exists(d, "/run/systemd/container") ||
		doctor_exists(d, DOCTOR_PLACE "/eal-args");
	if (doctor_exists(d, DOCTOR_PLACE "/manifest.json"))
		return true;
	// Where ringwayd runs is a host to it, container or not. A socket that was mounted has its listener elsewhere.
	char api[READ_LINE_SIZE];
	int size = snprintf(api, sizeof(api), "%s/api.sock", d->run_dir);
	bool here = size > 0 && (size_t)size < sizeof(api) && doctor_is_listened(d, api);
	return apart && marked && !here;
}

bool doctor_has_uplink(const struct doctor *d, bool pci)
{
	size_t i;
	json_t *network;
	json_array_foreach(d->daemon.networks, i, network)
	{
		const char *device = cli_member(network, "uplink");
		// "0000:03:00.0", "03:00.0,option=1": no interface or driver has a dot there.
		const char *dot = strchr(device, '.');
		size_t head = strspn(device, "0123456789abcdefABCDEF:");
		bool is_pci = dot && device + head == dot && strchr(device, ':');
		if (device[0] && (is_pci || !pci))
			return true;
	}
	return false;
}

static bool has_functions(const struct doctor *d)
{
	_cleanup_strv_ struct strv devices = {0};
	size_t i;
	json_t *network;
	json_array_foreach(d->daemon.networks, i, network)
	{
		if (strcmp(cli_member(network, "driver"), "sriov") == 0)
			return true;
	}
	(void)doctor_list(d, &devices, "/sys/bus/pci/devices"); // None without PCI.
	for (i = 0; i < devices.count; i++)
		if (doctor_read_number(
			    d, 0, "/sys/bus/pci/devices/%s/sriov_totalvfs", devices.items[i]
		    ) > 0)
			return true;
	return false;
}

unsigned int doctor_choose_uses(const struct doctor *d)
{
	unsigned int uses = DOCTOR_VHOST;
	if (d->inside) {
		bool given = doctor_exists(d, "/dev/vfio/vfio");
		bool sockets = doctor_exists(d, DOCTOR_PLACE "/net0.sock");
		return given ? DOCTOR_SRIOV | (sockets ? uses : 0) : uses;
	}
	uses |= DOCTOR_KERNEL;
	if (has_functions(d))
		uses |= DOCTOR_SRIOV;
	if (doctor_has_uplink(d, false))
		uses |= DOCTOR_UPLINK;
	return uses;
}
