// SPDX-License-Identifier: BSD-3-Clause
// What the service in memory consists of, for its own files.
#pragma once

#include "daemon/service.h"

#include <pthread.h>
#include <stdlib.h>

#define ROWS 64

struct daemon {
	pthread_mutex_t lock;
	char run_dir[PATH_TEXT_SIZE];
	uint32_t next_id;
	struct network_info networks[ROWS];
	struct port_info ports[ROWS];
	struct container_info places[ROWS];
	struct port_publish published[ROWS][4]; // Of the port in the same row.
	size_t published_count[ROWS];
	struct service_function functions[ROWS];
	unsigned int looks; // After which functions are back.
};

static inline void held(struct daemon *d)
{
	// EDEADLK or EBUSY; 0 would mean that nobody had it.
	if (pthread_mutex_trylock(&d->lock) == 0)
		abort();
}

// Functions of a network that has some: made with it, and forgotten with it.
void fake_functions_make(struct daemon *d, const struct network_spec *spec);
void fake_functions_forget(struct daemon *d, const char *network);
// A port of functions takes one, and drops it when it goes.
int fake_functions_take(
	struct daemon *d,
	struct port_info *port,
	const char *key,
	struct rwy_err *err
);
void fake_functions_drop(struct daemon *d, const char *port);
