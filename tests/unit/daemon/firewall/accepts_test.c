// SPDX-License-Identifier: BSD-3-Clause
// From what iptables lists to what it is told: where accepts go, what of ours goes, and that nothing else is touched.
#include "base/cleanup.h"
#include "daemon/firewall/accepts.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#define RULE(direction, interface) \
	"-" direction " " interface " -m comment --comment \"ringway ab12\" -j ACCEPT\n"

static const char interfaces[2][FIREWALL_INTERFACE_SIZE] = {"rwg1-ab12", "rwg2-ab12"};

static void expect(const char *listing, size_t count, const char *script)
{
	char *made = NULL;
	assert_int_equal(accepts_plan(listing, "ringway ab12", interfaces, count, &made), 0);
	if (script)
		assert_string_equal(made, script);
	else
		assert_null(made);
	free(made);
}

static void test_nothing_to_do(void **state)
{
	expect("", 2, NULL);
	expect("-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n", 2, NULL);
	// There, but nobody looks into it.
	expect("-P FORWARD ACCEPT\n-N DOCKER-USER\n-A DOCKER-USER -j RETURN\n", 2, NULL);
	// Drops only of what it names.
	expect("-P FORWARD ACCEPT\n-A FORWARD -s 192.0.2.0/24 -j DROP\n", 2, NULL);
	// Others may have rules of the same shape.
	expect("-P FORWARD ACCEPT\n-A FORWARD -i rwg1-ab12 -m comment --comment \"ringway ab1\" -j ACCEPT\n",
	       0,
	       NULL);
	// What everything is accepted by needs no more.
	expect("-P FORWARD DROP\n-A FORWARD -j ACCEPT\n", 2, NULL);
}

#define DOCKER "-P FORWARD DROP\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n"

static void test_docker(void **state)
{
	// After the administrator's rules, before the end.
	expect(DOCKER "-A DOCKER-USER -s 192.0.2.0/24 -j DROP\n-A DOCKER-USER -j RETURN\n",
	       1,
	       "*filter\n-I DOCKER-USER 2 " RULE("i", "rwg1-ab12") "-I DOCKER-USER 3 " RULE(
		       "o", "rwg1-ab12"
	       ) "COMMIT\n");
	expect(DOCKER,
	       1,
	       "*filter\n-A DOCKER-USER " RULE("i", "rwg1-ab12") "-A DOCKER-USER " RULE(
		       "o", "rwg1-ab12"
	       ) "COMMIT\n");
	// All there.
	expect(DOCKER "-A DOCKER-USER " RULE("i", "rwg1-ab12") "-A DOCKER-USER " RULE(
		       "o", "rwg1-ab12"
	       ) "-A DOCKER-USER -j RETURN\n",
	       1,
	       NULL);
	// A network more, behind those that stay.
	expect(DOCKER "-A DOCKER-USER -i eth9 -j DROP\n-A DOCKER-USER " RULE(
		       "i", "rwg1-ab12"
	       ) "-A DOCKER-USER " RULE("o", "rwg1-ab12") "-A DOCKER-USER -j RETURN\n",
	       2,
	       "*filter\n-I DOCKER-USER 4 " RULE("i", "rwg2-ab12") "-I DOCKER-USER 5 " RULE(
		       "o", "rwg2-ab12"
	       ) "COMMIT\n");
}

#define TO(name)           \
	"-i rwg+ -o " name \
	" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment \"ringway ab12\" -j DROP\n"
#define FROM(name) "-i " name " -o rwg+ -m comment --comment \"ringway ab12\" -j RETURN\n"
#define BRIDGE(change, name) \
	"-" change " DOCKER-USER " TO(name) "-" change " DOCKER-USER " FROM(name)
#define OURS RULE("i", "rwg1-ab12") "-A DOCKER-USER " RULE("o", "rwg1-ab12")
#define STAGES                                                                              \
	"-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2\n" \
	"-A DOCKER-ISOLATION-STAGE-1 ! -s 172.18.0.0/16 -o br-0123456789ab -j DROP\n"       \
	"-A DOCKER-ISOLATION-STAGE-2 -o br-0123456789ab -j DROP\n"                          \
	"-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP\n"

