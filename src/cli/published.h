// SPDX-License-Identifier: BSD-3-Clause
// Published ports for people. No state; any thread.
#pragma once

#include <jansson.h>

// The API's list of published ports in one line, by protocol and address of the host, neighbours joined to ranges:
// "8000-8009->8000-8009/tcp,127.0.0.1:53->5353/udp". All of them, however many. The caller frees it; NULL without memory.
char *published_text(const json_t *list);
