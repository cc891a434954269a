// SPDX-License-Identifier: BSD-3-Clause
// Writes a place's files with a rename each. The directory is root's and containers mount it read-only, so
// nobody else puts anything there. Called with the service lock, which is what keeps two writers apart.
#include "daemon/docker/manifest.h"

#include "base/cleanup.h"
#include "base/fields.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);
	while (left) {
		ssize_t n = write(fd, text, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

static int replace_file(int dir_fd, const char *name, const char *text)
{
	char temporary[64];
	(void)snprintf(temporary, sizeof(temporary), ".%s.new", name); // Our own short names.
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	// What an earlier one left, or what somebody put there: never written to.
	if (unlinkat(dir_fd, temporary, 0) && errno != ENOENT)
		return -errno;
	_cleanup_close_ int fd = openat(dir_fd, temporary, flags, 0644);
	if (fd < 0)
		return -errno;
	int r = write_all(fd, text);
	// Any container user reads it, whatever umask ringwayd was started with.
	if (!r && fchmod(fd, 0644))
		r = -errno;
	if (!r && renameat(dir_fd, temporary, dir_fd, name))
		r = -errno;
	if (r)
		(void)unlinkat(dir_fd, temporary, 0); // What matters failed before.
	return r;
}

// How the application finds it: a socket, or a PCI device and the node that gives it to a process.
static json_t *place_json(const struct manifest_port *port)
{
	char path[64];
	if (port->eal.pci[0])
		return json_pack(
			"{s:s, s:s, s:s, s:i, s:i}",
			"attach",
			"vf",
			"pci",
			port->eal.pci,
			"vfio",
			port->vfio,
			"iommu_group",
			(int)port->iommu_group,
			"numa_node",
			(int)port->numa_node
		);
	(void
	)snprintf(path, sizeof(path), EAL_PLACE_DIR "/net%u.sock", port->eal.index); // It fits.
	return json_pack(
		"{s:s, s:s, s:i}",
		"attach",
		"vhost",
		"socket",
		path,
		"queues",
		(int)port->eal.queues
	);
}

static json_t *port_json(const struct manifest_port *port)
{
	char mac[MAC_TEXT_SIZE];
	mac_format(port->eal.mac, mac);
	json_t *object = json_pack(
		"{s:s, s:s, s:s, s:i}",
		"name",
		port->name,
		"network",
		port->network,
		"mac",
		mac,
		"mtu",
		(int)port->mtu
	);
	_cleanup_json_ json_t *place = place_json(port);
	if (!object || json_object_update(object, place)) {
		json_decref(object);
		return NULL;
	}
	const struct {
		const char *name, *text;
	} addresses[] = {
		{"ip", port->ip},
		{"ip6", port->ip6},
		{"gateway", port->gateway},
		{"gateway6", port->gateway6},
	};
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (addresses[i].text[0]) // What has no memory is left out, as what is not there.
			(void)json_object_set_new(
				object, addresses[i].name, json_string(addresses[i].text)
			);
	return object;
}

static char *manifest_text(const struct manifest *manifest)
{
	_cleanup_json_ json_t *ports = json_array();
	for (size_t i = 0; i < manifest->port_count; i++)
		if (json_array_append_new(ports, port_json(&manifest->ports[i])))
			return NULL;
	_cleanup_json_ json_t *object = json_pack(
		"{s:i, s:O, s:n, s:{s:b, s:i}}",
		"version",
		1,
		"ports",
		ports,
		"lcores",
		"memory",
		"hugepages",
		(int)manifest->memory.hugepages,
		"size_mib",
		(int)manifest->memory.size_mib
	);
	return object ? json_dumps(object, JSON_INDENT(2)) : NULL;
}

static char *args_text(const struct manifest *manifest)
{
	struct eal_port ports[MANIFEST_PORTS];
	for (size_t i = 0; i < manifest->port_count; i++)
		ports[i] = manifest->ports[i].eal;
	_cleanup_json_ json_t *args = eal_make_args(&manifest->memory, ports, manifest->port_count);
	return args ? eal_join_args(args, '\n', true) : NULL;
}

// RUN/ports/PLACE, where neither of the last two may be a link.
static int open_place(const char *dir)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	char all[PATH_TEXT_SIZE];
	const char *name = strrchr(dir, '/');
	if (!name || name == dir || (size_t)(name - dir) >= sizeof(all))
		return -EINVAL;
	(void)snprintf(all, sizeof(all), "%.*s", (int)(name - dir), dir); // It fits.
	_cleanup_close_ int all_fd = open(all, flags);
	int fd = all_fd < 0 ? -1 : openat(all_fd, name + 1, flags);
	return fd < 0 ? -errno : fd;
}

int manifest_write(const char *dir, const struct manifest *manifest, struct rwy_err *err)
{
	_cleanup_free_ char *object = manifest_text(manifest);
	_cleanup_free_ char *args = args_text(manifest);
	if (!object || !args)
		return err_set(err, -ENOMEM, "cannot write the manifest in '%s': no memory", dir);
	_cleanup_close_ int dir_fd = open_place(dir);
	int r = dir_fd < 0 ? dir_fd : 0;
	if (!r)
		r = replace_file(dir_fd, "eal-args", args);
	if (!r)
		r = replace_file(dir_fd, "manifest.json", object);
	if (r)
		return err_set(err, r, "cannot write the manifest in '%s': %s", dir, strerror(-r));
	return 0;
}

int manifest_read_memory(const char *dir, struct eal_memory *ret_memory)
{
	_cleanup_close_ int dir_fd = open_place(dir);
	_cleanup_close_ int fd = dir_fd < 0
		? -1
		: openat(dir_fd, "manifest.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	_cleanup_json_ json_t *object = json_loadfd(fd, 0, NULL);
	int hugepages, size_mib;
	int r = json_unpack(
		object, "{s:{s:b, s:i}}", "memory", "hugepages", &hugepages, "size_mib", &size_mib
	);
	if (!object || r || size_mib <= 0)
		return -ENOENT;
	ret_memory->hugepages = hugepages;
	ret_memory->size_mib = (uint32_t)size_mib;
	return 0;
}
