// SPDX-License-Identifier: BSD-3-Clause
// An engine of a few lines: HTTP over a unix socket, answers out of a table.
#pragma once

#include <stdbool.h>

struct fake_engine;

struct fake_engine *fake_engine_new(const char *path);
void fake_engine_free(struct fake_engine *engine);
// From now on a request whose first line begins with `request` is answered so. Any thread.
void fake_engine_set(struct fake_engine *engine, const char *request, int status, const char *body);
// Sends an event to who follows; waits until somebody does.
void fake_engine_event(struct fake_engine *engine, const char *line);
// How often a request that begins so came.
unsigned int fake_engine_count(struct fake_engine *engine, const char *request);