// Docker's own bridges are reached by what is published there only.
static void test_bridges(void **state)
{
	static const char added[] =
		BRIDGE("A", "br-0123456789ab") BRIDGE("A", "docker0") "-A DOCKER-USER " OURS;
	char script[2048];
	char listing[2048];
	(void)snprintf(script, sizeof(script), "*filter\n%sCOMMIT\n", added);
	expect(DOCKER STAGES, 1, script);
	(void)snprintf(listing, sizeof(listing), "%s%s%s", DOCKER, added, STAGES);
	expect(listing, 1, NULL);
	// Docker has a bridge more: it comes before the accepts.
	(void)snprintf(
		script,
		sizeof(script),
		"*filter\n%s-D DOCKER-USER %s-D DOCKER-USER %s%sCOMMIT\n",
		BRIDGE("D", "docker0"),
		RULE("i", "rwg1-ab12"),
		RULE("o", "rwg1-ab12"),
		added
	);
	expect(DOCKER BRIDGE("A", "docker0") "-A DOCKER-USER " OURS STAGES, 1, script);
	// A network more, behind them; and the last one goes.
	expect(DOCKER BRIDGE(
		       "A", "docker0"
	       ) "-A DOCKER-USER " OURS
		 "-A DOCKER-USER -j RETURN\n-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP\n",
	       2,
	       "*filter\n-I DOCKER-USER 5 " RULE("i", "rwg2-ab12") "-I DOCKER-USER 6 " RULE(
		       "o", "rwg2-ab12"
	       ) "COMMIT\n");
	expect(DOCKER BRIDGE("A", "docker0") STAGES,
	       0,
	       "*filter\n" BRIDGE("D", "docker0") "COMMIT\n");
	// In the wrong order.
	expect(DOCKER "-A DOCKER-USER " OURS BRIDGE(
		       "A", "docker0"
	       ) "-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP\n",
	       1,
	       "*filter\n-D DOCKER-USER " RULE("i", "rwg1-ab12") "-D DOCKER-USER " RULE(
		       "o", "rwg1-ab12"
	       ) BRIDGE("D", "docker0") BRIDGE("A", "docker0") "-A DOCKER-USER " OURS "COMMIT\n");
}

static void test_removal(void **state)
{
	// The last network went; other instances' and other people's rules stay.
	expect(DOCKER
	       "-A DOCKER-USER -i rwg1-cd34 -m comment --comment \"ringway cd34\" -j ACCEPT\n"
	       "-A DOCKER-USER " RULE("i", "rwg1-ab12") "-A DOCKER-USER -j RETURN\n",
	       0,
	       "*filter\n-D DOCKER-USER " RULE("i", "rwg1-ab12") "COMMIT\n");
	// Twice is once too often, and behind the end it does not count: all are made anew.
	expect(DOCKER "-A DOCKER-USER " RULE(
		       "i", "rwg1-ab12"
	       ) "-A DOCKER-USER -j RETURN\n"
		 "-A DOCKER-USER " RULE("i", "rwg1-ab12") "-A DOCKER-USER " RULE("o", "rwg1-ab12"),
	       1,
	       "*filter\n-D DOCKER-USER " RULE("i", "rwg1-ab12") "-D DOCKER-USER " RULE("i", "rwg1-ab12") "-D DOCKER-USER " RULE(
		       "o", "rwg1-ab12"
	       ) "-I DOCKER-USER 1 " RULE("i", "rwg1-ab12") "-I DOCKER-USER 2 " RULE("o", "rwg1-ab12") "COMMIT\n"
	);
}

static void test_forward(void **state)
{
	expect("-P FORWARD DROP\n-A FORWARD -i eth0 -j ACCEPT\n",
	       1,
	       "*filter\n-A FORWARD " RULE("i", "rwg1-ab12") "-A FORWARD " RULE(
		       "o", "rwg1-ab12"
	       ) "COMMIT\n");
	expect("-P FORWARD ACCEPT\n-A FORWARD -i eth0 -j ACCEPT\n"
	       "-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n",
	       1,
	       "*filter\n-I FORWARD 2 " RULE("i", "rwg1-ab12") "-I FORWARD 3 " RULE(
		       "o", "rwg1-ab12"
	       ) "COMMIT\n");
	// Docker came later: from one chain to the other.
	expect(DOCKER "-A FORWARD " RULE("i", "rwg1-ab12") "-A FORWARD " RULE("o", "rwg1-ab12"),
	       1,
	       "*filter\n-D FORWARD " RULE("i", "rwg1-ab12") "-D FORWARD " RULE(
		       "o", "rwg1-ab12"
	       ) "-A DOCKER-USER " RULE("i", "rwg1-ab12") "-A DOCKER-USER " RULE("o", "rwg1-ab12") "COMMIT\n"
	);
	// The policy is no longer to drop.
	expect("-P FORWARD ACCEPT\n-A FORWARD " RULE("i", "rwg1-ab12"),
	       1,
	       "*filter\n-D FORWARD " RULE("i", "rwg1-ab12") "COMMIT\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_bridges),
		cmocka_unit_test(test_removal),
		cmocka_unit_test(test_forward),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
