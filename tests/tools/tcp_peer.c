// SPDX-License-Identifier: BSD-3-Clause
// The other end of TCP connections of ordinary containers, on a vhost-user port: for measurements of segments that travel
// whole, and for tests of their content. One thread. tests/lib/front.h has the rings, tcp_peer_net.c the frames, tcp.c
// TCP.
#include "tests/tools/tcp_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// What one buffer holds of a frame, with its header.
#define HEADER_MAX 12u
#define SEGMENT_IP_MAX 65535u
#define HEADERS 40u // IPv4 and TCP.
#define BURST 64
#define SCALE 7u

#define FEATURES_PLAIN \
	(VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF | VHOST_FEATURE_PROTOCOL_FEATURES)
#define FEATURES_OFFLOAD                                                            \
	(VHOST_FEATURE_CSUM | VHOST_FEATURE_GUEST_CSUM | VHOST_FEATURE_GUEST_TSO4 | \
	 VHOST_FEATURE_HOST_TSO4 | VHOST_FEATURE_GUEST_ECN | VHOST_FEATURE_HOST_ECN)

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static uint64_t clock_ns(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // It cannot fail with this clock.
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void on_receive(
	void *ctx,
	const struct tcp_conn *conn,
	uint64_t place,
	const uint8_t *data,
	uint32_t size
)
{
	struct peer *peer = ctx;

	if (peer->save_fd < 0 || conn->is_source)
		return;
	if (pwrite(peer->save_fd, data, size, (off_t)place) != (ssize_t)size) {
		fprintf(stderr,
			"tcp-peer: cannot write %s: %s\n",
			peer->options->save_path,
			strerror(errno));
		peer->failed = true;
		stop = 1;
	}
}

static void on_end(void *ctx, const struct tcp_conn *conn, enum tcp_end how)
{
	static const char *const words[] = {"done", "reset", "timeout"};
	struct peer *peer = ctx;
	double seconds = (double)(peer->now_ns - conn->start_ns) / 1e9;
	uint64_t bytes = conn->is_source ? conn->una : conn->received.next;
	struct in_addr addr = {htonl(conn->flow.ip)};
	char ip[INET_ADDRSTRLEN];

	if (conn->is_source && bytes > conn->length)
		bytes = conn->length;			 // FIN has a number, too.
	(void)inet_ntop(AF_INET, &addr, ip, sizeof(ip)); // It fits.
	printf("{\"event\":\"end\",\"role\":\"%s\",\"peer\":\"%s:%u\",\"end\":\"%s\",\"bytes\":%" PRIu64
	       ",\"seconds\":%.3f,\"gbit_s\":%.3f,\"retransmits\":%" PRIu64 "}\n",
	       conn->is_source ? "source" : "sink",
	       ip,
	       conn->flow.port,
	       words[how],
	       bytes,
	       seconds,
	       seconds > 0 ? (double)bytes * 8 / seconds / 1e9 : 0,
	       conn->retransmits);
	(void)fflush(stdout); // Who reads it is told at once, or is gone.

	peer->failed |= how != TCP_END_DONE;
	peer->is_done = true;
}

static const struct tcp_ops tcp_ops = {
	.send = net_send,
	.receive = on_receive,
	.end = on_end,
};

static int fail(int error, const char *what, const char *name)
{
	fprintf(stderr, "tcp-peer: cannot %s %s: %s\n", what, name, strerror(-error));
	return EXIT_FAILURE;
}

static int open_files(struct peer *peer)
{
	const struct peer_options *o = peer->options;

	if (o->save_path) {
		peer->save_fd = open(o->save_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (peer->save_fd < 0)
			return fail(-errno, "write", o->save_path);
	}
	if (!o->send_path)
		return 0;
	int fd = open(o->send_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, "read", o->send_path);
	void *at = mmap(NULL, o->bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	int error = -errno;
	(void)close(fd); // The mapping stays.
	if (at == MAP_FAILED)
		return fail(error, "read", o->send_path);
	peer->content = at;
	return 0;
}

static int start_front(struct peer *peer)
{
	const struct peer_options *o = peer->options;
	uint32_t frame_max = o->no_offloads ? o->mtu + 18 : FRAME_SIZE_MAX;
	struct front_config config = {
		.features = FEATURES_PLAIN | (o->no_offloads ? 0 : FEATURES_OFFLOAD),
		.protocol_features = PROTOCOL_REPLY_ACK,
		.ring_size = o->no_offloads ? 1024 : o->ring,
		.rx_buffer_size = frame_max + HEADER_MAX,
		.frame_size_max = frame_max,
		.with_calls = true,
	};

	peer->front = front_new(&config);
	if (!peer->front)
		return fail(-errno, "make rings for", o->socket);
	int r = front_connect(peer->front, o->socket);
	if (!r)
		r = front_start(peer->front);
	if (r)
		return fail(r, "join the network at", o->socket);
	uint64_t features = peer->front->features;
	peer->asks_csum = features & VHOST_FEATURE_CSUM;
	peer->asks_tso = peer->asks_csum && features & VHOST_FEATURE_HOST_TSO4;
	return 0;
}

static void start_tcp(struct peer *peer)
{
	const struct peer_options *o = peer->options;
	struct tcp *tcp = &peer->tcp;

	tcp->ops = &tcp_ops;
	tcp->ctx = peer;
	tcp->sink_port = o->sink_port;
	tcp->source_port = o->source_port;
	tcp->source_length = o->bytes;
	tcp->mss = o->mtu - HEADERS;
	tcp->segment_max = peer->asks_tso ? SEGMENT_IP_MAX - HEADERS : tcp->mss;
	tcp->window = o->window;
	tcp->scale = SCALE;
	while (tcp->window >> tcp->scale > UINT16_MAX)
		tcp->scale++;
	tcp->next_iss = (uint32_t)clock_ns();
}

// Returns the number of frames, or a negative errno.
static int receive_burst(struct peer *peer)
{
	struct frame_offload offload;
	const uint8_t *frame;
	int count = 0;
	int r = 1;

	while (count < BURST) {
		r = front_receive_place(peer->front, 0, &offload, &frame);
		if (r == 0 || (r < 0 && r != -EMSGSIZE))
			break;
		if (r > 0)
			net_input(peer, frame, (uint32_t)r, &offload);
		count++;
	}
	return r < 0 && r != -EMSGSIZE ? r : count;
}

// Until something comes, a buffer is free again, or a timer is due. 0, or -EPIPE: the back end is gone.
static int wait_for_work(struct peer *peer, uint64_t deadline)
{
	struct pollfd fds[] = {
		{.fd = peer->front->queue[0].call_fd, .events = POLLIN},
		{.fd = peer->front->queue[1].call_fd, .events = POLLIN},
		{.fd = peer->front->fd, .events = 0},
	};
	uint64_t now = clock_ns();
	uint64_t left = deadline > now ? (deadline - now) / 1000000 + 1 : 0;
	eventfd_t count;

	bool is_quiet = front_arm(peer->front, 0) && front_arm(peer->front, 1);
	if (is_quiet)
		(void)poll(fds, 3, left < 1000 ? (int)left : 1000); // Waking early does no harm.
	front_disarm(peer->front, 0);
	front_disarm(peer->front, 1);
	for (int i = 0; i < 2; i++)
		if (fds[i].revents)
			(void)eventfd_read(fds[i].fd, &count); // Only to have it silent.
	return fds[2].revents & (POLLHUP | POLLERR) ? -EPIPE : 0;
}

static int run(struct peer *peer)
{
	int r = 0;

	while (!stop && !(peer->options->once && peer->is_done)) {
		peer->now_ns = clock_ns();
		uint64_t sent = peer->sent;
		int count = receive_burst(peer);
		if (count < 0)
			return count;
		(void)front_in_flight(peer->front, 0); // Takes back what was sent.
		tcp_output(&peer->tcp, peer->now_ns);
		if (count)
			front_kick(peer->front, 0);
		if (peer->sent != sent)
			front_kick(peer->front, 1);
		if (peer->options->busy || count || peer->sent != sent)
			continue;
		r = wait_for_work(peer, tcp_deadline(&peer->tcp));
		if (r)
			return r;
	}
	return 0;
}

// What was acknowledged last may still have to be given to the switch: front_stop() waits until it has stopped the rings.
static int finish(struct peer *peer)
{
	for (int i = 0; i < 100 && front_in_flight(peer->front, 0); i++)
		(void)usleep(1000); // Waking early does no harm.
	int r = front_stop(peer->front);
	front_free(peer->front);
	if (peer->save_fd >= 0 && close(peer->save_fd))
		return fail(-errno, "write", peer->options->save_path);
	printf("{\"event\":\"stopped\",\"received\":%" PRIu64 ",\"sent\":%" PRIu64
	       ",\"bad\":%" PRIu64 ",\"echoes\":%" PRIu64 "}\n",
	       peer->received,
	       peer->sent,
	       peer->bad,
	       peer->echoes);
	return r || (peer->options->once && peer->failed) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct peer peer;
	static struct peer_options options;
	int r = peer_options_read(argc, argv, &options);

	if (r)
		return r;
	peer.options = &options;
	peer.save_fd = -1;
	struct sigaction action = {.sa_handler = on_signal};
	(void)sigaction(SIGINT, &action, NULL); // These cannot fail.
	(void)sigaction(SIGTERM, &action, NULL);
	r = open_files(&peer);
	if (!r)
		r = start_front(&peer);
	if (r)
		return r;
	start_tcp(&peer);
	printf("{\"event\":\"ready\",\"csum\":%s,\"tso\":%s}\n",
	       peer.asks_csum ? "true" : "false",
	       peer.asks_tso ? "true" : "false");
	(void)fflush(stdout); // Who reads it is told at once, or is gone.
	r = run(&peer);
	if (r)
		return fail(r, "go on at", options.socket);
	return finish(&peer);
}
