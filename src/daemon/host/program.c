// SPDX-License-Identifier: BSD-3-Clause
// The tc programs and their maps. The programs are loaded at every start, so that a new ringwayd brings its own, and stay
// with the interfaces that they were attached to; the maps are pinned in a bpf file system of ringwayd's own and found
// there again.
#include "bpf/port_bpf.h"
#include "daemon/host/internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PIN_PREFIX "maps-"

static const char *const map_names[HOST_MAP_COUNT] = {
	[HOST_MAP_PORTS] = "ports",
	[HOST_MAP_NETWORKS] = "networks",
	[HOST_MAP_FDB] = "fdb",
	[HOST_MAP_MEMBERS] = "members",
	[HOST_MAP_STATIONS] = "stations",
	[HOST_MAP_NEIGHBORS] = "neighbors",
	[HOST_MAP_LEARNED] = "learned",
	[HOST_MAP_SHARES] = "shares",
	[HOST_MAP_COUNTERS] = "counters",
	[HOST_MAP_LIMITS] = "limits",
};

// What libbpf last complained of: the reason behind its errno. Under the caller's lock as all else is.
static char complaint[256];

static int note_complaint(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level != LIBBPF_WARN)
		return 0;
	(void)vsnprintf(complaint, sizeof(complaint), fmt, args); // Cut off is good enough.
	complaint[strcspn(complaint, "\n")] = '\0';
	return 0;
}

