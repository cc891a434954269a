// SPDX-License-Identifier: BSD-3-Clause
// What tests of kernel ports share: an instance on a fake kernel and a fake switch. Failures fail the test.
#pragma once

#include "tests/unit/daemon/fake_functions.h"
#include "tests/unit/daemon/fake_kernel.h"
#include "tests/unit/daemon/instance.h"

int rig_setup(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, instance_teardown)

struct network_spec rig_network(void); // n, with a subnet and a gateway of both families.
struct port_spec rig_port(const char *name, const char *attach, const char *ip);
uint32_t rig_add_network(const struct network_spec *spec);
struct port_info rig_add_port(const struct port_spec *spec);
struct port_info rig_get_port(const char *name);
bool rig_has_port(const char *name);

// The switch's counters of a port or a trunk: `regions` is how many stations are at it. False: it has no such port.
bool rig_ask_switch(uint32_t id, struct wire_port_stats *ret);
uint32_t rig_stations_at(uint32_t id);
// Lets the main thread go on until the switch has so many.
void rig_await_stations(uint32_t id, uint32_t count);
void rig_pause(void); // Lets the main thread go on for a moment.
void rig_restart(bool end_switch);

struct network_spec rig_sriov(uint16_t vfs); // n, of the driver sriov.
// By their numbers; those that nobody has are zero.
void rig_functions(struct service_function ret_list[FAKE_FUNCTIONS_MAX]);
void rig_await_function(unsigned int number, enum function_state state);
