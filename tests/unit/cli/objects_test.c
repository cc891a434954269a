// SPDX-License-Identifier: BSD-3-Clause
// What the commands about networks and ports ask ringwayd, and how they show its answers.
#include "base/cleanup.h"
#include "tests/lib/unit.h"
#include "tests/unit/cli/scene.h"

#include <stdio.h>
#include <string.h>

static void test_network(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/networks", 201, "{\"name\":\"fast\"}"},
		{"GET",
		 "/v1/networks",
		 200,
		 "{\"networks\":[{\"name\":\"fast\",\"subnet\":\"10.77.0.0/24\",\"gateway\":\"10.77.0.1\","
		 "\"mtu\":1500,\"ports\":2,\"docker\":true,\"docker_id\":\"0123456789abcdef\"},"
		 "{\"name\":\"x\",\"mtu\":9000,\"ports\":0,\"docker\":true},"
		 "{\"name\":\"y\",\"mtu\":68,\"ports\":0,\"docker\":false}]}"},
		{"DELETE", "/v1/networks/fast", 200, "{}"},
		{0},
	};
	expect(replies,
	       "network create fast --subnet 10.77.0.0/24 --gateway 10.77.0.1 --mtu -1 --driver switch "
	       "--no-docker",
	       0,
	       "fast\n",
	       "POST /v1/networks {\"name\":\"fast\",\"driver\":\"switch\",\"mtu\":-1,"
	       "\"docker\":false,\"subnet\":\"10.77.0.0/24\","
	       "\"gateway\":\"10.77.0.1\"}\n");
	expect(replies, "network create ''", 0, "fast\n", "POST /v1/networks {\"name\":\"\"}\n");
	expect(replies,
	       "network ls",
	       0,
	       "NAME  SUBNET        GATEWAY     MTU  PORTS  OUTSIDE  DOCKER\n"
	       "fast  10.77.0.0/24  10.77.0.1  1500      2  nat      0123456789ab\n"
	       "x     -             -          9000      0  -        pending\n"
	       "y     -             -            68      0  -        no\n",
	       "GET /v1/networks\n");
	// What cannot be removed does not keep the others.
	expect(replies,
	       "network rm fast fast",
	       0,
	       "fast\nfast\n",
	       "DELETE /v1/networks/fast\nDELETE /v1/networks/fast\n");
	expect(replies,
	       "network rm gone fast",
	       1,
	       "fast\n",
	       "DELETE /v1/networks/gone\nDELETE /v1/networks/fast\n");
}

static void test_network_of_both_families(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/networks", 201, "{\"name\":\"fast\"}"}, {0}};
	expect(replies,
	       "network create fast --subnet fd00:77::/64 --gateway 10.77.0.1 --subnet 10.77.0.0/24 "
	       "--gateway=fd00:77::1 --ip-range 10.77.0.128/25 --aux-address a=10.77.0.5 "
	       "--aux-address b=fd00:77::5 --proxy-neighbors",
	       0,
	       "fast\n",
	       "POST /v1/networks {\"name\":\"fast\",\"proxy_neighbors\":true,"
	       "\"subnet6\":\"fd00:77::/64\",\"subnet\":\"10.77.0.0/24\",\"gateway\":\"10.77.0.1\","
	       "\"gateway6\":\"fd00:77::1\",\"aux\":{\"a\":\"10.77.0.5\",\"b\":\"fd00:77::5\"},"
	       "\"ip_range\":\"10.77.0.128/25\"}\n");
	expect(replies,
	       "network create fast --subnet 10.77.0.0/24 --ipv6-subnet fd00:77::/64 --internal",
	       0,
	       "fast\n",
	       "POST /v1/networks {\"name\":\"fast\",\"internal\":true,"
	       "\"subnet\":\"10.77.0.0/24\",\"subnet6\":\"fd00:77::/64\"}\n");
}

