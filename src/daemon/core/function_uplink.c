// SPDX-License-Identifier: BSD-3-Clause
// Functions that uplinks drive: taken as ports' are, by rows without a network, before the uplink is told of its device, and returned
// after its process has closed it. Any thread, under the service's lock.
#include "base/log.h"
#include "daemon/core/functions.h"
#include "daemon/core/kernel.h"
#include "wire/uplink.h"

#include <errno.h>
#include <string.h>

static bool read_device(const struct port *port, char ret_address[UPLINK_PCI_SIZE])
{
	return port_is_ether(port) && uplink_read_pci(port->info.spec.device, ret_address);
}

// Drivers with which DPDK drives the device beside the kernel, and those that give it to DPDK: who bound it meant that.
static bool is_for_dpdk(const char *driver)
{
	static const char *const drivers[] = {
		"vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core", "mana"};
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strcmp(driver, drivers[i]) == 0)
			return true;
	return false;
}

static int take_known(
	struct daemon *d,
	struct function *function,
	const struct port *port,
	struct rwy_err *err
)
{
	const struct network *network;
	if (!function->row.network && function->row.state == FUNCTION_TAKEN)
		return 0;
	if (!function->row.network) {
		// On its way back, it turns round: what the host had is known.
		if (function->row.state == FUNCTION_RETURNING) {
			function->row.port = port->info.id;
			function_set_state(d, function, FUNCTION_TAKING);
			functions_kick(d);
		}
		return 1;
	}
	TAILQ_FOREACH (network, &d->networks, entry)
		if (network->info.id == function->row.network)
			err_set(err,
				-EBUSY,
				"cannot use device '%s': it is a function of network '%s'",
				port->info.spec.device,
				network->info.spec.name);
	return -EBUSY;
}

static int take_new(
	struct daemon *d,
	const struct port *port,
	const struct function_info *info,
	struct rwy_err *err
)
{
	struct store_function row = {
		.number = info->number,
		.port = port->info.id,
		.state = FUNCTION_TAKING,
	};
	const char *pf = info->is_virtual ? info->parent : info->address;
	if (!info->is_virtual && parent_find(d, pf))
		return err_set(
			err,
			-EBUSY,
			"cannot use device '%s': networks have functions of it",
			port->info.spec.device
		);
	(void)memcpy(row.address, info->address, sizeof(row.address));
	(void)memcpy(row.pf, pf, sizeof(row.pf));
	int r = store_functions_put(d->store, &row, 1, err);
	if (r)
		return r;
	if (!function_keep(d, &row)) {
		store_function_delete(d->store, row.address);
		return err_set(err, -ENOMEM, "no memory for a function");
	}
	functions_kick(d);
	return 1;
}

int function_uplink_take(struct daemon *d, const struct port *port, struct rwy_err *err)
{
	char address[UPLINK_PCI_SIZE];
	struct function_info info;
	if (!d->pci || !read_device(port, address))
		return 0;
	struct function *function = function_find(d, address);
	if (function)
		return take_known(d, function, port, err);
	// One that is not there, or that nothing is known of, is the uplink's to judge.
	if (functions_get(d->pci, address, &info, NULL) || is_for_dpdk(info.driver))
		return 0;
	return take_new(d, port, &info, err);
}

void function_uplink_release(struct daemon *d, const struct port *port)
{
	char address[UPLINK_PCI_SIZE];
	char device[UPLINK_PCI_SIZE];
	const struct port *other;
	struct function *function = read_device(port, address) ? function_find(d, address) : NULL;
	if (!function || function->row.network || function->row.port != port->info.id)
		return;
	TAILQ_FOREACH (other, &d->ports, entry) {
		if (other == port || other->state == STORE_REMOVING ||
		    !read_device(other, device) || strcmp(device, address) != 0)
			continue;
		function->row.port = other->info.id; // Another VLAN of it.
		store_function_put_surely(d->store, &function->row);
		return;
	}
	function_set_state(d, function, FUNCTION_RETURNING);
	functions_kick(d);
}

void function_uplink_done(
	struct daemon *d,
	const char *address,
	int result,
	const struct rwy_err *why
)
{
	char device[UPLINK_PCI_SIZE];
	struct port *port;
	TAILQ_FOREACH (port, &d->ports, entry) {
		struct rwy_err err = *why;
		if (port->attached || port->state == STORE_REMOVING || !read_device(port, device) ||
		    strcmp(device, address) != 0)
			continue;
		int r = result ? result : ether_attach(d, port, false, &err);
		if (!port->taking && r)
			log_err(&err, "port '%s'", port->info.spec.name);
		if (!port->taking)
			continue;
		port->taking->result = r;
		port->taking->err = err;
		port->taking->done = true;
	}
}
