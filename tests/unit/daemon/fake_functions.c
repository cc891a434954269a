// SPDX-License-Identifier: BSD-3-Clause
// Functions in an array. The test's thread and the instance's; each touches them while the other one waits.
#include "tests/unit/daemon/fake_functions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_functions fake_functions;

#define MAY_FAIL(err)                                                                  \
	do {                                                                           \
		if (fake_functions.fail && strcmp(fake_functions.fail, __func__) == 0) \
			return err_set(err, -EIO, "%s fails", __func__);               \
	} while (0)

// Of what changes the host.
#define MAY_STOP(err)                                                                \
	do {                                                                         \
		if (fake_functions.before_change && !fake_functions.before_change()) \
			return err_set(err, -EINTR, "%s is stopped", __func__);      \
	} while (0)

static void make_fresh(struct fake_function *function, unsigned int number)
{
	*function = (struct fake_function){
		.driver = "igbvf",
		.attributes = {.mac_none = true, .spoof_check = 1},
	};
	(void)snprintf(function->interface, sizeof(function->interface), "eth2v%u", number & 7);
}

void fake_functions_reset(uint16_t vfs)
{
	fake_functions = (struct fake_functions){.vfs = vfs};
	for (unsigned int i = 0; i < FAKE_FUNCTIONS_MAX; i++)
		make_fresh(&fake_functions.list[i], i);
	fake_functions.nic = (struct fake_function){.driver = "e1000", .interface = "eth7"};
}

bool fake_function_is_fresh(unsigned int number)
{
	const struct fake_function *f = &fake_functions.list[number];
	struct fake_function fresh;
	make_fresh(&fresh, number);
	return !f->dirty && strcmp(f->driver, fresh.driver) == 0 && !f->overridden &&
		strcmp(f->interface, fresh.interface) == 0 && !f->inside[0] && f->owner == 0 &&
		memcmp(f->attributes.mac, fresh.attributes.mac, MAC_SIZE) == 0 &&
		f->attributes.vlan == 0 && f->attributes.spoof_check == 1 &&
		f->attributes.trust == 0 && f->attributes.link_state == 0 &&
		f->attributes.rate_min == 0 && f->attributes.rate_max == 0;
}

static struct fake_function *find(const char *address)
{
	unsigned int number;
	if (strcmp(address, FAKE_NIC) == 0)
		return &fake_functions.nic;
	if (strncmp(address, "0000:03:10.", 11) != 0)
		return NULL;
	number = (unsigned int)(address[11] - '0');
	return number < fake_functions.vfs ? &fake_functions.list[number] : NULL;
}

static int gone(const char *address, struct rwy_err *err)
{
	return err_set(err, -ENODEV, "there is no PCI device %s", address);
}

#define FIND(address, err)                              \
	struct fake_function *function = find(address); \
	do {                                            \
		if (!function)                          \
			return gone(address, err);      \
	} while (0)

int functions_open(
	const struct functions_config *config,
	struct functions **ret,
	struct rwy_err *err
)
{
	if (fake_functions.absent)
		return err_set(err, -EOPNOTSUPP, "the host has no PCI");
	*ret = (struct functions *)&fake_functions;
	return 0;
}

void functions_close(struct functions *functions)
{
}

static void fill_parent(struct function_info *ret)
{
	*ret = (struct function_info){
		.address = FAKE_PF,
		.vfs = fake_functions.vfs,
		.vfs_max = FAKE_FUNCTIONS_MAX,
		.driver = "igb",
		.interface = "eth2",
		.iommu_group = 1,
	};
}

