// SPDX-License-Identifier: BSD-3-Clause
// The check of hugepages: which there are, free, on which NUMA node, and whether anybody needs them. One thread.
#include "base/cleanup.h"
#include "cli/doctor_read.h"

#include <stdio.h>
#include <string.h>

#define SIZES_MAX 8
#define NODES_MAX 64
#define HUGE_DIR "/sys/kernel/mm/hugepages"
#define NODE_DIR "/sys/devices/system/node"

struct pages {
	char dir[64]; // "hugepages-2048kB"
	unsigned long long kib;
	long long total, free, reserved;
	long long node_total[NODES_MAX], node_free[NODES_MAX];
};

struct hugepages {
	struct pages sizes[SIZES_MAX];
	size_t size_count;
	int nodes[NODES_MAX]; // Their numbers.
	size_t node_count;
	char mounted[READ_LINE_SIZE]; // Where the first hugetlbfs is; empty: nowhere.
};

static void read_nodes(const struct doctor *d, struct hugepages *huge)
{
	_cleanup_strv_ struct strv names = {0};
	(void)doctor_list(d, &names, NODE_DIR); // Without it there is one node.
	for (size_t i = 0; i < names.count && huge->node_count < NODES_MAX; i++) {
		char *end = NULL;
		if (strncmp(names.items[i], "node", 4) != 0)
			continue;
		long number = strtol(names.items[i] + 4, &end, 10);
		if (end != names.items[i] + 4 && !*end)
			huge->nodes[huge->node_count++] = (int)number;
	}
}

static void read_size(const struct doctor *d, const struct hugepages *huge, struct pages *size)
{
	size->total = doctor_read_number(d, 0, HUGE_DIR "/%s/nr_hugepages", size->dir);
	size->free = doctor_read_number(d, 0, HUGE_DIR "/%s/free_hugepages", size->dir);
	size->reserved = doctor_read_number(d, 0, HUGE_DIR "/%s/resv_hugepages", size->dir);
	for (size_t i = 0; i < huge->node_count; i++) {
		const int node = huge->nodes[i];
		size->node_total[i] = doctor_read_number(
			d, 0, NODE_DIR "/node%d/hugepages/%s/nr_hugepages", node, size->dir
		);
		size->node_free[i] = doctor_read_number(
			d, 0, NODE_DIR "/node%d/hugepages/%s/free_hugepages", node, size->dir
		);
	}
}

static void read_mount(const struct doctor *d, struct hugepages *huge)
{
	_cleanup_free_ char *text = doctor_read_all(d, "/proc/self/mounts");
	char *rest = text;
	for (char *line = text ? strsep(&rest, "\n") : NULL; line; line = strsep(&rest, "\n")) {
		char where[READ_LINE_SIZE], kind[32];
		if (sscanf(line, "%*s %255s %31s", where, kind) == 2 &&
		    strcmp(kind, "hugetlbfs") == 0) {
			memcpy(huge->mounted, where, sizeof(where));
			return;
		}
	}
}

static void read_hugepages(const struct doctor *d, struct hugepages *huge)
{
	_cleanup_strv_ struct strv names = {0};
	*huge = (struct hugepages){0};
	read_nodes(d, huge);
	read_mount(d, huge);
	(void)doctor_list(d, &names, HUGE_DIR); // None: a kernel without.
	for (size_t i = 0; i < names.count && huge->size_count < SIZES_MAX; i++) {
		struct pages *size = &huge->sizes[huge->size_count];
		size_t length = strlen(names.items[i]);
		size_t prefix = strlen("hugepages-");
		if (length >= sizeof(size->dir) ||
		    strncmp(names.items[i], "hugepages-", prefix) != 0)
			continue;
		size->kib = strtoull(names.items[i] + prefix, NULL, 10);
		memcpy(size->dir, names.items[i], length + 1);
		read_size(d, huge, size);
		huge->size_count++;
	}
}

static void name_size(unsigned long long kib, char ret[32])
{
	if (kib % (1024ull * 1024) == 0)
		(void)snprintf(ret, 32, "%llu GiB", kib / 1024 / 1024);
	else if (kib % 1024 == 0)
		(void)snprintf(ret, 32, "%llu MiB", kib / 1024);
	else
		(void)snprintf(ret, 32, "%llu KiB", kib);
}

