// SPDX-License-Identifier: BSD-3-Clause
// The test's thread alone. What is wrong with the rig itself ends the test at once.
#include "tests/unit/daemon/host/rig.h"

#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 5000
#define HEADER_SIZE 12
#define MARKER 0xff

static int home = -1;
static unsigned int cpu;

// All that the test sends waits in the queue of the CPU that it runs on, where soft interrupts may be late: so it stays on
// one.
static bool stay_on_cpu(void)
{
	cpu_set_t set;
	cpu = (unsigned int)sched_getcpu();
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

// Columns of softnet_stat: frames that wait, and whose CPU it is.
#define SOFTNET_WAITING 11
#define SOFTNET_CPU 12

static unsigned int waiting_frames(void)
{
	char line[256];
	unsigned int waiting = 0;
	FILE *file = fopen("/proc/thread-self/net/softnet_stat", "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long column[SOFTNET_CPU + 1] = {0};
		char *at = line;
		for (int i = 0; i <= SOFTNET_CPU; i++)
			column[i] = strtoul(at, &at, 16);
		if (column[SOFTNET_CPU] == cpu)
			waiting = (unsigned int)column[SOFTNET_WAITING];
	}
	(void)fclose(file); // Only read.
	return waiting;
}

// Until every frame that was sent is where it goes.
static void settle(void)
{
	// Others' frames may wait there too, so it is asked often: none at one moment is enough.
	for (int i = 0; i < 10 * WAIT_MS; i++) {
		if (!waiting_frames())
			return;
		(void)usleep(100);
	}
	fail_msg("frames wait for ever");
}

static int open_own(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

const char *rig_enter(void)
{
	struct rwy_err err = {0};
	static char reason[ERR_MSG_SIZE + 32];
	char dir[] = "/tmp/ringway-host-XXXXXX";
	struct host *host = NULL;
	if (geteuid() != 0)
		return "network namespaces need root";
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "no namespaces of its own";
	if (!stay_on_cpu())
		return "it cannot stay on a CPU";
	home = open_own();
	if (!mkdtemp(dir))
		return "no directory in /tmp";
	const struct host_config config = {.run_dir = dir};
	int r = host_open(&config, &host, &err);
	if (!r)
		r = host_destroy_all(host, &err);
	(void)rmdir(dir); // Tried only to find out.
	if (!r)
		return NULL;
	if (r != -EOPNOTSUPP)
		fail_msg("%s", err.msg);
	(void)snprintf(reason, sizeof(reason), "%s", err.msg);
	return reason;
}

static void check(int r, const struct rwy_err *err)
{
	if (r)
		fail_msg("%s (%d)", err->msg, r);
}

void rig_go(const struct rig *rig, unsigned int n)
{
	assert_int_equal(setns(rig->netns[n], CLONE_NEWNET), 0);
}

void rig_return(void)
{
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd); // Of /proc: nothing is left to fail.
}

// Without anything that the kernel sends by itself.
static int make_netns(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	int fd = open_own();
	assert_true(fd >= 0);
	rig_return();
	return fd;
}

static void open_host(struct rig *rig)
{
	struct rwy_err err = {0};
	const struct host_config config = {.run_dir = rig->run_dir};
	check(host_open(&config, &rig->host, &err), &err);
}

void rig_make(struct rig *rig)
{
	struct rwy_err err = {0};
	const struct host_network network = {.id = RIG_NETWORK, .mtu = 1500};
	memset(rig, 0, sizeof(*rig));
	strcpy(rig->run_dir, "/tmp/ringway-host-XXXXXX");
	assert_non_null(mkdtemp(rig->run_dir));
	for (int i = 0; i < RIG_PORTS; i++) {
		rig->netns[i] = make_netns();
		rig->socket[i] = -1;
	}
	rig->trunk[0] = rig->trunk[1] = -1;
	open_host(rig);
	check(host_network_add(rig->host, &network, &err), &err);
}

void rig_reopen(struct rig *rig)
{
	host_close(rig->host);
	open_host(rig);
}

static void expect_no_interfaces(void)
{
	struct if_nameindex *names = if_nameindex();
	assert_non_null(names);
	for (const struct if_nameindex *i = names; i->if_index; i++)
		assert_string_equal(i->if_name, "lo");
	if_freenameindex(names);
}

void rig_remove(struct rig *rig)
{
	struct rwy_err err = {0};
	for (int i = 0; i < RIG_PORTS; i++) {
		if (rig->socket[i] >= 0)
			(void)close(rig->socket[i]); // Nothing is left to fail.
	}
	for (int i = 0; i < 2; i++) {
		if (rig->trunk[i] >= 0)
			(void)close(rig->trunk[i]);
	}
	check(host_destroy_all(rig->host, &err), &err);
	expect_no_interfaces();
	for (unsigned int i = 0; i < RIG_PORTS; i++) {
		rig_go(rig, i);
		expect_no_interfaces();
		rig_return();
		(void)close(rig->netns[i]);
	}
	// Fails when a mount, a pin or a file is left.
	assert_int_equal(rmdir(rig->run_dir), 0);
}

void rig_mac(unsigned int n, uint8_t ret_mac[MAC_SIZE])
{
	const uint8_t mac[MAC_SIZE] = {2, 0, 0, 0, 0x10, (uint8_t)n};
	memcpy(ret_mac, mac, sizeof(mac));
}

struct host_port rig_port(unsigned int n)
{
	struct host_port port = {.id = 10 + n, .network = RIG_NETWORK, .mtu = 1500};
	rig_mac(n, port.mac);
	(void)snprintf(port.peer, sizeof(port.peer), "rwc%u", n);
	return port;
}

static int open_socket(const struct rig *rig, unsigned int n)
{
	rig_go(rig, n);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex("eth0"),
	};
	assert_true(fd >= 0);
	assert_true(address.sll_ifindex > 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	int on = 1;
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	rig_return();
	return fd;
}

void rig_await_up(struct rig *rig, uint32_t id)
{
	for (int i = 0; i < WAIT_MS && !host_port_is_up(rig->host, id); i++)
		(void)usleep(1000);
	assert_true(host_port_is_up(rig->host, id));
}

void rig_add(struct rig *rig, unsigned int n, const struct host_port *port, const char *address)
{
	struct rwy_err err = {0};
	struct host_inside inside = {.netns_fd = rig->netns[n], .name = "eth0", .up = true};
	if (address)
		(void)snprintf(inside.address[0], sizeof(inside.address[0]), "%s", address);
	check(host_port_add(rig->host, port, &err), &err);
	check(host_port_place(rig->host, port->id, &inside, &err), &err);
	rig_await_up(rig, port->id);
	if (rig->socket[n] >= 0)
		(void)close(rig->socket[n]); // Of the interface before.
	rig->socket[n] = open_socket(rig, n);
}

void rig_add_all(struct rig *rig, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct host_port port = rig_port(i);
		rig_add(rig, i, &port, NULL);
	}
}