static int mount_bpf(const struct host *host, struct rwy_err *err)
{
	struct statfs fs;
	if (mkdir(host->bpf_dir, 0700) && errno != EEXIST)
		return err_set(err, -errno, "cannot make '%s': %s", host->bpf_dir, strerror(errno));
	if (!statfs(host->bpf_dir, &fs) && fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (!mount("bpf", host->bpf_dir, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") &&
	    !mount(NULL, host->bpf_dir, NULL, MS_PRIVATE, NULL))
		return 0;
	int r = -errno;
	err_set(err,
		-EOPNOTSUPP,
		"cannot mount a bpf file system at '%s': %s",
		host->bpf_dir,
		strerror(-r));
	return err_hint(err, "kernel ports need CAP_SYS_ADMIN and a kernel with bpf");
}

static void remove_pins(const char *dir)
{
	char path[PATH_MAX];
	DIR *entries = opendir(dir);
	const struct dirent *entry;
	while (entries && (entry = readdir(entries))) {
		if (entry->d_name[0] == '.')
			continue;
		int size = snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (size > 0 && (size_t)size < sizeof(path))
			(void)unlink(path); // What is left shows when the directory is removed.
	}
	if (entries)
		(void)closedir(entries); // Nothing was written.
	(void)rmdir(dir);
}

// Pins of other versions. Programs that are attached go on with those maps until they are replaced.
static void remove_old_pins(const struct host *host)
{
	char path[PATH_MAX];
	DIR *entries = opendir(host->bpf_dir);
	const struct dirent *entry;
	while (entries && (entry = readdir(entries))) {
		int size = snprintf(path, sizeof(path), "%s/%s", host->bpf_dir, entry->d_name);
		if (size < 0 || (size_t)size >= sizeof(path))
			continue;
		if (strncmp(entry->d_name, PIN_PREFIX, strlen(PIN_PREFIX)) == 0 &&
		    strcmp(path, host->pin_dir) != 0)
			remove_pins(path);
	}
	if (entries)
		(void)closedir(entries); // Nothing was written.
}

static int pin_maps(struct host *host, struct rwy_err *err)
{
	char path[PATH_MAX];
	struct bpf_map *map;
	if (mkdir(host->pin_dir, 0700) && errno != EEXIST)
		return err_set(err, -errno, "cannot make '%s': %s", host->pin_dir, strerror(errno));
	bpf_object__for_each_map(map, host->object)
	{
		// The programs' constants are each load's own.
		if (bpf_map__is_internal(map))
			continue;
		int size = snprintf(path, sizeof(path), "%s/%s", host->pin_dir, bpf_map__name(map));
		if (size < 0 || (size_t)size >= sizeof(path))
			return err_set(err, -ENAMETOOLONG, "the run directory's name is too long");
		int r = bpf_map__set_pin_path(map, path);
		if (r)
			return err_set(err, r, "cannot pin map '%s': %s", path, strerror(-r));
	}
	return 0;
}

static int load(struct host *host, struct rwy_err *err)
{
	const struct bpf_object_open_opts options = {
		.sz = sizeof(options), .object_name = "ringway_port"};
	complaint[0] = '\0';
	host->object = bpf_object__open_mem(port_bpf, sizeof(port_bpf), &options);
	if (!host->object)
		return err_set(err, -errno, "cannot read the tc programs: %s", complaint);
	int r = pin_maps(host, err);
	if (r)
		return r;
	r = bpf_object__load(host->object);
	if (!r)
		return 0;
	err_set(err, -EOPNOTSUPP, "cannot load the tc programs: %s (%s)", strerror(-r), complaint);
	return err_hint(err, "kernel ports need Linux 5.17, and CAP_BPF with CAP_NET_ADMIN");
}

static int find_objects(struct host *host, struct rwy_err *err)
{
	const struct bpf_program *port =
		bpf_object__find_program_by_name(host->object, "port_ingress");
	const struct bpf_program *trunk =
		bpf_object__find_program_by_name(host->object, "trunk_ingress");
	host->port_program = port ? bpf_program__fd(port) : -1;
	host->trunk_program = trunk ? bpf_program__fd(trunk) : -1;
	if (host->port_program < 0 || host->trunk_program < 0)
		return err_set(err, -ENOENT, "the tc programs lack one");
	for (int i = 0; i < HOST_MAP_COUNT; i++) {
		host->map[i] = bpf_object__find_map_fd_by_name(host->object, map_names[i]);
		if (host->map[i] < 0)
			return err_set(
				err, -ENOENT, "the tc programs have no map '%s'", map_names[i]
			);
	}
	return 0;
}

int program_open(struct host *host, struct rwy_err *err)
{
	(void)libbpf_set_print(note_complaint); // Returns the one before.
	int r = mount_bpf(host, err);
	if (r)
		return r;
	remove_old_pins(host);
	r = load(host, err);
	return r ? r : find_objects(host, err);
}

void program_close(struct host *host)
{
	bpf_object__close(host->object);
	host->object = NULL;
}

void program_remove_pins(const struct host *host)
{
	remove_pins(host->pin_dir);
	// What is not there need not go.
	(void)umount2(host->bpf_dir, MNT_DETACH);
	(void)rmdir(host->bpf_dir);
}

int program_attach(struct host *host, int program, uint32_t ifindex, struct rwy_err *err)
{
	// libbpf looks at the padding too, which an initializer leaves as it is.
	struct bpf_tc_hook hook;
	struct bpf_tc_opts options;
	memset(&hook, 0, sizeof(hook));
	memset(&options, 0, sizeof(options));
	hook.sz = sizeof(hook);
	hook.ifindex = (int)ifindex;
	hook.attach_point = BPF_TC_INGRESS;
	options.sz = sizeof(options);
	options.prog_fd = program;
	options.flags = BPF_TC_F_REPLACE;
	options.handle = options.priority = 1;
	// libbpf's netlink socket is of the namespace that it is opened in.
	int r = netlink_enter(host->own_netns);
	if (r)
		return err_set(err, r, "cannot enter the own namespace: %s", strerror(-r));
	complaint[0] = '\0';
	r = bpf_tc_hook_create(&hook);
	if (!r || r == -EEXIST)
		r = bpf_tc_attach(&hook, &options);
	netlink_leave(host->home_netns);
	if (!r)
		return 0;
	err_set(err,
		r,
		"cannot attach the tc program to interface %u: %s %s",
		ifindex,
		strerror(-r),
		complaint);
	if ((r == -ENOENT || r == -EOPNOTSUPP) && err)
		return err_hint(
			err, "the kernel needs CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF"
		);
	return r;
}

int map_get(struct host *host, enum host_map map, const void *key, void *ret, struct rwy_err *err)
{
	if (!bpf_map_lookup_elem(host->map[map], key, ret))
		return 0;
	if (errno == ENOENT)
		return -ENOENT;
	return err_set(err, -errno, "cannot read map '%s': %s", map_names[map], strerror(errno));
}

int map_set(
	struct host *host,
	enum host_map map,
	const void *key,
	const void *value,
	struct rwy_err *err
)
{
	uint64_t flags = map == HOST_MAP_LIMITS ? BPF_F_LOCK : BPF_ANY;
	if (!bpf_map_update_elem(host->map[map], key, value, flags))
		return 0;
	int r = errno == E2BIG ? -ENOSPC : -errno;
	return err_set(err, r, "cannot write map '%s': %s", map_names[map], strerror(-r));
}

int map_delete(struct host *host, enum host_map map, const void *key, struct rwy_err *err)
{
	if (!bpf_map_delete_elem(host->map[map], key) || errno == ENOENT)
		return 0;
	return err_set(err, -errno, "cannot write map '%s': %s", map_names[map], strerror(errno));
}

int map_each_mac(
	struct host *host,
	enum host_map map,
	map_visit *visit,
	void *arg,
	struct rwy_err *err
)
{
	struct maps_mac key, next;
	// The next key is found before the visit may take this one away. The kernel may take a learned one away at any time,
	// and then begins anew: so there is an end to it.
	int left = 2 * MAPS_STATIONS_MAX;
	bool more = !bpf_map_get_next_key(host->map[map], NULL, &key);
	while (more && left--) {
		more = !bpf_map_get_next_key(host->map[map], &key, &next);
		int r = visit(host, &key, arg, err);
		if (r)
			return r;
		key = next;
	}
	return 0;
}