static void say_nodes(
	const struct hugepages *huge,
	const struct pages *size,
	struct doctor_result *result
)
{
	char name[32];
	name_size(size->kib, name);
	for (size_t i = 0; i < huge->node_count && size->total; i++)
		doctor_detail(
			result,
			"node %d: %lld of %lld pages of %s free",
			huge->nodes[i],
			size->node_free[i],
			size->node_total[i],
			name
		);
}

static void advise_pages(const struct pages *size, long long usable, struct doctor_result *result)
{
	long long want = size->total + DOCTOR_NEED_MIB / 2 - usable;
	doctor_advise(
		result,
		"%d of them are for one container; with this many there would be enough for one more:",
		DOCTOR_NEED_MIB / 2
	);
	doctor_command(result, "echo %lld > " HUGE_DIR "/%s/nr_hugepages", want, size->dir);
	doctor_advise(result, "and at every boot:");
	doctor_command(
		result, "echo vm.nr_hugepages = %lld > /etc/sysctl.d/80-hugepages.conf", want
	);
}

static void judge_two_mib(
	const struct doctor *d,
	const struct pages *size,
	struct doctor_result *result
)
{
	long long usable = size->free > size->reserved ? size->free - size->reserved : 0;
	if (usable * 2 >= DOCTOR_NEED_MIB)
		return;
	// DPDK's drivers of PCI devices want memory whose place does not change.
	bool needed = doctor_has_uplink(d, true);
	if (needed && size->total == 0)
		doctor_saw(result, DOCTOR_MISSING, "an uplink's PCI device needs some");
	else
		doctor_saw(
			result,
			DOCTOR_NOTE,
			"Ringway itself needs none; below %d MiB free, applications get ordinary pages, which is slower",
			DOCTOR_NEED_MIB
		);
	if (!d->inside)
		advise_pages(size, usable, result);
}

static void judge_nodes(
	const struct hugepages *huge,
	const struct pages *size,
	struct doctor_result *result
)
{
	for (size_t i = 0; i < huge->node_count && size->total; i++)
		if (size->node_total[i] == 0) {
			doctor_saw(
				result,
				DOCTOR_NOTE,
				"node %d has none: an application there uses another node's memory",
				huge->nodes[i]
			);
			doctor_advise(result, "give that node pages of its own:");
			doctor_command(
				result,
				"echo %d > " NODE_DIR "/node%d/hugepages/%s/nr_hugepages",
				DOCTOR_NEED_MIB / 2,
				huge->nodes[i],
				size->dir
			);
			return;
		}
}

static void judge_hugepages(
	const struct doctor *d,
	const struct hugepages *huge,
	struct doctor_result *result
)
{
	if (huge->size_count == 0) {
		doctor_saw(result, DOCTOR_NOTE, "this kernel shows none (/sys, CONFIG_HUGETLBFS)");
		return;
	}
	for (size_t i = 0; i < huge->size_count; i++) {
		const struct pages *size = &huge->sizes[i];
		char name[32];
		name_size(size->kib, name);
		if (size->total)
			doctor_saw(
				result,
				DOCTOR_OK,
				"%s: %lld of %lld free",
				name,
				size->free,
				size->total
			);
		else
			doctor_saw(result, DOCTOR_OK, "%s: none", name);
		if (size->reserved)
			doctor_detail(
				result, "%lld pages of %s are promised", size->reserved, name
			);
		say_nodes(huge, size, result);
	}
	for (size_t i = 0; i < huge->size_count; i++)
		if (huge->sizes[i].kib == 2048) {
			judge_two_mib(d, &huge->sizes[i], result);
			judge_nodes(huge, &huge->sizes[i], result);
		}
	if (huge->mounted[0])
		doctor_detail(result, "hugetlbfs is mounted at %s", huge->mounted);
	else
		doctor_detail(
			result, "no hugetlbfs is mounted, and Ringway's containers need none"
		);
}

static void check_hugepages(const struct doctor *d, struct doctor_result *result)
{
	struct hugepages huge;
	read_hugepages(d, &huge);
	judge_hugepages(d, &huge, result);
}

const struct doctor_check doctor_memory_checks[] = {
	{"hugepages",
	 "hugepages of each size and NUMA node",
	 true,
	 true,
	 DOCTOR_VHOST | DOCTOR_SRIOV | DOCTOR_UPLINK,
	 check_hugepages},
	{0},
};