static void test_network_with_uplink(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/networks", 201, "{\"name\":\"fast\"}"},
		{"GET",
		 "/v1/networks",
		 200,
		 "{\"networks\":["
		 "{\"name\":\"a\",\"subnet\":\"10.1.0.0/16\",\"subnet6\":\"fd00::/64\",\"mtu\":1500,"
		 "\"gateway\":\"10.1.0.1\",\"gateway6\":\"fd00::1\",\"uplink\":\"eth1\",\"vlan\":7},"
		 "{\"name\":\"b\",\"gateway6\":\"fd01::1\",\"internal\":true},"
		 "{\"name\":\"c\",\"gateway\":\"10.2.0.1\",\"gateway_port\":false,"
		 "\"uplink\":\"xdp:eth1\"},"
		 "{\"name\":\"d\",\"gateway\":\"10.3.0.1\",\"gateway_port\":false}]}"},
		{0},
	};
	expect(replies,
	       "network create fast --uplink eth1 --vlan 4094 --no-gateway",
	       0,
	       "fast\n",
	       "POST /v1/networks {\"name\":\"fast\",\"uplink\":\"eth1\",\"gateway_port\":false,"
	       "\"vlan\":4094}\n");
	expect(replies,
	       "network ls",
	       0,
	       "NAME  SUBNET                 GATEWAY            MTU  PORTS  OUTSIDE           DOCKER\n"
	       "a     10.1.0.0/16,fd00::/64  10.1.0.1,fd00::1  1500      0  eth1 vlan 7, nat  no\n"
	       "b     -                      fd01::1              0      0  internal          no\n"
	       "c     -                      10.2.0.1             0      0  xdp:eth1          no\n"
	       "d     -                      10.3.0.1             0      0  -                 no\n",
	       "GET /v1/networks\n");
}

#define CARDS                                                                                \
	"\"name\":\"cards\",\"subnet\":\"40.0.0.0/24\",\"mtu\":1500,\"gateway_port\":false," \
	"\"driver\":\"sriov\",\"parent\":\"eth2\",\"pf\":\"0000:03:00.0\",\"vfs\":2,\"vlan\":9"
#define FUNCTIONS                                                                                     \
	"\"functions\":[{\"address\":\"0000:03:10.0\",\"number\":0,\"state\":\"taken\",\"port\":"     \
	"\"gen.cards\",\"driver\":\"vfio-pci\",\"iommu_group\":12,\"numa_node\":-1,\"mac\":"          \
	"\"02:00:00:00:00:01\",\"vlan\":9,\"link\":\"up\"},{\"address\":\"0000:03:10.2\",\"number\":" \
	"1,\"state\":\"returning\",\"driver\":\"igbvf\",\"interface\":\"eth3\",\"iommu_group\":13,"   \
	"\"numa_node\":1,\"vlan\":0,\"rdma\":\"rxe0\",\"reason\":\"it is open\"}]"

static const char function_table[] =
	"FUNCTION      NETWORK  NR  STATE      PORT       DRIVER    INTERFACE  GROUP  NUMA  "
	"MAC                VLAN  LINK  RDMA  WHY\n"
	"0000:03:10.0  cards     0  taken      gen.cards  vfio-pci  -             12     -  "
	"02:00:00:00:00:01     9  up    -     -\n"
	"0000:03:10.2  cards     1  returning  -          igbvf     eth3          13     1  "
	"-                     0  -     rxe0  it is open\n";

