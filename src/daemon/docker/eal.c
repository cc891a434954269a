// SPDX-License-Identifier: BSD-3-Clause
// EAL's command line for a container without privileges, a home or a writable root. Every argument was tried
// with Debian's dpdk-testpmd under --user 1000 --cap-drop ALL --read-only; docs/docker.md says what each is for.
// No state; any thread.
#include "daemon/docker/eal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HUGE_DIR "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define HUGE_NEED_MIB 512 // testpmd's pools take 360 MiB of large pages with two CPUs.
#define EAL_CPUS_MAX 128  // RTE_MAX_LCORE of Debian's DPDK.

// app/test-pmd/testpmd.c: a pool has 2048 + 2048 + 512 buffers and 250 for each forwarding lcore, times
// RTE_MAX_ETHPORTS (32). A buffer never crosses a page when pages are small, so that each takes one
// page of 4 KiB: 128 KiB for each of the 4608 and 250.
uint32_t eal_default_mib(unsigned int cpus)
{
	if (cpus > EAL_CPUS_MAX)
		cpus = EAL_CPUS_MAX;
	unsigned int forwarding = cpus > 1 ? cpus - 1 : 1;
	unsigned int pool_mib = (4608 + 250 * forwarding + 7) / 8;
	unsigned int other_mib = 96; // Rings, the pool's own tables, device state.
	return (pool_mib + other_mib + 63) / 64 * 64;
}

struct eal_memory eal_choose_memory(uint32_t want_mib, uint32_t cpus, uint64_t huge_mib)
{
	uint32_t need_mib = want_mib > HUGE_NEED_MIB ? want_mib : HUGE_NEED_MIB;
	struct eal_memory memory = {
		.hugepages = huge_mib >= need_mib,
		.size_mib = want_mib ? want_mib : eal_default_mib(cpus),
	};
	return memory;
}

static int add_arg(json_t *args, const char *text)
{
	return json_array_append_new(args, json_string(text));
}

static int add_port(json_t *args, const struct eal_port *port)
{
	char mac[MAC_TEXT_SIZE];
	char text[256];
	mac_format(port->mac, mac);
	// cq: more than one queue needs it, and so does promiscuous mode; DPDK plays the control queue itself.
	// in_order stays DPDK's default, on: the back end offers it.
	(void)snprintf( // Its longest is far below the buffer's size.
		text,
		sizeof(text),
		"--vdev=virtio_user%u,path=" EAL_PLACE_DIR "/net%u.sock,mac=%s,queues=%u,cq=1,"
		"mrg_rxbuf=1,queue_size=1024",
		port->index,
		port->index,
		mac,
		port->queues
	);
	return add_arg(args, text);
}

// Without functions no device is looked for; with some, no other than these. Physical addresses are for no-IOMMU mode alone.
static int add_functions(json_t *args, const struct eal_port *ports, size_t port_count)
{
	bool any = false, noiommu = false;
	int r = 0;
	for (size_t i = 0; i < port_count; i++) {
		if (!ports[i].pci[0])
			continue;
		r |= add_arg(args, "-a") | add_arg(args, ports[i].pci);
		any = true;
		noiommu = noiommu || ports[i].noiommu;
	}
	if (!any)
		return add_arg(args, "--no-pci");
	return r | add_arg(args, noiommu ? "--iova-mode=pa" : "--iova-mode=va");
}

static int add_memory(json_t *args, const struct eal_memory *memory)
{
	if (memory->hugepages)
		return add_arg(args, "--in-memory") | add_arg(args, "--single-file-segments");
	char size[16];
	(void)snprintf(size, sizeof(size), "%u", memory->size_mib); // It fits: ten digits at most.
	return add_arg(args, "--no-huge") | add_arg(args, "-m") | add_arg(args, size) |
		add_arg(args, "--no-shconf");
}

json_t *eal_make_args(
	const struct eal_memory *memory,
	const struct eal_port *ports,
	size_t port_count
)
{
	json_t *args = json_array();
	if (!args)
		return NULL;
	int r = add_functions(args, ports, port_count) | add_arg(args, "--no-telemetry");
	for (size_t i = 0; i < port_count; i++)
		if (!ports[i].pci[0])
			r |= add_port(args, &ports[i]);
	r |= add_memory(args, memory);
	if (r) {
		json_decref(args);
		return NULL;
	}
	return args;
}

char *eal_join_args(json_t *args, char separator, bool behind_each)
{
	size_t size = 1;
	size_t i;
	json_t *arg;
	json_array_foreach(args, i, arg) size += json_string_length(arg) + 1;
	char *text = malloc(size);
	if (!text)
		return NULL;
	char *end = text;
	json_array_foreach(args, i, arg)
	{
		if (i && !behind_each)
			*end++ = separator;
		memcpy(end, json_string_value(arg), json_string_length(arg));
		end += json_string_length(arg);
		if (behind_each)
			*end++ = separator;
	}
	*end = '\0';
	return text;
}

static uint64_t read_count(const char *path)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	unsigned long long count;
	// NOLINTNEXTLINE(cert-err34-c): the kernel's own number.
	bool ok = fscanf(file, "%llu", &count) == 1;
	(void)fclose(file); // Only read.
	return ok ? count : 0;
}

uint64_t eal_host_huge_mib(void)
{
	uint64_t free_pages = read_count(HUGE_DIR "free_hugepages");
	uint64_t reserved = read_count(HUGE_DIR "resv_hugepages");
	return free_pages > reserved ? (free_pages - reserved) * 2 : 0;
}

unsigned int eal_host_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	return cpus > 0 ? (unsigned int)cpus : 1;
}
