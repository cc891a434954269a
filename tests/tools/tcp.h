// SPDX-License-Identifier: BSD-3-Clause
// A TCP that is called and never calls: accepts connections on the ports that it is told, and on each either takes all that
// comes (sink) or sends a stream (source). RFC 793 with window scaling (RFC 7323), RFC 5961's care with RST and SYN; what is
// lost it sends again from there on (go-back-N); what comes out of order it acknowledges selectively (RFC 2018). Large
// segments, for a device that cuts them. Pure: segments in and out, time in nanoseconds by its caller. One thread.
#pragma once

#include "tests/tools/tcp_ranges.h"

#include <stdbool.h>
#include <stdint.h>

#define TCP_CONNECTIONS_MAX 64

#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_PSH 0x08
#define TCP_FLAG_ACK 0x10

#define TCP_ENDLESS UINT64_MAX
#define TCP_SACK_MAX 3

struct tcp_flow {
	uint8_t mac[6]; // The other's, for its answers.
	uint32_t ip;	// The other's.
	uint16_t port;	// The other's.
	uint16_t local_port;
};

// As it came, its checksum found right; or as it is to be sent.
struct tcp_segment {
	struct tcp_flow flow;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window; // As it is in the header.
	uint16_t
		mss; // Option of a SYN that came, 0: none. To send: also what a device cuts it into.
	int scale;   // -1: none.
	bool sack;   // Option of a SYN.
	uint32_t sack_count; // Of one to send.
	struct {
		uint32_t from, to;
	} sacks[TCP_SACK_MAX];
	const uint8_t *data; // Of one that came.
	uint64_t offset;     // Of one to send: where its first byte is in the stream.
	uint32_t size;
};

enum tcp_end {
	TCP_END_DONE, // Both sides have said all.
	TCP_END_RESET,
	TCP_END_TIMEOUT
};

struct tcp_conn {
	bool is_used;
	bool is_open;  // The handshake is done.
	bool is_ended; // Was told; answers for a while what comes late.
	bool is_source;
	bool has_fin; // The other's came.
	bool ack_due;
	bool syn_due;
	struct tcp_flow flow;
	uint32_t iss;	  // Our first number; the stream begins one behind it.
	uint32_t irs;	  // The other's; its stream begins one behind it.
	uint32_t rcv_nxt; // What is expected.
	uint32_t mss;
	uint32_t scale;	 // Of the other's windows.
	bool has_scale;	 // Both scale.
	bool has_sack;	 // The other understands it.
	uint64_t length; // Of our stream; behind it is FIN.
	// Places in our stream: acknowledged, next to send, sent at most.
	uint64_t una, nxt, max;
	uint64_t recover; // max, when something was found lost.
	uint64_t window;  // Bytes behind una that the other takes.
	uint64_t cwnd, ssthresh;
	uint32_t dup_acks, retries;
	uint64_t timer_ns; // 0: off.
	uint64_t start_ns;
	struct tcp_ranges received; // Of the other's stream.
	uint64_t recent;	    // Where what came last begins.
	bool knows_end;
	uint64_t end;	      // Of the other's stream, once FIN has come.
	uint64_t retransmits; // Times that it went back.
};

struct tcp_ops {
	// false: there is no room now.
	bool (*send)(void *ctx, const struct tcp_segment *segment);
	// Payload that belongs to `place` of the stream. Not in order, and some of it maybe twice.
	void (*receive
	)(void *ctx, const struct tcp_conn *conn, uint64_t place, const uint8_t *data, uint32_t size
	);
	void (*end)(void *ctx, const struct tcp_conn *conn, enum tcp_end how);
};

struct tcp {
	const struct tcp_ops *ops;
	void *ctx;
	uint16_t sink_port, source_port; // 0: none.
	uint64_t source_length;		 // Bytes, or TCP_ENDLESS: until the other has ended.
	uint32_t mss;
	uint32_t segment_max; // Payload; at least mss.
	uint32_t window;      // That we tell.
	uint32_t scale;	      // Of our windows.
	uint32_t next_iss;
	struct tcp_conn conn[TCP_CONNECTIONS_MAX];
};

// A segment that came.
void tcp_input(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns);
// Sends what may be sent, acknowledgements included, and what is overdue. Once a turn.
void tcp_output(struct tcp *tcp, uint64_t now_ns);
// When tcp_output() has to be called next though nothing comes; UINT64_MAX: never.
uint64_t tcp_deadline(const struct tcp *tcp);