static void test_network_of_functions(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/networks", 201, "{\"name\":\"cards\"}"},
		{"GET",
		 "/v1/networks",
		 200,
		 "{\"networks\":[{\"name\":\"fast\",\"mtu\":1500,\"gateway\":\"10.1.0.1\"},"
		 "{" CARDS "},{\"name\":\"both\",\"mtu\":1500,\"gateway\":\"10.2.0.1\",\"uplink\":"
		 "\"eth4\",\"parent\":\"eth4\",\"vfs\":1}]}"},
		{"GET", "/v1/networks/cards", 200, "{" CARDS "," FUNCTIONS "}"},
		{"GET", "/v1/networks/both", 200, "{\"name\":\"both\",\"functions\":[]}"},
		{0},
	};
	expect(replies,
	       "network create cards --driver sriov --parent eth2 --vfs 2 --vlan 9 --trust "
	       "--spoofchk off --link-state enable --rate min:5M --rate 1G --allow-unsafe-noiommu",
	       0,
	       "cards\n",
	       "POST /v1/networks {\"name\":\"cards\",\"driver\":\"sriov\",\"vlan\":9,\"parent\":"
	       "\"eth2\",\"vfs\":2,\"trust\":true,\"spoof_check\":false,\"link_state\":\"enable\","
	       "\"rate_min\":5,\"rate_max\":1000,\"noiommu\":true}\n");
	expect(replies,
	       "network create --trust off cards --pf-pci 0000:03:00.0 --vfs -1 --trust on",
	       0,
	       "cards\n",
	       "POST /v1/networks {\"name\":\"cards\",\"parent\":\"0000:03:00.0\",\"vfs\":-1,"
	       "\"trust\":true}\n");
	expect(replies,
	       "network ls",
	       0,
	       "NAME   SUBNET       GATEWAY    MTU  PORTS  OUTSIDE                        DOCKER\n"
	       "fast   -            10.1.0.1  1500      0  nat                            no\n"
	       "cards  40.0.0.0/24  -         1500      0  vlan 9, 2 functions of eth2    no\n"
	       "both   -            10.2.0.1  1500      0  eth4, nat, 1 function of eth4  no\n",
	       "GET /v1/networks\n");
	expect(replies,
	       "network inspect cards --functions",
	       0,
	       function_table,
	       "GET /v1/networks/cards\n");
	expect(replies,
	       "network ls --functions",
	       0,
	       function_table,
	       "GET /v1/networks\nGET /v1/networks/cards\nGET /v1/networks/both\n");
}

static void test_function_ports(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/ports", 201, "{\"name\":\"p\",\"function\":\"0000:03:10.0\"}"},
		{"GET",
		 "/v1/ports?network=n",
		 200,
		 "{\"ports\":[{\"name\":\"p\",\"function\":\"0000:03:10.0\"},{\"name\":\"p.1\","
		 "\"with\":\"p\",\"function\":\"0000:03:10.2\"},{\"name\":\"q.1\",\"with\":\"q\"}]}"},
		{"GET",
		 "/v1/ports",
		 200,
		 "{\"ports\":[{\"name\":\"p\",\"network\":\"n\",\"attach\":\"vf\",\"queues\":1,"
		 "\"state\":\"running\",\"function\":\"0000:03:10.0\",\"vfio\":\"/dev/vfio/12\","
		 "\"container\":\"00aa\"},{\"name\":\"p.1\",\"network\":\"n\",\"attach\":\"vf\","
		 "\"queues\":1,\"state\":\"waiting\",\"function\":\"0000:03:10.2\",\"with\":\"p\","
		 "\"reason\":\"taking it\"},{\"name\":\"k\",\"network\":\"n\",\"attach\":\"vf-kernel\","
		 "\"state\":\"running\",\"function\":\"0000:03:10.4\",\"interface\":\"eth0\","
		 "\"netns\":\"/n\"}]}"},
		{0},
	};
	expect(replies,
	       "port add p --network n --attach vf --vfs 2 --function 03:10.0 --uid 1000 --cpus 0-3 "
	       "--ip 40.0.0.2 --rate rx:1G",
	       0,
	       "0000:03:10.0\n0000:03:10.2\n",
	       "POST /v1/ports {\"name\":\"p\",\"network\":\"n\",\"attach\":\"vf\",\"function\":"
	       "\"03:10.0\",\"cpus\":\"0-3\",\"ip\":\"40.0.0.2\",\"limits\":{\"rx_bps\":1000000000},"
	       "\"vfs\":2,\"uid\":1000}\nGET /v1/ports?network=n\n");
	expect(replies,
	       "port add p --network n --attach vf-kernel --netns 7 --interface net1",
	       0,
	       "0000:03:10.0\n",
	       "POST /v1/ports {\"name\":\"p\",\"network\":\"n\",\"attach\":\"vf-kernel\","
	       "\"interface\":\"net1\",\"netns\":\"7\"}\n");
	expect(replies,
	       "port ls",
	       0,
	       "NAME  NETWORK  ATTACH     OWNER  MAC  IP  QUEUES  STATE    CPUS  POLLING  PUBLISHED  AT\n"
	       "p     n        vf         00aa   -    -        -  running  -     -        -          "
	       "/dev/vfio/12 of 0000:03:10.0\n"
	       "p.1   n        vf         p      -    -        -  waiting  -     -        -          "
	       "0000:03:10.2 (taking it)\n"
	       "k     n        vf-kernel  -      -    -        -  running  -     -        -          "
	       "eth0 of 0000:03:10.4 in /n\n",
	       "GET /v1/ports\n");
}