void rig_open_trunk(struct rig *rig, uint32_t queues)
{
	struct rwy_err err = {0};
	check(host_trunk_open(rig->host, RIG_NETWORK, queues, rig->trunk, &rig->offloads, &err),
	      &err);
}

void rig_build(struct rig_frame *frame, const uint8_t *to, const uint8_t *from, uint8_t mark)
{
	memset(frame, 0, sizeof(*frame));
	memset(frame->bytes, 0xff, MAC_SIZE);
	if (to)
		memcpy(frame->bytes, to, MAC_SIZE);
	memcpy(frame->bytes + MAC_SIZE, from, MAC_SIZE);
	frame->bytes[12] = RIG_TYPE >> 8;
	frame->bytes[13] = RIG_TYPE & 0xff;
	frame->size = 60;
	frame->bytes[59] = mark;
}

void rig_send(const struct rig *rig, unsigned int n, const struct rig_frame *frame)
{
	assert_int_equal(send(rig->socket[n], frame->bytes, frame->size, 0), frame->size);
}

static bool is_type(const struct rig_frame *frame, uint16_t type)
{
	return frame->size >= 14 && frame->bytes[12] == type >> 8 &&
		frame->bytes[13] == (type & 0xff);
}

void rig_receive(const struct rig *rig, unsigned int n, uint16_t type, struct rig_frame *ret)
{
	for (;;) {
		struct pollfd wait = {.fd = rig->socket[n], .events = POLLIN};
		ssize_t size = recv(rig->socket[n], ret->bytes, sizeof(ret->bytes), 0);
		if (size < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
			continue;
		}
		ret->size = (size_t)size;
		if (is_type(ret, type))
			return;
	}
}

unsigned int rig_count(struct rig *rig, unsigned int n, uint8_t mark)
{
	struct rig_frame frame;
	const uint8_t from[MAC_SIZE] = {2, 0, 0, 0, 0x20, 1};
	uint8_t to[MAC_SIZE];
	unsigned int count = 0;
	settle();
	rig_mac(n, to);
	rig_build(&frame, to, from, MARKER);
	rig_trunk_send(rig, &frame);
	for (;;) {
		rig_receive(rig, n, RIG_TYPE, &frame);
		if (frame.bytes[59] == MARKER)
			return count;
		count += frame.bytes[59] == mark;
	}
}

void rig_trunk_send(const struct rig *rig, const struct rig_frame *frame)
{
	uint8_t bytes[HEADER_SIZE + RIG_FRAME_MAX] = {0};
	memcpy(bytes + HEADER_SIZE, frame->bytes, frame->size);
	assert_int_equal(
		write(rig->trunk[0], bytes, HEADER_SIZE + frame->size), HEADER_SIZE + frame->size
	);
}

bool rig_trunk_receive(
	const struct rig *rig,
	uint16_t type,
	uint8_t *ret_header,
	struct rig_frame *ret
)
{
	uint8_t bytes[HEADER_SIZE + RIG_FRAME_MAX];
	settle();
	for (int i = 0; i < 2;) {
		ssize_t size = rig->trunk[i] < 0 ? -1 : read(rig->trunk[i], bytes, sizeof(bytes));
		if (size < 0) {
			i++;
			continue;
		}
		assert_true(size >= HEADER_SIZE);
		ret->size = (size_t)size - HEADER_SIZE;
		memcpy(ret->bytes, bytes + HEADER_SIZE, ret->size);
		memcpy(ret_header, bytes, HEADER_SIZE);
		if (is_type(ret, type))
			return true;
	}
	return false;
}

struct host_counters rig_counters(struct rig *rig, unsigned int n)
{
	struct rwy_err err = {0};
	struct host_counters counters;
	settle();
	check(host_port_counters(rig->host, 10 + n, &counters, &err), &err);
	return counters;
}
