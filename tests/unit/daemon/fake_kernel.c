// SPDX-License-Identifier: BSD-3-Clause
// Rows in arrays. The trunk's queues are eventfds: descriptors that a switch can be given. Under the service's lock.
#include "tests/unit/daemon/fake_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_kernel fake_kernel;
static int watch; // No link changes here.

static int may_fail(const char *function, struct rwy_err *err)
{
	if (!fake_kernel.fail || strcmp(fake_kernel.fail, function) != 0)
		return 0;
	return err_set(err, -EIO, "%s fails", function);
}

#define MAY_FAIL(err)                                 \
	do {                                          \
		int failed = may_fail(__func__, err); \
		if (failed)                           \
			return failed;                \
	} while (0)

struct fake_kernel_port *fake_kernel_port(uint32_t id)
{
	for (size_t i = 0; i < fake_kernel.port_count; i++)
		if (fake_kernel.ports[i].port.id == id)
			return &fake_kernel.ports[i];
	return NULL;
}

static struct host_network *find_network(uint32_t id)
{
	for (size_t i = 0; i < fake_kernel.network_count; i++)
		if (fake_kernel.networks[i].id == id)
			return &fake_kernel.networks[i];
	return NULL;
}

int host_open(const struct host_config *config, struct host **ret, struct rwy_err *err)
{
	if (fake_kernel.absent)
		return err_set(err, -EOPNOTSUPP, "the kernel is a fake");
	*ret = (struct host *)&fake_kernel;
	watch = eventfd(0, EFD_CLOEXEC);
	return watch < 0 ? -errno : 0;
}

void host_close(struct host *host)
{
	(void)close(watch);
}

int host_watch_fd(const struct host *host)
{
	return watch;
}

void host_watch_read(struct host *host)
{
}

int host_destroy_all(struct host *host, struct rwy_err *err)
{
	fake_kernel.network_count = fake_kernel.port_count = 0;
	fake_kernel.destroyed++;
	host_close(host);
	return 0;
}

int host_network_add(struct host *host, const struct host_network *network, struct rwy_err *err)
{
	MAY_FAIL(err);
	struct host_network *have = find_network(network->id);
	if (!have)
		have = &fake_kernel.networks[fake_kernel.network_count++];
	*have = *network;
	return 0;
}

int host_network_remove(struct host *host, uint32_t id, struct rwy_err *err)
{
	struct host_network *have = find_network(id);
	for (size_t i = 0; i < fake_kernel.port_count; i++)
		if (fake_kernel.ports[i].port.network == id)
			return err_set(err, -EBUSY, "ports are on network %u", id);
	if (have)
		*have = fake_kernel.networks[--fake_kernel.network_count];
	return 0;
}

int host_trunk_offloads(int fd, uint32_t *ret_offloads)
{
	*ret_offloads = HOST_OFFLOAD_CSUM;
	return 0;
}

int host_trunk_missed(
	struct host *host,
	uint32_t network,
	uint64_t *ret_frames,
	struct rwy_err *err
)
{
	*ret_frames = fake_kernel.missed;
	return 0;
}

int host_trunk_open(
	struct host *host,
	uint32_t network,
	uint32_t queues,
	int *ret_fds,
	uint32_t *ret_offloads,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	if (!find_network(network))
		return err_set(err, -ENOENT, "no network %u", network);
	for (uint32_t i = 0; i < queues; i++)
		ret_fds[i] = eventfd(0, EFD_CLOEXEC);
	*ret_offloads = HOST_OFFLOAD_CSUM;
	fake_kernel.trunks_opened++;
	return 0;
}

int host_port_add(struct host *host, const struct host_port *port, struct rwy_err *err)
{
	MAY_FAIL(err);
	if (!find_network(port->network))
		return err_set(err, -ENOENT, "no network %u", port->network);
	struct fake_kernel_port *have = fake_kernel_port(port->id);
	if (!have) {
		have = &fake_kernel.ports[fake_kernel.port_count++];
		*have = (struct fake_kernel_port){0};
	}
	have->port = *port;
	return 0;
}

int host_port_remove(struct host *host, uint32_t id, struct rwy_err *err)
{
	struct fake_kernel_port *have = fake_kernel_port(id);
	if (have)
		*have = fake_kernel.ports[--fake_kernel.port_count];
	return 0;
}

int host_list_addresses(
	struct host *host,
	struct host_address **ret,
	size_t *ret_count,
	struct rwy_err *err
)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	**ret = fake_kernel.address;
	*ret_count = fake_kernel.address.text[0] != 0;
	return 0;
}

bool host_port_exists(struct host *host, uint32_t id)
{
	return fake_kernel_port(id) != NULL;
}

bool host_port_is_up(struct host *host, uint32_t id)
{
	const struct fake_kernel_port *have = fake_kernel_port(id);
	return have && have->inside.up;
}

int host_port_place(
	struct host *host,
	uint32_t id,
	const struct host_inside *inside,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	struct stat st = {0};
	struct fake_kernel_port *have = fake_kernel_port(id);
	if (!have)
		return err_set(err, -ENOENT, "no port %u", id);
	if (inside->netns_fd >= 0 && fstat(inside->netns_fd, &st))
		return err_set(err, -errno, "no namespace");
	have->inside = *inside;
	have->netns = st.st_ino;
	return 0;
}