#define QUEUES_OF(name, queues)                                                                \
	"{\"name\":\"" name "\",\"network\":\"n\",\"attach\":\"vhost\",\"state\":\"running\"," \
	"\"receive_queues\":" queues "}"

static void test_port_limits(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/ports", 201, "{\"name\":\"p\",\"socket\":\"/s\"}"},
		{"PATCH", "/v1/ports/p%2Fq", 200, "{\"name\":\"p/q\"}"},
		{0},
	};
	expect(replies,
	       "port add p --network n --attach vhost --rate rx:100M --offloads off --rate tx:1G "
	       "--rate=50kfps --burst 64k --flood-rate 1000 --burst flood:9frames",
	       0,
	       "/s\n",
	       "POST /v1/ports {\"name\":\"p\",\"network\":\"n\",\"attach\":\"vhost\","
	       "\"offloads\":false,\"limits\":{\"rx_bps\":100000000,\"rx_burst\":64000,"
	       "\"rx_fps\":50000,\"tx_bps\":1000000000,\"tx_burst\":64000,\"tx_fps\":50000,"
	       "\"flood_fps\":1000,\"flood_burst\":9}}\n");
	// What is taken away is said; what is not given stays.
	expect(replies,
	       "port set p/q --rate rx:none --rate tx:5",
	       0,
	       "p/q\n",
	       "PATCH /v1/ports/p%2Fq {\"limits\":{\"rx_bps\":0,\"rx_fps\":0,\"tx_bps\":5}}\n");
	// An option that is no list has its last value.
	expect(replies,
	       "port set p/q --flood-rate 1 --flood-rate 2 --json",
	       0,
	       "{\n  \"name\": \"p/q\"\n}\n",
	       "PATCH /v1/ports/p%2Fq {\"limits\":{\"flood_fps\":2}}\n");
}

