// SPDX-License-Identifier: BSD-3-Clause
// The flows of published ports. Whoever holds the service's lock. A translation is chosen at a flow's first packet: a client
// that keeps sending from one port (UDP) would reach the old container, or nobody, for as long as it does.
#include "daemon/firewall/flows.h"

#include "daemon/firewall/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct change {
	const struct flows_targets *before;
	const struct flows_targets *after;
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct flows_target));
}

static bool has(const struct flows_targets *targets, const struct flows_target *target)
{
	return targets->count &&
		bsearch(target, targets->list, targets->count, sizeof(*target), compare);
}

static void add(
	struct flows_targets *targets,
	const struct firewall_publish *publish,
	const struct publish_families *families,
	unsigned int family
)
{
	struct flows_target *target = &targets->list[targets->count++];
	int af = family ? AF_INET6 : AF_INET;
	memset(target, 0, sizeof(*target));
	target->family = (uint8_t)family;
	target->proto = publish->proto;
	target->any = families->any;
	target->host_port = publish->bound ? publish->bound : publish->host_port;
	target->container_port = publish->container_port;
	// Both have been checked.
	(void)inet_pton(af, family ? publish->address6 : publish->address, target->address);
	if (!families->any)
		(void)inet_pton(af, publish->host_ip, target->host);
}

int flows_targets_make(
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count,
	struct flows_targets *ret
)
{
	struct flows_targets targets = {
		.list = calloc(publish_count * 2 + 1, sizeof(*targets.list))};
	if (!targets.list)
		return -ENOMEM;
	for (size_t i = 0; i < publish_count; i++) {
		struct publish_families families;
		if (!publish_network(&publishes[i], networks, network_count) ||
		    publish_families(&publishes[i], &families, NULL))
			continue;
		for (unsigned int family = 0; family < 2; family++)
			if (families.family[family])
				add(&targets, &publishes[i], &families, family);
	}
	qsort(targets.list, targets.count, sizeof(*targets.list), compare);
	*ret = targets;
	return 0;
}

void flows_targets_fini(struct flows_targets *targets)
{
	free(targets->list);
	*targets = (struct flows_targets){0};
}

static bool is_to(
	const struct flows_target *target,
	const struct conntrack_flow *flow,
	bool is_local(const struct conntrack_flow *flow)
)
{
	if (flow->family != target->family || flow->proto != target->proto ||
	    flow->to_port != target->host_port)
		return false;
	return target->any ? is_local(flow) : !memcmp(flow->to, target->host, sizeof(flow->to));
}

static bool is_answered_by(const struct flows_target *target, const struct conntrack_flow *flow)
{
	return flow->from_port == target->container_port &&
		!memcmp(flow->from, target->address, sizeof(flow->from));
}

// An address of the host that is gone by now was one when the flow began.
static bool is_anything(const struct conntrack_flow *flow)
{
	return true;
}

bool flows_ends(
	const struct flows_targets *before,
	const struct flows_targets *after,
	const struct conntrack_flow *flow,
	bool is_local(const struct conntrack_flow *flow)
)
{
	for (size_t i = 0; i < before->count; i++) {
		const struct flows_target *target = &before->list[i];
		if (is_to(target, flow, is_anything) && is_answered_by(target, flow) &&
		    !has(after, target))
			return true;
	}
	for (size_t i = 0; i < after->count; i++) {
		const struct flows_target *target = &after->list[i];
		if (is_to(target, flow, is_local) && !is_answered_by(target, flow) &&
		    !has(before, target))
			return true;
	}
	return false;
}

bool flows_targets_equal(const struct flows_targets *a, const struct flows_targets *b)
{
	return a->count == b->count &&
		(!a->count || !memcmp(a->list, b->list, a->count * sizeof(*a->list)));
}

static bool is_interface_address(const struct conntrack_flow *flow, const struct sockaddr *address)
{
	if (!address || address->sa_family != (flow->family ? AF_INET6 : AF_INET))
		return false;
	if (flow->family)
		return !memcmp(&((const struct sockaddr_in6 *)address)->sin6_addr, flow->to, 16);
	return !memcmp(&((const struct sockaddr_in *)address)->sin_addr, flow->to, 4);
}

// Seldom asked: only of flows that have a published port's number.
static bool is_host_address(const struct conntrack_flow *flow)
{
	struct ifaddrs *list;
	bool found = false;
	if (!flow->family && flow->to[0] == IN_LOOPBACKNET)
		return true;
	if (getifaddrs(&list))
		return false;
	for (struct ifaddrs *entry = list; entry && !found; entry = entry->ifa_next)
		found = is_interface_address(flow, entry->ifa_addr);
	freeifaddrs(list);
	return found;
}

static bool judge(void *arg, const struct conntrack_flow *flow)
{
	const struct change *change = arg;
	return flows_ends(change->before, change->after, flow, is_host_address);
}

int flows_cut(const struct flows_targets *before, const struct flows_targets *after)
{
	struct change change = {before, after};
	size_t count;
	if (flows_targets_equal(before, after))
		return 0;
	return conntrack_cut(judge, &change, &count);
}