int host_station_add(
	struct host *host,
	uint32_t network,
	const uint8_t mac[MAC_SIZE],
	const char *ip,
	const char *ip6,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	fake_kernel.station_count++;
	return 0;
}

int host_station_remove(
	struct host *host,
	uint32_t network,
	const uint8_t mac[MAC_SIZE],
	struct rwy_err *err
)
{
	fake_kernel.station_count--;
	return 0;
}

int host_station_keep(
	struct host *host,
	uint32_t network,
	const uint8_t (*macs)[MAC_SIZE],
	size_t count,
	struct rwy_err *err
)
{
	return 0;
}

int host_port_counters(
	struct host *host,
	uint32_t id,
	struct host_counters *ret,
	struct rwy_err *err
)
{
	*ret = (struct host_counters
	){.rx_frames = 1000 + id, .rx_bytes = 7, .tx_frames = 8, .tx_bytes = 9, .drops = {1}};
	return 0;
}

const char *host_drop_text(unsigned int reason)
{
	static const char *const texts[HOST_DROP_COUNT] = {
		"short", "b", "c", "d", "e", "f", "g", "h"};
	return texts[reason];
}

static int compare_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

int host_list_ports(struct host *host, uint32_t **ret_ids, size_t *ret_count, struct rwy_err *err)
{
	*ret_ids = calloc(FAKE_KERNEL_ROWS, sizeof(**ret_ids));
	*ret_count = fake_kernel.port_count;
	for (size_t i = 0; i < fake_kernel.port_count; i++)
		(*ret_ids)[i] = fake_kernel.ports[i].port.id;
	qsort(*ret_ids, *ret_count, sizeof(**ret_ids), compare_id);
	return 0;
}

int host_list_networks(
	struct host *host,
	uint32_t **ret_ids,
	size_t *ret_count,
	struct rwy_err *err
)
{
	*ret_ids = calloc(FAKE_KERNEL_ROWS, sizeof(**ret_ids));
	*ret_count = fake_kernel.network_count;
	for (size_t i = 0; i < fake_kernel.network_count; i++)
		(*ret_ids)[i] = fake_kernel.networks[i].id;
	qsort(*ret_ids, *ret_count, sizeof(**ret_ids), compare_id);
	return 0;
}

int firewall_open(const char *run_dir, struct firewall **ret, struct rwy_err *err)
{
	MAY_FAIL(err);
	*ret = (struct firewall *)&fake_kernel;
	return 0;
}

void firewall_close(struct firewall *firewall)
{
	fake_kernel.reserved = 0;
}

int firewall_set(
	struct firewall *firewall,
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	for (size_t i = 0; i < network_count; i++)
		fake_kernel.rules[i] = networks[i];
	for (size_t i = 0; i < publish_count; i++)
		fake_kernel.publishes[i] = publishes[i];
	fake_kernel.rule_count = network_count;
	fake_kernel.publish_count = publish_count;
	return 0;
}

int firewall_check(struct firewall *firewall, struct rwy_err *err)
{
	return 0;
}

int firewall_reserve(struct firewall *firewall, struct firewall_publish *io, struct rwy_err *err)
{
	if (io->host_port && io->host_port == fake_kernel.taken)
		return err_set(
			err, -EADDRINUSE, "cannot publish port %u/tcp: in use", io->host_port
		);
	io->bound = io->host_port ? io->host_port : 32768;
	fake_kernel.reserved++;
	return 0;
}

void firewall_release(struct firewall *firewall, uint32_t port_id)
{
	fake_kernel.reserved = 0; // Of one port, as the tests have it.
}

const char *uplink_state_text(uint32_t state)
{
	return "running";
}

int uplinks_new(
	const struct uplinks_config *config,
	struct uplinks **ret_uplinks,
	struct rwy_err *err
)
{
	fake_kernel.uplink_count = 0;
	*ret_uplinks = (struct uplinks *)&fake_kernel;
	return 0;
}

void uplinks_free(struct uplinks *uplinks, bool end)
{
}

void uplinks_settle(struct uplinks *uplinks)
{
	fake_kernel.settled++;
}

int uplinks_attach(
	struct uplinks *uplinks,
	const struct uplink_port *port,
	bool must_exist,
	struct rwy_err *err
)
{
	MAY_FAIL(err);
	fake_kernel.uplinks[fake_kernel.uplink_count++] = *port;
	return 0;
}

int uplinks_wait(struct uplinks *uplinks, uint32_t id, int timeout_ms, struct rwy_err *err)
{
	MAY_FAIL(err);
	return 0;
}

int uplinks_detach(struct uplinks *uplinks, uint32_t id, struct rwy_err *err)
{
	for (size_t i = 0; i < fake_kernel.uplink_count; i++)
		if (fake_kernel.uplinks[i].id == id) {
			fake_kernel.uplinks[i] = fake_kernel.uplinks[--fake_kernel.uplink_count];
			return 0;
		}
	return -ENOENT;
}

int uplinks_stats(struct uplinks *uplinks, uint32_t id, struct uplink_counters *ret_counters)
{
	*ret_counters = (struct uplink_counters
	){.state = UPLINK_RUNNING, .pid = 7, .link_up = true, .drop_count = 1};
	(void)snprintf(ret_counters->drops[0].reason, 32, "unknown_vlan");
	return 0;
}
