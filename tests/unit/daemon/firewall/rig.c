// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/daemon/firewall/rig.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int places[PLACE_COUNT];

static void enter(enum place place)
{
	if (setns(places[place], CLONE_NEWNET))
		abort();
}

static int make_namespace(void)
{
	int ready[2];
	char path[64];
	char byte;
	if (pipe2(ready, O_CLOEXEC))
		return -1;
	pid_t child = fork();
	if (!child) {
		if (unshare(CLONE_NEWNET) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	(void)close(ready[1]);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", child);
	int fd = read(ready[0], &byte, 1) == 1 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	(void)close(ready[0]);
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	return fd;
}

int rig_run(enum place place, const char *line)
{
	enter(place);
	int status = system(line); // NOLINT(cert-env33-c): the test's own words.
	enter(PLACE_HOST);
	return status;
}

char *rig_output(enum place place, const char *line)
{
	char *text = NULL;
	size_t size = 0;
	char part[4096];
	enter(place);
	FILE *pipe = popen(line, "re"); // NOLINT(cert-env33-c): the test's own words.
	enter(PLACE_HOST);
	FILE *out = open_memstream(&text, &size);
	for (size_t got; pipe && out && (got = fread(part, 1, sizeof(part), pipe)) > 0;)
		(void)fwrite(part, 1, got, out);
	if (!pipe || !out || pclose(pipe) || fclose(out))
		abort();
	return text;
}

static bool wire_host(void)
{
	static const char *const lines[] = {
		"ip link set lo up",
		"ip link add out0 type veth peer name out1",
		"ip link set out1 netns /proc/self/fd/%d",
		"ip address add 192.0.2.1/24 dev out0",
		"ip address add 2001:db8::1/64 dev out0 nodad",
		"ip link set out0 up",
	};
	char line[256];
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		(void)snprintf(line, sizeof(line), lines[i], places[PLACE_OUTSIDE]);
		if (rig_run(PLACE_HOST, line))
			return false;
	}
	// It knows a way to the containers, as any neighbour could.
	return !rig_run(
		PLACE_OUTSIDE,
		"ip link set lo up && ip address add 192.0.2.2/24 dev out1 &&"
		" ip address add 2001:db8::2/64 dev out1 nodad && ip link set out1 up &&"
		" ip route add 10.0.0.0/8 via 192.0.2.1 && ip route add fd00::/16 via 2001:db8::1"
	);
}

static bool wire_network(int network)
{
	char line[512];
	(void)snprintf(
		line,
		sizeof(line),
		"ip link add rwg%d-test type veth peer name g%d && "
		"ip link set g%d netns /proc/self/fd/%d && "
		"ip address add 10.%d.0.1/24 dev rwg%d-test && "
		"ip address add fd00:%d::1/64 dev rwg%d-test nodad && ip link set rwg%d-test up",
		network,
		network,
		network,
		places[PLACE_WIRE],
		network,
		network,
		network,
		network,
		network
	);
	if (rig_run(PLACE_HOST, line))
		return false;
	(void)snprintf(
		line,
		sizeof(line),
		"ip link add br%d type bridge && ip link set br%d up && "
		"ip link set g%d master br%d up",
		network,
		network,
		network,
		network
	);
	return !rig_run(PLACE_WIRE, line);
}

static bool wire_container(enum place place, int network, int number)
{
	char line[512];
	(void)snprintf(
		line,
		sizeof(line),
		"ip link add c%d type veth peer name eth0 netns /proc/self/fd/%d && "
		"ip link set c%d master br%d up",
		(int)place,
		places[place],
		(int)place,
		network
	);
	if (rig_run(PLACE_WIRE, line))
		return false;
	(void)snprintf(
		line,
		sizeof(line),
		"ip link set lo up && ip address add 10.%d.0.%d/24 dev eth0 && "
		"ip address add fd00:%d::%d/64 dev eth0 nodad && ip link set eth0 up && "
		"ip route add default via 10.%d.0.1 && ip route add default via fd00:%d::1",
		network,
		number,
		network,
		number,
		network,
		network
	);
	return !rig_run(place, line);
}

bool rig_make(void)
{
	// The host's own firewall, forwarding and interfaces stay as they are.
	if (geteuid() || unshare(CLONE_NEWNET)) {
		(void)fprintf(stderr, "skipped: needs root, for network namespaces\n");
		return false;
	}
	places[PLACE_HOST] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	for (int place = PLACE_OUTSIDE; place < PLACE_COUNT; place++) {
		// Without close-on-exec: `ip` is given it by number.
		int fd = make_namespace();
		places[place] = fd < 0 ? -1 : dup(fd);
		fd_close(&fd);
		if (places[place] < 0)
			return false;
	}
	if (!wire_host() || !wire_network(1) || !wire_network(2) || !wire_network(3) ||
	    !wire_container(PLACE_A1, 1, 2) || !wire_container(PLACE_B1, 1, 3) ||
	    !wire_container(PLACE_A2, 2, 2) || !wire_container(PLACE_A3, 3, 2)) {
		(void)fprintf(stderr, "skipped: cannot make interfaces\n");
		return false;
	}
	return true;
}

int rig_socket(enum place place, bool six, int type, int proto)
{
	enter(place);
	int fd = socket(six ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
	enter(PLACE_HOST);
	return fd;
}

static socklen_t fill(const char *address, uint16_t port, struct sockaddr_in6 *six)
{
	struct sockaddr_in *four = (struct sockaddr_in *)six;
	memset(six, 0, sizeof(*six));
	if (strchr(address, ':')) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		if (inet_pton(AF_INET6, address, &six->sin6_addr) != 1)
			abort();
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(port);
	if (inet_pton(AF_INET, address, &four->sin_addr) != 1)
		abort();
	return sizeof(*four);
}

static int await(int fd, short events, int ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int ready = poll(&poll_fd, 1, ms);
	return ready < 0 ? -errno : ready ? 0 : -ETIMEDOUT;
}

static bool is_six(const struct endpoint *endpoint)
{
	return strchr(endpoint->address, ':');
}

int rig_serve(const struct endpoint *server, int type)
{
	struct sockaddr_in6 address;
	int on = 1;
	_cleanup_close_ int fd = rig_socket(server->place, is_six(server), type, 0);
	socklen_t size = fill(is_six(server) ? "::" : "0.0.0.0", server->port, &address);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&address, size) || (type == SOCK_STREAM && listen(fd, 8)))
		return -errno;
	return fd_take(&fd);
}

