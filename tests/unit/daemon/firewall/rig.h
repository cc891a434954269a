// SPDX-License-Identifier: BSD-3-Clause
// A host in a network namespace of its own, with an outside, three networks and their containers in others, and real packets
// between them. The caller's thread lives in the host's namespace; sockets of all can be had from there.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum place {
	PLACE_HOST,
	PLACE_OUTSIDE, // 192.0.2.2, 2001:db8::2; the host is 192.0.2.1, 2001:db8::1.
	PLACE_WIRE,    // Where ringwayd would have the networks.
	PLACE_A1,      // 10.1.0.2, fd00:1::2 on network 1, whose gateway is 10.1.0.1.
	PLACE_B1,      // 10.1.0.3, fd00:1::3
	PLACE_A2,      // 10.2.0.2, fd00:2::2 on network 2.
	PLACE_A3,      // 10.3.0.2, fd00:3::2 on network 3, which is internal.
	PLACE_COUNT
};

#define RIG_TEXT_SIZE 64
#define RIG_ARRIVES_MS 20000 // What arrives does so long before.
#define RIG_LOST_MS 300

struct endpoint {
	enum place place;
	const char *address;
	uint16_t port;
};

// False: this machine or user cannot (said on stderr).
bool rig_make(void);

// Runs a command line there; its status.
int rig_run(enum place place, const char *line);
// The same; what it wrote, which the caller frees.
char *rig_output(enum place place, const char *line);

int rig_socket(enum place place, bool six, int type, int proto);
// A socket that is bound to a port of all addresses there, and listens where that has a meaning.
int rig_serve(const struct endpoint *server, int type);

// One exchange in both directions. `server` is where it has to come out, `to` what the client believes to speak with.
// 0 and whom the server saw, or a negative errno: -ECONNREFUSED, -EHOSTUNREACH.., -ETIMEDOUT when nothing came for so long.
int rig_exchange(
	int type,
	const struct endpoint *client,
	const struct endpoint *server,
	const struct endpoint *to,
	int wait_ms,
	char ret_seen[RIG_TEXT_SIZE]
);
// For flows that live longer: sends from a connected client, receives at a server; -ETIMEDOUT.
int rig_send(int client, int server, int wait_ms);
int rig_connect(int fd, const char *address, uint16_t port);
