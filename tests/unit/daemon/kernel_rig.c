// SPDX-License-Identifier: BSD-3-Clause
// The fake kernel begins empty with each test. The test's thread has the lock.
#include "tests/unit/daemon/kernel_rig.h"

#include "tests/lib/unit.h"
#include "tests/unit/daemon/fake_functions.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRIES 500
#define PAUSE_US 10000

int rig_setup(void **state)
{
	fake_kernel = (struct fake_kernel){0};
	fake_functions_reset(0);
	return instance_setup(state);
}

struct network_spec rig_network(void)
{
	return (struct network_spec
	){.name = "n",
	  .subnet = "10.0.0.0/24",
	  .gateway = "10.0.0.1",
	  .subnet6 = "fd00::/64",
	  .gateway6 = "fd00::1"};
}

uint32_t rig_add_network(const struct network_spec *spec)
{
	struct rwy_err err = {0};
	struct network_info info;
	if (service_network_add(instance, spec, &info, &err))
		fail_msg("%s", err.msg);
	return info.id;
}

struct port_spec rig_port(const char *name, const char *attach, const char *ip)
{
	struct port_spec spec = {.network = "n"};
	(void)snprintf(spec.name, sizeof(spec.name), "%s", name);
	(void)snprintf(spec.attach, sizeof(spec.attach), "%s", attach);
	(void)snprintf(spec.ip, sizeof(spec.ip), "%s", ip);
	if (strcmp(attach, "ether") == 0)
		(void)snprintf(spec.device, sizeof(spec.device), "eth1");
	return spec;
}

struct port_info rig_add_port(const struct port_spec *spec)
{
	struct rwy_err err = {0};
	struct port_info info;
	if (service_port_add(instance, spec, &info, &err))
		fail_msg("%s", err.msg);
	return info;
}

struct port_info rig_get_port(const char *name)
{
	struct rwy_err err = {0};
	struct port_info info;
	if (service_port_get(instance, name, &info, &err))
		fail_msg("%s", err.msg);
	return info;
}

bool rig_has_port(const char *name)
{
	struct port_info info;
	return service_port_get(instance, name, &info, NULL) == 0;
}

bool rig_ask_switch(uint32_t id, struct wire_port_stats *ret)
{
	struct rwy_err err = {0};
	if (link_wait(instance->link, 5000, &err))
		fail_msg("%s", err.msg);
	struct wire_msg *msg = link_msg(instance->link, WIRE_STATS);
	msg->args.after.after = id - 1;
	if (link_request(instance->link, msg, &err))
		return false; // It just ended.
	*ret = msg->args.stats.ports[0];
	return msg->args.stats.port_count && ret->port == id;
}

uint32_t rig_stations_at(uint32_t id)
{
	struct wire_port_stats stats;
	return rig_ask_switch(id, &stats) ? stats.regions : UINT32_MAX;
}

void rig_pause(void)
{
	service_unlock(instance);
	(void)usleep(PAUSE_US);
	service_lock(instance);
}

void rig_await_stations(uint32_t id, uint32_t count)
{
	for (int i = 0; i < TRIES && rig_stations_at(id) != count; i++)
		rig_pause();
	assert_int_equal(rig_stations_at(id), count);
}

void rig_restart(bool end_switch)
{
	instance_stop(end_switch);
	instance_start();
}

struct network_spec rig_sriov(uint16_t vfs)
{
	struct network_spec spec = {
		.name = "n",
		.driver = "sriov",
		.subnet = "40.0.0.0/24",
		.vlan = 7,
		.functions = NETWORK_FUNCTIONS_NONE,
	};
	(void)snprintf(spec.functions.parent, sizeof(spec.functions.parent), "eth2");
	spec.functions.vfs = vfs;
	return spec;
}

static void note_function(void *arg, const struct service_function *function)
{
	struct service_function *list = arg;
	list[function->number] = *function;
}

void rig_functions(struct service_function ret_list[FAKE_FUNCTIONS_MAX])
{
	(void)memset(ret_list, 0, sizeof(ret_list[0]) * FAKE_FUNCTIONS_MAX);
	service_each_function(instance, NULL, note_function, ret_list);
}

void rig_await_function(unsigned int number, enum function_state state)
{
	struct service_function list[FAKE_FUNCTIONS_MAX];
	rig_functions(list);
	for (int i = 0; i < TRIES && list[number].state != state; i++) {
		rig_pause();
		rig_functions(list);
	}
	if (list[number].state != state)
		fail_msg(
			"function %u is %s: %s",
			number,
			function_state_text(list[number].state),
			list[number].reason
		);
}
