// SPDX-License-Identifier: BSD-3-Clause
// The fake switch's two files: fake_switch.c (what ringwayd asks) and fake_conn.c (front ends, and what outlives a switch).
#pragma once

#include "wire/board.h"
#include "wire/wire.h"

#include <string.h>

#define FAKE_PORTS 2048
#define FAKE_FORM 1
#define FAKE_KEPT 8

struct fake_kept {
	uint32_t id;
	int fd;
};

// A port's state memory.
struct fake_state {
	uint32_t magic; // 0: new.
	uint32_t last_id;
	uint32_t quarantined;
	uint32_t live;	  // There is a session.
	uint32_t doubt;	  // And it is in doubt.
	uint32_t counter; // Bytes that any switch took from the front end.
	uint32_t ids[FAKE_KEPT];
};

struct fake_port {
	struct wire_port spec;
	int listener;
	int conn;
	uint32_t state;
	int queue_fds[WIRE_QUEUES_MAX];
	uint32_t queue_count;
	int memory_fd;
	struct fake_state *memory; // NULL: none.
	struct fake_kept kept[FAKE_KEPT];
};

extern struct fake_port ports[FAKE_PORTS];
extern uint32_t port_count;
extern struct board *board;
extern int peer;
extern bool stuck; // A worker is.
extern bool deaf;  // ringwayd is not listened to.

static inline bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

struct fake_port *find_port(uint32_t id);
void send_event(const struct fake_port *port, const char *reason);

int memory_take(struct fake_port *port, int fd); // -EINVAL: it is none of ours.
int conn_add(struct fake_port *port, int fd);
int conn_restore(const struct wire_kept *kept, int *fds);
void port_fds(const struct fake_port *port, struct wire_msg *reply);
void conn_close(struct fake_port *port);
void on_conn(struct fake_port *port);
