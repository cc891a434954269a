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

static bool starts_with(const char *text, const char *what)
{
	return strncmp(text, what, strlen(what)) == 0;
}

// The interface that DPDK's arguments name, or that their driver needs.
static int check_args_iface(const char *text, struct rwy_err *err)
{
	char interface[UPLINK_IFACE_SIZE];
	int r = uplink_read_iface(text, interface);
	bool needed = starts_with(text, "net_af_packet") || starts_with(text, "net_af_xdp");
	if (r == -ENOENT && needed) {
		(void)err_set(err, -EINVAL, "cannot use device '%s': it names no interface", text);
		return err_hint(err, "give one: %.32s,iface=eth1, or just eth1", text);
	}
	if (r == -ENOENT)
		return 0;
	if (r)
		return err_set(
			err,
			-EINVAL,
			"cannot use device '%s': its 'iface=' has no interface's name",
			text
		);
	if (if_nametoindex(interface))
		return 0;
	(void)
		err_set(err,
			-ENODEV,
			"cannot use device '%s': there is no interface '%s'",
			text,
			interface);
	return err_hint(err, "`ip link` lists those there are");
}

// DPDK's own arguments: a name of letters, digits and underscores, then options.
static int from_args(const char *text, char ret[UPLINK_DEVICE_SIZE], struct rwy_err *err)
{
	size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (text[name] != '\0' && text[name] != ',')
		return err_set(
			err,
			-EINVAL,
			"cannot use device '%.64s': its name is no DPDK device's",
			text
		);
	if (starts_with(text, "net_virtio_user"))
		return err_set(
			err,
			-EINVAL,
			"cannot use device '%.64s': uplinks join the switch by it themselves",
			text
		);
	(void)snprintf(ret, UPLINK_DEVICE_SIZE, "%s", text); // Its length was looked at.
	return check_args_iface(text, err);
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
	if (starts_with(text, "net_"))
		return from_args(text, ret_devargs, err);
	if (uplink_read_pci(text, address))
		return from_pci(text, address, ret_devargs, err);
	if (starts_with(text, "xdp:"))
		return from_interface(text, "net_af_xdp", text + strlen("xdp:"), ret_devargs, err);
	if (starts_with(text, "packet:"))
		return from_interface(
			text, "net_af_packet", text + strlen("packet:"), ret_devargs, err
		);
	return from_interface(text, "net_af_packet", text, ret_devargs, err);
}