int rig_connect(int fd, const char *address, uint16_t port)
{
	struct sockaddr_in6 to;
	socklen_t size = fill(address, port, &to);
	if (!connect(fd, (struct sockaddr *)&to, size))
		return 0;
	return errno == EINPROGRESS ? 0 : -errno;
}

static void name_peer(const struct sockaddr_in6 *six, char ret_seen[RIG_TEXT_SIZE])
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)six;
	if (six->sin6_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &six->sin6_addr, ret_seen, RIG_TEXT_SIZE);
	else
		(void)inet_ntop(AF_INET, &four->sin_addr, ret_seen, RIG_TEXT_SIZE);
}

static int pass(int from, int to)
{
	char text[8];
	if (send(from, "frames", 6, MSG_NOSIGNAL) != 6)
		return -errno;
	int r = await(to, POLLIN, RIG_ARRIVES_MS);
	if (r)
		return r;
	ssize_t got = recv(to, text, sizeof(text), 0);
	return got == 6 ? 0 : got < 0 ? -errno : -EPROTO;
}

static int exchange_stream(int client, int listener, int wait_ms, char ret_seen[RIG_TEXT_SIZE])
{
	struct sockaddr_in6 peer = {0};
	socklen_t size = sizeof(peer);
	int code = 0;
	socklen_t code_size = sizeof(code);
	int r = await(client, POLLOUT, wait_ms);
	if (r)
		return r;
	if (getsockopt(client, SOL_SOCKET, SO_ERROR, &code, &code_size) || code)
		return -code;
	// Somebody answered; if not this server, it has nobody to accept.
	r = await(listener, POLLIN, wait_ms);
	if (r)
		return -EREMCHG;
	_cleanup_close_ int accepted = accept(listener, (struct sockaddr *)&peer, &size);
	if (accepted < 0)
		return -errno;
	name_peer(&peer, ret_seen);
	r = pass(client, accepted);
	return r ? r : pass(accepted, client);
}

static int exchange_datagram(int client, int server, int wait_ms, char ret_seen[RIG_TEXT_SIZE])
{
	struct sockaddr_in6 peer = {0};
	socklen_t size = sizeof(peer);
	char text[8];
	if (send(client, "frames", 6, 0) != 6)
		return -errno;
	int r = await(server, POLLIN, wait_ms);
	if (r)
		return recv(client, text, sizeof(text), 0) < 0 && errno != EAGAIN ? -errno : r;
	if (recvfrom(server, text, sizeof(text), 0, (struct sockaddr *)&peer, &size) != 6)
		return -errno;
	name_peer(&peer, ret_seen);
	if (sendto(server, "answer", 6, 0, (struct sockaddr *)&peer, size) != 6)
		return -errno;
	// The client is connected: an answer from any other address does not arrive.
	r = await(client, POLLIN, RIG_ARRIVES_MS);
	if (r)
		return r;
	return recv(client, text, sizeof(text), 0) == 6 ? 0 : -errno;
}

int rig_exchange(
	int type,
	const struct endpoint *client,
	const struct endpoint *server,
	const struct endpoint *to,
	int wait_ms,
	char ret_seen[RIG_TEXT_SIZE]
)
{
	struct sockaddr_in6 from;
	_cleanup_close_ int listener = rig_serve(server, type);
	_cleanup_close_ int fd = rig_socket(client->place, is_six(to), type, 0);
	if (listener < 0 || fd < 0)
		return listener < 0 ? listener : -errno;
	ret_seen[0] = '\0';
	if (client->address) {
		socklen_t size = fill(client->address, client->port, &from);
		if (bind(fd, (struct sockaddr *)&from, size))
			return -errno;
	}
	int r = rig_connect(fd, to->address, to->port);
	if (r)
		return r;
	return type == SOCK_STREAM ? exchange_stream(fd, listener, wait_ms, ret_seen)
				   : exchange_datagram(fd, listener, wait_ms, ret_seen);
}

int rig_send(int client, int server, int wait_ms)
{
	char text[8];
	while (recv(server, text, sizeof(text), 0) > 0)
		continue;
	// An earlier refusal is told by the next call: not what is asked for here.
	(void)recv(client, text, sizeof(text), 0);
	if (send(client, "frames", 6, MSG_NOSIGNAL) != 6)
		return -errno;
	int r = await(server, POLLIN, wait_ms);
	return r ? r : recv(server, text, sizeof(text), 0) == 6 ? 0 : -errno;
}
