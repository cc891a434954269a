// SPDX-License-Identifier: BSD-3-Clause
// What a user may write for a device. No state; any thread.
#include "daemon/uplinks/uplinks.h"
#include "wire/uplink.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FORMS "give an interface (eth1), xdp:INTERFACE, a PCI address, or DPDK's arguments (net_..)"

static bool is_interface_name(const char *text)
{
	size_t size = strlen(text);
	if (!size || size >= IFNAMSIZ || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	for (; *text; text++) // What the kernel refuses, and what separates DPDK's arguments.
		if (*text == '/' || *text == ':' || *text == ',' || !isgraph((unsigned char)*text))
			return false;
	return true;
}

// -ENODEV: it is not there now.
static int from_interface(
	const char *text,
	const char *driver,
	const char *name,
	char ret[UPLINK_DEVICE_SIZE],
	struct rwy_err *err
)
{
	if (!is_interface_name(name)) {
		(void)err_set(
			err,
			-EINVAL,
			"cannot use device '%.64s': '%.32s' is no interface's name",
			text,
			name
		);
		return err_hint(err, FORMS);
	}
	(void)snprintf(ret, UPLINK_DEVICE_SIZE, "%s0,iface=%s", driver, name); // It fits.
	if (if_nametoindex(name))
		return 0;
	(void
	)err_set(err, -ENODEV, "cannot use device '%s': there is no interface '%s'", text, name);
	return err_hint(
		err, "see `ip link`; other devices: a PCI address, or DPDK's arguments (net_..)"
	);
}

static int from_pci(
	const char *text,
	const char *address,
	char ret[UPLINK_DEVICE_SIZE],
	struct rwy_err *err
)
{
	char path[64];
	const char *options = strchr(text, ',');
	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address); // It fits.
	if (snprintf(ret, UPLINK_DEVICE_SIZE, "%s%s", address, options ? options : "") >=
	    UPLINK_DEVICE_SIZE)
		return err_set(err, -EINVAL, "cannot use device '%.64s..': it is too long", text);
	if (access(path, F_OK) == 0)
		return 0;
	return err_set(
		err, -ENODEV, "cannot use device '%s': there is no PCI device %s", text, address
	);
}

// DPDK's own arguments: a name of letters, digits and underscores, then options.
static int from_args(const char *text, char ret[UPLINK_DEVICE_SIZE], struct rwy_err *err)
{
	char interface[IFNAMSIZ];
	size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (text[name] != '\0' && text[name] != ',')
		return err_set(
			err,
			-EINVAL,
			"cannot use device '%.64s': its name is no DPDK device's",
			text
		);
	if (strncmp(text, "net_virtio_user", strlen("net_virtio_user")) == 0)
		return err_set(
			err,
			-EINVAL,
			"cannot use device '%.64s': uplinks join the switch by it themselves",
			text
		);
	(void)snprintf(ret, UPLINK_DEVICE_SIZE, "%s", text); // Its length was looked at.
	const char *value = strstr(text, ",iface=");
	if (!value)
		return 0;
	value += strlen(",iface=");
	size_t size = strcspn(value, ",");
	// net_tap makes its interface itself.
	if (strncmp(text, "net_tap", strlen("net_tap")) == 0 || size >= sizeof(interface))
		return 0;
	memcpy(interface, value, size);
	interface[size] = '\0';
	if (if_nametoindex(interface))
		return 0;
	return err_set(err, -ENODEV, "cannot use device '%s': there is no interface '%s'", text, interface);
}

int uplinks_check_device(
	const char *text,
	char ret_devargs[UPLINK_DEVICE_SIZE],
	struct rwy_err *err
)
{
	char address[UPLINK_PCI_SIZE];
	// Room for what the uplink adds.
	if (strlen(text) >= UPLINK_DEVICE_SIZE / 2)
		return err_set(err, -EINVAL, "cannot use device '%.64s..': it is too long", text);
	for (const char *at = text; *at; at++)
		if (!isgraph((unsigned char)*at))
			return err_set(
				err,
				-EINVAL,
				"cannot use the device: it has characters that no device has"
			);
	if (strncmp(text, "net_", strlen("net_")) == 0)
		return from_args(text, ret_devargs, err);
	if (uplink_read_pci(text, address))
		return from_pci(text, address, ret_devargs, err);
	if (strncmp(text, "xdp:", strlen("xdp:")) == 0)
		return from_interface(text, "net_af_xdp", text + strlen("xdp:"), ret_devargs, err);
	if (strncmp(text, "packet:", strlen("packet:")) == 0)
		return from_interface(
			text, "net_af_packet", text + strlen("packet:"), ret_devargs, err
		);
	return from_interface(text, "net_af_packet", text, ret_devargs, err);
}