int functions_get(
	struct functions *functions,
	const char *address,
	struct function_info *ret,
	struct rwy_err *err
)
{
	if (strcmp(address, FAKE_PF) == 0) {
		fill_parent(ret);
		return 0;
	}
	FIND(address, err);
	*ret = (struct function_info){
		.is_virtual = function != &fake_functions.nic,
		.overridden = function->overridden,
		.iommu_group = 10 + address[11] - '0',
		.numa_node = function->numa_node,
		.can_reset = true,
	};
	(void)snprintf(ret->address, sizeof(ret->address), "%s", address);
	(void)snprintf(ret->driver, sizeof(ret->driver), "%s", function->driver);
	(void)snprintf(ret->interface, sizeof(ret->interface), "%s", function->interface);
	if (ret->is_virtual) {
		(void)snprintf(ret->parent, sizeof(ret->parent), FAKE_PF);
		ret->number = (uint16_t)(address[11] - '0');
	}
	return 0;
}

int functions_find_parent(
	struct functions *functions,
	const char *text,
	struct function_info *ret,
	struct rwy_err *err
)
{
	fake_functions.parent_lookups++;
	if (strcmp(text, "eth1") == 0)
		return err_set(err, -EINVAL, "'eth1' has no SR-IOV");
	if (strcmp(text, "eth2") != 0 && strcmp(text, FAKE_PF) != 0)
		return err_set(err, -ENODEV, "there is no interface '%s'", text);
	fill_parent(ret);
	return 0;
}

int functions_list_vfs(
	struct functions *functions,
	const char *parent,
	char (*ret)[FUNCTION_ADDRESS_SIZE],
	size_t *ret_count,
	struct rwy_err *err
)
{
	*ret_count = fake_functions.vfs;
	for (unsigned int i = 0; i < fake_functions.vfs; i++)
		(void)snprintf(ret[i], FUNCTION_ADDRESS_SIZE, "0000:03:10.%u", i & 7);
	return 0;
}

int functions_set_count(
	struct functions *functions,
	const char *parent,
	uint16_t count,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	MAY_STOP(err);
	fake_functions.counts_set++;
	fake_functions.vfs = count;
	for (unsigned int i = 0; i < FAKE_FUNCTIONS_MAX; i++)
		make_fresh(&fake_functions.list[i], i);
	return 0;
}

int functions_check_free(
	struct functions *functions,
	const char *address,
	bool for_vfio,
	bool noiommu,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	FIND(address, err);
	if (function->used)
		return err_set(err, -EBUSY, "function %s is used by %s", address, function->used);
	if (function->open)
		return err_set(err, -EBUSY, "process 77 (testpmd) has %s open", address);
	if (for_vfio && fake_functions.no_iommu && !noiommu)
		return err_set(err, -ENOTSUP, "there is no IOMMU");
	return 0;
}

int functions_get_attributes(
	struct functions *functions,
	const char *address,
	struct function_attributes *ret,
	struct function_counters *ret_counters,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	FIND(address, err);
	*ret = function->attributes;
	ret->mac_none = mac_is_zero(ret->mac);
	if (ret_counters)
		*ret_counters = (struct function_counters
		){.known = true, .rx_frames = 11, .rx_bytes = 22, .tx_frames = 33};
	return 0;
}

int functions_set_attributes(
	struct functions *functions,
	const char *address,
	const struct function_attributes *attributes,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	MAY_STOP(err);
	FIND(address, err);
	struct function_attributes *to = &function->attributes;
	if (!mac_is_zero(attributes->mac) || attributes->mac_none)
		(void)memcpy(to->mac, attributes->mac, MAC_SIZE);
	to->vlan = attributes->vlan >= 0 ? attributes->vlan : to->vlan;
	to->spoof_check = attributes->spoof_check >= 0 ? attributes->spoof_check : to->spoof_check;
	to->trust = attributes->trust >= 0 ? attributes->trust : to->trust;
	to->link_state = attributes->link_state >= 0 ? attributes->link_state : to->link_state;
	to->rate_min = attributes->rate_min >= 0 ? attributes->rate_min : to->rate_min;
	to->rate_max = attributes->rate_max >= 0 ? attributes->rate_max : to->rate_max;
	return 0;
}

