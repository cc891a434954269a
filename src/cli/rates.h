// SPDX-License-Identifier: BSD-3-Clause
// What happened between two samples of the API's stats (docs/api.md). Pure; any thread.
#pragma once

#include <jansson.h>

struct port_rate {
	double rx_frames; // A second.
	double rx_gbits;  // Gbit/s of frame bytes: no preamble, gap or check sequence.
	double tx_frames;
	double tx_gbits;
	double drops;
};

// Seconds from one sample to the next; 0 when they have no time between them.
double rates_seconds(json_t *before, json_t *after);

// The rates of `port`, an element of after's "ports". A port that `before` lacks, or whose counters
// were higher there (a new switch counts from zero), is taken to have begun at zero.
struct port_rate rates_port(json_t *before, json_t *after, json_t *port);

// The share of its time, 0 to 100, that worker `index` spent with frames; negative when unknown.
double rates_worker_busy(json_t *before, json_t *after, size_t index);

// The share of one CPU, in percent, that the switch's process used; negative when unknown.
double rates_switch_cpu(json_t *before, json_t *after);
