// SPDX-License-Identifier: BSD-3-Clause
// The host's settings that networks need, below /proc/sys/net. Whoever holds the service's lock. rp_filter stays as
// it is: the table's check of source addresses is stricter, and has both families.
#include "daemon/firewall/sysctl.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/firewall/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 128

static const char *const ip_name[2] = {"ipv4", "ipv6"};

// -1: there is none of this name.
static int read_setting(const char *path)
{
	char text[16] = "";
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	return text[0] >= '0' && text[0] <= '9' ? text[0] - '0' : -1;
}

// Returns whether it had to be changed.
static bool write_setting(const char *path, int value)
{
	static bool said;
	int now = read_setting(path);
	if (now < 0 || now == value)
		return false;
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	char digit = (char)('0' + value);
	if (fd >= 0 && write(fd, &digit, 1) == 1)
		return true;
	if (!said)
		log_warn("cannot set %s to %d: %s", path, value, strerror(errno));
	said = true;
	return false;
}

static void set_interface(unsigned int family, const char *interface, const char *name, int value)
{
	char path[PATH_SIZE];
	(void)snprintf( // It fits.
		path,
		sizeof(path),
		"/proc/sys/net/%s/conf/%s/%s",
		ip_name[family],
		interface,
		name
	);
	(void)write_setting(path, value); // Said where it could not be.
}

// With forwarding, the kernel takes router advertisements only from interfaces that say so with a 2. Those that took
// them up to now have to go on, or the host loses its own routes.
static void keep_advertisements(void)
{
	static const char base[] = "/proc/sys/net/ipv6/conf";
	DIR *dir = opendir(base);
	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));) {
		char path[PATH_SIZE + NAME_MAX];
		const char *name = entry->d_name;
		// Interfaces that are still to come may be a container's business: they have to be told.
		if (name[0] == '.' || strcmp(name, "all") == 0 || strcmp(name, "default") == 0 ||
		    strcmp(name, "lo") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/forwarding", base, name);
		if (read_setting(path) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/accept_ra", base, name);
		if (read_setting(path) == 1 && write_setting(path, 2))
			log_info("set %s to 2: it takes router advertisements as before", path);
	}
	(void)closedir(dir); // It was only read.
}

static void forward(unsigned int family)
{
	static const char *const paths[2] = {
		"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"};
	if (family && read_setting(paths[1]) == 0)
		keep_advertisements();
	if (write_setting(paths[family], 1))
		log_info("set %s to 1: the host forwards for containers now", paths[family]);
}

static bool is_published_v4(
	const struct firewall_network *network,
	const struct firewall_publish *publishes,
	size_t publish_count
)
{
	struct publish_families families;
	for (size_t i = 0; i < publish_count; i++)
		if (publishes[i].network == network->id && !network->internal &&
		    !publish_families(&publishes[i], &families, NULL) && families.family[0])
			return true;
	return false;
}

void sysctl_apply(
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count
)
{
	bool forwards[2] = {false};
	for (size_t i = 0; i < network_count; i++) {
		const struct firewall_network *network = &networks[i];
		const char *interface = network->interface;
		// A container is no router for the host, and its redirects are no business of the host's.
		set_interface(1, interface, "accept_ra", 0);
		set_interface(0, interface, "accept_redirects", 0);
		set_interface(1, interface, "accept_redirects", 0);
		// Connections to 127.0.0.1 leave through it to the container.
		bool local = is_published_v4(network, publishes, publish_count);
		set_interface(0, interface, "route_localnet", local);
		for (unsigned int family = 0; family < 2; family++)
			forwards[family] |= network->subnet[family][0] && !network->internal;
	}
	for (unsigned int family = 0; family < 2; family++)
		if (forwards[family])
			forward(family);
	// That has set it on all interfaces.
	for (size_t i = 0; i < network_count * 2; i++)
		if (networks[i / 2].subnet[i % 2][0])
			set_interface(
				i % 2,
				networks[i / 2].interface,
				"forwarding",
				!networks[i / 2].internal
			);
}