static void test_port(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST",
		 "/v1/ports",
		 201,
		 "{\"name\":\"p\",\"socket\":\"/run/ringway/ports/p/p.sock\"}"},
		{"GET", "/v1/ports?network=a%2Fb", 200, "{\"ports\":[]}"},
		{"GET",
		 "/v1/ports",
		 200,
		 "{\"ports\":[{\"name\":\"p\",\"network\":\"fast\",\"attach\":\"vhost\","
		 "\"mac\":\"02:00:00:00:00:01\",\"queues\":2,\"state\":\"waiting\","
		 "\"connect\":\"/x.sock\"}," QUEUES_OF("q", "[]") ","
		 QUEUES_OF("r", "[{\"pair\":0,\"core\":12,\"awake\":true}]") ","
		 QUEUES_OF("s", "[{\"pair\":0,\"core\":12,\"awake\":false},"
		 "{\"pair\":1,\"core\":1,\"awake\":false},{\"pair\":2,\"core\":12,\"awake\":false}]") ","
		 QUEUES_OF("t", "[{\"pair\":0,\"core\":1,\"awake\":true},"
		 "{\"pair\":1,\"core\":2,\"awake\":false}]") "]}"},
		{"GET", "/v1/ports/p", 200, "{\"name\":\"p\",\"stats\":{\"dropped\":7}}"},
		{0},
	};
	expect(replies,
	       "port add p --network fast --attach vhost --mac 02:00:00:00:00:01 --ip 10.0.0.1/24 "
	       "--queues 2 --learning on --connect /x.sock",
	       0,
	       "/run/ringway/ports/p/p.sock\n",
	       "POST /v1/ports {\"name\":\"p\",\"network\":\"fast\",\"attach\":\"vhost\","
	       "\"mac\":\"02:00:00:00:00:01\",\"ip\":\"10.0.0.1/24\",\"learning\":true,\"queues\":2,"
	       "\"connect\":\"/x.sock\"}\n");
	expect(replies,
	       "port ls",
	       0,
	       "NAME  NETWORK  ATTACH  OWNER  MAC                IP  QUEUES  STATE    CPUS  POLLING    PUBLISHED  AT\n"
	       "p     fast     vhost   -      02:00:00:00:00:01  -        2  waiting  -     -          -          /x.sock\n"
	       "q     n        vhost   -      -                  -        0  running  -     -          -          -\n"
	       "r     n        vhost   -      -                  -        0  running  12    awake      -          -\n"
	       "s     n        vhost   -      -                  -        0  running  1,12  asleep     -          -\n"
	       "t     n        vhost   -      -                  -        0  running  1,2   1/2 awake  -          -\n",
	       "GET /v1/ports\n");
	expect(replies,
	       "port ls --network a/b --json",
	       0,
	       "{\n  \"ports\": []\n}\n",
	       "GET /v1/ports?network=a%2Fb\n");
	expect(replies,
	       "port inspect p",
	       0,
	       "{\n  \"name\": \"p\",\n  \"stats\": {\n    \"dropped\": 7\n  }\n}\n",
	       "GET /v1/ports/p\n");
}

static void test_kernel_port(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST", "/v1/ports", 201, "{\"name\":\"p\",\"interface\":\"eth0\"}"}, {0}};
	expect(replies,
	       "port add p --network n --attach kernel --netns 4711 --ip 10.77.0.9/24 --ip fd00::9 "
	       "--interface eth0 --pin-address",
	       0,
	       "eth0\n",
	       "POST /v1/ports {\"name\":\"p\",\"network\":\"n\",\"attach\":\"kernel\","
	       "\"interface\":\"eth0\",\"ip\":\"10.77.0.9/24\",\"ip6\":\"fd00::9\","
	       "\"pin_address\":true,\"netns\":\"4711\"}\n");
	expect(replies,
	       "port add p --network n --attach vhost --allow-spoof --no-pin-address",
	       0,
	       "eth0\n",
	       "POST /v1/ports {\"name\":\"p\",\"network\":\"n\",\"attach\":\"vhost\","
	       "\"allow_spoof\":true,\"pin_address\":false}\n");
	expect(replies,
	       "port add p --network n --attach kernel --netns blue --ip6 fd00::9/64",
	       0,
	       "eth0\n",
	       "POST /v1/ports {\"name\":\"p\",\"network\":\"n\",\"attach\":\"kernel\","
	       "\"ip6\":\"fd00::9/64\",\"netns\":\"/run/netns/blue\"}\n");
	expect(replies,
	       "port add p --network n --attach kernel --netns /proc/7/ns/net",
	       0,
	       "eth0\n",
	       "POST /v1/ports {\"name\":\"p\",\"network\":\"n\",\"attach\":\"kernel\","
	       "\"netns\":\"/proc/7/ns/net\"}\n");
}

static void test_ether_port(void **state)
{
	static const struct fake_reply replies[] = {
		{"POST",
		 "/v1/ports",
		 201,
		 "{\"name\":\"p\",\"device\":\"xdp:eth1\",\"socket\":\"/s\"}"},
		{0}};
	expect(replies,
	       "port add p --network n --attach ether --device xdp:eth1 --vlan 1 --queues 4",
	       0,
	       "xdp:eth1\n",
	       "POST /v1/ports {\"name\":\"p\",\"network\":\"n\",\"attach\":\"ether\","
	       "\"device\":\"xdp:eth1\",\"vlan\":1,\"queues\":4}\n");
}