int functions_bind(
	struct functions *functions,
	const char *address,
	const char *driver,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	MAY_STOP(err);
	FIND(address, err);
	bool vfio = driver && strcmp(driver, FUNCTION_VFIO) == 0;
	(void
	)snprintf(function->driver, sizeof(function->driver), "%s", vfio ? FUNCTION_VFIO : "igbvf");
	function->overridden = vfio;
	function->dirty = function->dirty || vfio;
	function->owner = 0;
	function->binds++;
	// The kernel's choice of a name is not the one that it had.
	(void)snprintf(
		function->interface,
		sizeof(function->interface),
		"%s%.1s",
		vfio ? "" : "eth9",
		vfio ? "" : address + 11
	);
	return 0;
}

int functions_unbind(struct functions *functions, const char *address, struct rwy_err *err)
{
	MAY_FAIL(err);
	MAY_STOP(err);
	FIND(address, err);
	function->driver[0] = function->interface[0] = function->inside[0] = '\0';
	return 0;
}

int functions_reset(struct functions *functions, const char *address, struct rwy_err *err)
{
	MAY_FAIL(err);
	MAY_STOP(err);
	FIND(address, err);
	function->resets++;
	function->dirty = false;
	return 0;
}

int functions_vfio_path(
	struct functions *functions,
	const char *address,
	char ret_path[FUNCTION_PATH_SIZE],
	struct rwy_err *err
)
{
	FIND(address, err);
	(void)snprintf(ret_path, FUNCTION_PATH_SIZE, "/dev/vfio/%d", 10 + address[11] - '0');
	return function ? 0 : -ENODEV;
}

int functions_vfio_own(
	struct functions *functions,
	const char *address,
	uid_t uid,
	gid_t gid,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	MAY_STOP(err);
	FIND(address, err);
	function->owner = uid;
	return 0;
}

bool functions_vfio_is_open(struct functions *functions, const char *address)
{
	const struct fake_function *function = find(address);
	return function && function->open;
}

int functions_interface(
	struct functions *functions,
	const char *address,
	int wait_ms,
	char ret_name[FUNCTION_IFNAME_SIZE],
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	FIND(address, err);
	if (!function->interface[0])
		return err_set(err, -ENOENT, "%s has no interface", address);
	(void)snprintf(ret_name, FUNCTION_IFNAME_SIZE, "%s", function->interface);
	return 0;
}

static struct fake_function *find_interface(const char *name)
{
	for (unsigned int i = 0; i < FAKE_FUNCTIONS_MAX; i++)
		if (strcmp(fake_functions.list[i].interface, name) == 0)
			return &fake_functions.list[i];
	return NULL;
}

int functions_interface_prepare(
	struct functions *functions,
	const char *name,
	const uint8_t mac[MAC_SIZE],
	uint32_t mtu,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	MAY_STOP(err);
	struct fake_function *function = find_interface(name);
	if (!function)
		return err_set(err, -ENOENT, "there is no interface '%s'", name);
	function->dirty = true;
	return 0;
}

int functions_interface_rename(
	struct functions *functions,
	const char *name,
	const char *new_name,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	MAY_STOP(err);
	struct fake_function *function = find_interface(name);
	if (!function)
		return err_set(err, -ENOENT, "there is no interface '%s'", name);
	(void)snprintf(function->interface, sizeof(function->interface), "%s", new_name);
	return 0;
}

int functions_interface_place(
	struct functions *functions,
	const char *name,
	const struct function_inside *inside,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	MAY_STOP(err);
	struct fake_function *function = find_interface(name);
	if (!function)
		return err_set(err, -ENOENT, "there is no interface '%s'", name);
	(void)snprintf(function->inside, sizeof(function->inside), "%s", inside->name);
	function->interface[0] = '\0';
	return 0;
}

enum function_rdma_mode functions_rdma_mode(struct functions *functions)
{
	return FUNCTION_RDMA_NONE;
}

int functions_rdma_place(
	struct functions *functions,
	const char *rdma,
	int netns_fd,
	struct rwy_err *err
)
{
	return err_set(err, -EOPNOTSUPP, "there is no RDMA");
}
