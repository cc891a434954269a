// SPDX-License-Identifier: BSD-3-Clause
// What the engine's bodies say of a NIC's functions.
#include "base/fields.h"
#include "daemon/docker/parse.h"
#include "tests/lib/unit.h"

#include <string.h>

#define NET "c578499a13119da8ae94cb2b2a69f0243c6045cbdcf9f64ff577cae141904b8d"
#define EP "d5c16356bddbf35566b1db0ba2fd73cfee3669b9cd5d513f37749ae18239d047"

static void test_function_endpoint(void **state)
{
	_cleanup_json_ json_t *body = json_loads(
		"{\"NetworkID\":\"" NET "\",\"EndpointID\":\"" EP "\",\"Options\":{"
		"\"ringway.attach\":\"vf\",\"ringway.vfs\":\"2\",\"ringway.function\":"
		"\"0A:1F.3 0000:0a:1f.4\",\"ringway.uid\":\"1000\",\"ringway.cpus\":\"0,2-3\","
		"\"ringway.memory\":\"64\",\"ringway.rate\":\"rx:1g\"}}",
		0,
		NULL
	);
	struct driver_endpoint endpoint;
	assert_int_equal(driver_parse_endpoint(body, &endpoint, NULL), 0);
	assert_int_equal(endpoint.attach, DRIVER_ATTACH_VF);
	assert_int_equal(endpoint.vfs, 2);
	assert_int_equal(endpoint.function_count, 2);
	assert_string_equal(endpoint.functions[0], "0000:0a:1f.3");
	assert_string_equal(endpoint.functions[1], "0000:0a:1f.4");
	assert_int_equal(endpoint.owner_uid, 1000);
	assert_int_equal(endpoint.cpus, 0xd);
	assert_int_equal(endpoint.memory_mib, 64);
	json_object_set_new(
		body,
		"Options",
		json_pack("{s:s, s:s}", "ringway.attach", "vf-kernel", "ringway.vfs", "1")
	);
	assert_int_equal(driver_parse_endpoint(body, &endpoint, NULL), 0);
	assert_int_equal(endpoint.attach, DRIVER_ATTACH_VF_KERNEL);
	assert_string_equal(driver_attach_text(endpoint.attach, ""), "vf-kernel");
	assert_string_equal(driver_attach_text(DRIVER_ATTACH_DEFAULT, "sriov"), "vf-kernel");
	assert_string_equal(driver_attach_text(DRIVER_ATTACH_DEFAULT, "switch"), "kernel");
	assert_string_equal(driver_attach_text(DRIVER_ATTACH_DEFAULT, ""), "kernel");
	assert_string_equal(driver_attach_text(DRIVER_ATTACH_VHOST, "sriov"), "vhost");
}

// The words of other plugins and ours, and what is not said.
static void test_network_of_functions(void **state)
{
	_cleanup_json_ json_t *body = json_loads(
		"{\"NetworkID\":\"" NET "\",\"Options\":{\"com.docker.network.generic\":{"
		"\"ringway.driver\":\"sriov\",\"netdevice\":\"eth2\",\"nvf\":\"5\",\"vlan\":\"7\"}},"
		"\"IPv4Data\":[{\"Pool\":\"40.0.0.0/24\",\"Gateway\":\"40.0.0.1/24\"}]}",
		0,
		NULL
	);
	json_t *generic =
		json_object_get(json_object_get(body, "Options"), "com.docker.network.generic");
	struct driver_network network;
	const struct network_functions *functions = &network.spec.functions;
	assert_int_equal(driver_parse_network(body, &network, NULL), 0);
	assert_true(driver_network_is_sriov(&network.spec));
	assert_string_equal(functions->parent, "eth2");
	assert_int_equal(functions->vfs, 5);
	assert_int_equal(network.spec.vlan, 7);
	assert_int_equal(functions->trust, -1);
	assert_int_equal(functions->spoof_check, -1);
	assert_int_equal(functions->link_state, -1);
	assert_int_equal(functions->rate_min, -1);
	assert_int_equal(functions->rate_max, -1);
	assert_false(functions->noiommu);
	assert_true(network.spec.no_gateway);
	assert_string_equal(network.spec.gateway, "40.0.0.1");
	json_object_set_new(generic, "ringway.parent", json_string("eth2"));
	json_object_set_new(generic, "ringway.vfs", json_string("5"));
	json_object_set_new(generic, "ringway.trust", json_string("on"));
	json_object_set_new(generic, "ringway.spoofchk", json_string("off"));
	json_object_set_new(generic, "ringway.link-state", json_string("disable"));
	json_object_set_new(generic, "ringway.rate", json_string("min:10M max:1G"));
	json_object_set_new(generic, "ringway.allow-unsafe-noiommu", json_string("on"));
	json_object_set_new(generic, "ringway.gateway", json_string("off"));
	assert_int_equal(driver_parse_network(body, &network, NULL), 0);
	assert_int_equal(functions->trust, 1);
	assert_int_equal(functions->spoof_check, 0);
	assert_int_equal(functions->link_state, 2);
	assert_string_equal(driver_link_state_text(functions->link_state), "disable");
	assert_string_equal(driver_link_state_text(-1), "");
	assert_int_equal(functions->rate_min, 10);
	assert_int_equal(functions->rate_max, 1000);
	assert_true(functions->noiommu);
	assert_string_equal(network.spec.gateway, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function_endpoint),
		cmocka_unit_test(test_network_of_functions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
