// SPDX-License-Identifier: BSD-3-Clause
// The list of ports, and the lanes of those that exchange frames. Start-up only.
#include "bench/gen/gen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

// Descriptors of a port: its connection, memory, and four eventfds a queue pair.
#define PORT_FDS 8u
#define KERNEL_PREFIX "if:"

static bool parse_mac(const char *text, uint8_t *ret_mac)
{
	unsigned int b[GEN_MAC_SIZE];
	char end;

	// NOLINTNEXTLINE(cert-err34-c): two hexadecimal digits cannot overflow.
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end
	    ) != GEN_MAC_SIZE)
		return false;
	for (int i = 0; i < GEN_MAC_SIZE; i++)
		ret_mac[i] = (uint8_t)b[i];
	return true;
}

static bool parse_port(const char *line, struct port *ret_port)
{
	struct port port = {0};
	char path[sizeof(port.path)];
	char mac[18];

	if (sscanf(line, "%107s %17s", path, mac) != 2 || !parse_mac(mac, port.mac))
		return false;
	port.is_kernel = !strncmp(path, KERNEL_PREFIX, strlen(KERNEL_PREFIX));
	const char *name = port.is_kernel ? path + strlen(KERNEL_PREFIX) : path;
	memcpy(port.path, name, strlen(name) + 1);
	*ret_port = port;
	return true;
}

static int add_port(struct gen *gen, const char *line)
{
	struct port *grown = realloc(gen->port, (gen->port_count + 1) * sizeof(*grown));

	if (!grown)
		return gen_fail(-ENOMEM, "no memory for %u ports", gen->port_count + 1);
	gen->port = grown;
	if (!parse_port(line, &grown[gen->port_count]))
		return gen_fail(
			-EINVAL,
			"%s, line %u: write 'SOCKET MAC' or 'if:INTERFACE MAC'",
			gen->config.ports_path,
			gen->port_count + 1
		);
	gen->port_count++;
	return 0;
}

static int check_ports(struct gen *gen)
{
	struct gen_config *config = &gen->config;

	if (!config->busy)
		config->busy = gen->port_count;
	if (config->busy < 2 || config->busy > gen->port_count)
		return gen_fail(
			-EINVAL,
			"%u ports of %u cannot be busy: it takes two",
			config->busy,
			gen->port_count
		);
	// virtio 1.1, 2.6 and 2.7
	if (!config->packed && (config->ring_size & (config->ring_size - 1)))
		return gen_fail(
			-EINVAL,
			"split rings of %u entries: it has to be a power of two",
			config->ring_size
		);
	if (config->pattern == GEN_PAIRS && config->busy % 2)
		return gen_fail(-EINVAL, "%u ports make no pairs", config->busy);
	return 0;
}

int ports_read(struct gen *gen)
{
	FILE *file = fopen(gen->config.ports_path, "re");
	char line[256];
	int r = 0;

	if (!file)
		return gen_fail(
			-errno, "cannot read %s: %s", gen->config.ports_path, strerror(errno)
		);
	while (!r && fgets(line, sizeof(line), file))
		r = add_port(gen, line);
	(void)fclose(file); // It was only read.
	return r ? r : check_ports(gen);
}

static bool is_sender(const struct gen *gen, uint32_t port)
{
	if (gen->config.both_ways || gen->config.pattern == GEN_RING)
		return true;
	return gen->config.pattern == GEN_STAR ? port == 0 : port % 2 == 0;
}

static void raise_limit(const struct gen *gen)
{
	struct rlimit limit;
	rlim_t wanted = 64 + (rlim_t)gen->port_count * (PORT_FDS + 4 * gen->config.queue_pairs);

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	(void)setrlimit(RLIMIT_NOFILE, &limit); // What then cannot be opened says so.
}

static int allocate_lanes(struct gen *gen)
{
	gen->lane_count = gen->config.busy * gen->config.queue_pairs;
	gen->lane = calloc(gen->lane_count, sizeof(*gen->lane));
	gen->sender = calloc(gen->lane_count, sizeof(struct lane *));
	if (!gen->lane || !gen->sender)
		return gen_fail(-ENOMEM, "no memory for %u lanes", gen->lane_count);
	for (uint32_t i = 0; i < gen->lane_count; i++) {
		struct lane *lane = &gen->lane[i];
		lane->index = i;
		lane->port = i / gen->config.queue_pairs;
		lane->peer = frame_peer(gen, lane->port, 0);
		lane->pending = calloc(gen->config.ring_size, sizeof(*lane->pending));
		if (!lane->pending)
			return gen_fail(-ENOMEM, "no memory for %u lanes", gen->lane_count);
		if (is_sender(gen, lane->port))
			gen->sender[gen->sender_count++] = lane;
	}
	return 0;
}

int ports_open(struct gen *gen)
{
	int r = allocate_lanes(gen);

	raise_limit(gen);
	for (uint32_t i = 0; i < gen->port_count && !r; i++) {
		struct lane *lanes = i < gen->config.busy
			? &gen->lane[(size_t)i * gen->config.queue_pairs]
			: NULL;
		r = gen->port[i].is_kernel ? kernel_port_open(gen, i, lanes)
					   : vhost_port_open(gen, i, lanes);
	}
	return r;
}

void ports_close(struct gen *gen)
{
	for (uint32_t i = 0; i < gen->port_count; i++) {
		if (gen->port[i].is_kernel)
			kernel_port_close(&gen->port[i]);
		else
			vhost_port_close(&gen->port[i]);
	}
	for (uint32_t i = 0; i < gen->lane_count && gen->lane; i++)
		free(gen->lane[i].pending);
	free(gen->port);
	free(gen->lane);
	free(gen->sender);
}
