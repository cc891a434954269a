// SPDX-License-Identifier: BSD-3-Clause
// What two sockets exchange over a network under test: streams, datagrams, single bytes there and back, short
// connections. A client has two threads: main keeps the time, another one makes the load. A server has one.
#pragma once

#include "bench/gen/cycles.h"
#include "bench/gen/hist.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define INET_STREAMS_MAX 64
#define INET_BLOCK 131072 // Bytes of a read or write of a stream, as iperf3's.
#define INET_REQUEST 64	  // Bytes of a request and of its answer.

// The first byte of a connection says what it is for.
enum inet_kind {
	INET_SILENT = 0, // Nothing is said: a server that is another program.
	INET_SINK = 'S', // All is read and thrown away.
	INET_ECHO = 'E', // Each byte but the first comes back.
	INET_ONCE = 'O', // One request, one answer, then the server closes.
	INET_COUNT =
		'C', // Each further byte is answered with the datagrams received so far, 64 bits.
};

struct inet_config {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	socklen_t to_length;
	uint16_t port;
	uint32_t streams; // Or connections at the same time.
	uint32_t size;	  // Of a datagram's payload.
	double seconds;
	double warm_seconds;
	const char *congestion; // TCP congestion control; NULL: the namespace's own.
	bool steps; // Wait for a line on standard input before and after the measurement.
};

struct inet_load;

// What a client does. Functions return 0 or a negative errno, with the failure said on standard error.
struct inet_mode {
	const char *name;
	int (*open)(struct inet_load *load);   // Main thread, before the load begins.
	int (*turn)(struct inet_load *load);   // The load's thread, again and again.
	int (*look)(struct inet_load *load);   // Main thread: notes the counters, before and after.
	void (*print)(struct inet_load *load); // Members of the result behind those that all have.
};

struct inet_load {
	const struct inet_config *config;
	const struct inet_mode *mode;
	int fd[INET_STREAMS_MAX];
	uint64_t begun[INET_STREAMS_MAX]; // Connects: in cycles.
	int epoll;
	int control; // Datagrams: the connection that asks for the count.
	atomic_bool stop;
	atomic_bool measuring;
	atomic_int failure; // Of the load's thread.
	_Atomic uint64_t sent;
	_Atomic uint64_t done;
	_Atomic uint64_t failed;
	uint64_t look_count; // How often look() was called.
	uint64_t first[3];   // What look() noted, before and after.
	uint64_t last[3];
	double hz;
	double elapsed;	  // Seconds between the looks.
	struct hist hist; // Of the load's thread, while measuring.
};

extern const struct inet_mode inet_stream;
extern const struct inet_mode inet_fetch;
extern const struct inet_mode inet_datagrams;
extern const struct inet_mode inet_pingpong;
extern const struct inet_mode inet_connects;

// Runs a client to its end and prints its result as one line of JSON. 0 or a negative errno.
int inet_run(const struct inet_config *config, const struct inet_mode *mode);

// Serves until a signal ends it. A negative errno.
int inet_serve(const struct inet_config *config);

// Says "inet: TEXT: REASON" on standard error; returns error, a negative errno.
int inet_fail(int error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// A socket connected to the server, which may begin to listen within ten seconds. TCP sockets have no delay and
// have sent `kind`, if any. The descriptor or a negative errno.
int inet_connect(const struct inet_config *config, int type, enum inet_kind kind);

// Notes counters, first the ones before the measurement. Any mode's look().
void inet_note(struct inet_load *load, const uint64_t values[3]);

// Whether the measurement goes on: what the load's thread sees now counts.
static inline bool inet_is_measuring(struct inet_load *load)
{
	return atomic_load_explicit(&load->measuring, memory_order_relaxed);
}

// One more of what the load's thread counts, which no other thread writes.
static inline void inet_add(_Atomic uint64_t *counter, uint64_t count)
{
	uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, before + count, memory_order_relaxed);
}

// "NAME": {"p50": .., "p99": .., "p99.9": .., "max": ..}, in microseconds.
void inet_print_hist(const struct inet_load *load, const char *name);