static void test_port_list_of_all_attachments(void **state)
{
	static const struct fake_reply replies[] = {
		{"GET",
		 "/v1/ports",
		 200,
		 "{\"ports\":[{\"name\":\"n.gateway\",\"network\":\"n\",\"attach\":\"kernel\","
		 "\"owner\":\"network\",\"ip\":\"10.1.0.1/16\",\"ip6\":\"fd00::1/64\",\"queues\":1,"
		 "\"state\":\"running\",\"interface\":\"rwg1-0a1b\"},"
		 "{\"name\":\"n.uplink\",\"network\":\"n\",\"attach\":\"ether\",\"owner\":\"network\","
		 "\"queues\":1,\"state\":\"running\",\"device\":\"eth1\",\"vlan\":7,\"socket\":\"/u\","
		 "\"uplink\":{\"link\":\"down\"}},"
		 "{\"name\":\"d\",\"network\":\"n\",\"attach\":\"ether\",\"queues\":2,"
		 "\"state\":\"waiting\",\"device\":\"eth2\",\"uplink\":{\"link\":\"down\",\"reason\":\"gone\"}},"
		 "{\"name\":\"w\",\"network\":\"n\",\"attach\":\"kernel\",\"ip6\":\"fd00::2/64\","
		 "\"container\":\"00aa\",\"state\":\"running\",\"interface\":\"eth0\",\"netns\":\"/n\","
		 "\"published\":[{\"proto\":\"tcp\",\"host_port\":8080,\"container_port\":80},"
		 "{\"proto\":\"udp\",\"host_ip\":\"127.0.0.1\",\"host_port\":53,\"container_port\":5353},"
		 "{\"proto\":\"sctp\",\"host_ip\":\"::\",\"host_port\":9,\"container_port\":9}]},"
		 "{\"name\":\"ep-1\",\"network\":\"n\",\"attach\":\"kernel\",\"queues\":1,"
		 "\"state\":\"waiting\",\"interface\":\"rwc9-0a1b\",\"sandbox\":\"/s/1\"}]}"},
		{0},
	};
	expect(replies,
	       "port ls",
	       0,
	       "NAME       NETWORK  ATTACH  OWNER    MAC  IP                      QUEUES  STATE    CPUS"
	       "  POLLING  PUBLISHED                                           AT\n"
	       "n.gateway  n        kernel  network  -    10.1.0.1/16,fd00::1/64       -  running  -   "
	       "  -        -                                                   rwg1-0a1b\n"
	       "n.uplink   n        ether   network  -    -                            1  running  -   "
	       "  -        -                                                   eth1 vlan 7 (the link is down)\n"
	       "d          n        ether   -        -    -                            2  waiting  -   "
	       "  -        -                                                   eth2 (gone)\n"
	       "w          n        kernel  00aa     -    fd00::2/64                   -  running  -   "
	       "  -        [::]:9->9/sctp,8080->80/tcp,127.0.0.1:53->5353/udp  eth0 in /n\n"
	       "ep-1       n        kernel  -        -    -                            -  waiting  -   "
	       "  -        -                                                   eth* in /s/1\n",
	       "GET /v1/ports\n");
}

static void test_port_connects_to_an_absolute_path(void **state)
{
	static const struct fake_reply replies[] = {{"POST", "/v1/ports", 201, "{}"}, {0}};
	struct scene scene;
	_cleanup_free_ char *here = getcwd(NULL, 0);
	char expected[4200];
	scene_run(&scene, replies, "port add p --network n --attach vhost --connect x.sock");
	_cleanup_free_ char *log = fake_server_log(scene.server);
	(void)snprintf(expected, sizeof(expected), "\"connect\":\"%s/x.sock\"}", here);
	assert_non_null(strstr(log, expected));
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_network_of_both_families),
		cmocka_unit_test(test_network_with_uplink),
		cmocka_unit_test(test_network_of_functions),
		cmocka_unit_test(test_function_ports),
		cmocka_unit_test(test_port_limits),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_kernel_port),
		cmocka_unit_test(test_ether_port),
		cmocka_unit_test(test_port_list_of_all_attachments),
		cmocka_unit_test(test_port_connects_to_an_absolute_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
