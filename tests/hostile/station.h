// SPDX-License-Identifier: BSD-3-Clause
// A front end that sends numbered frames and checks what it receives. One thread.
#pragma once

#include "tests/lib/front.h"

#include <stdbool.h>
#include <stdint.h>

#define STATION_FRAME_MIN 60
#define STATION_FRAME_MAX 9014

struct station {
	struct front *front;
	uint8_t mac[6];
	uint32_t number;
	uint64_t sent;
	uint64_t next; // The number of the frame that is due from `source`.
	uint64_t received;
	uint64_t lost;	     // Numbers that were skipped.
	uint64_t misordered; // Numbers that had been due before: late, or twice.
	uint64_t malformed;
	uint64_t misrouted; // Of this program, but not for this station.
	uint64_t foreign;   // Not of this program.
	uint64_t forged;    // Of those: with this station's address or its peer's as their source.
	uint8_t peer[6];
};

// Makes the front end, connects and starts; all its rings run when this returns. 0 or a negative errno.
int station_start(
	struct station *station,
	uint32_t number,
	const struct front_config *config,
	const char *path
);
void station_free(struct station *station);

// Sends at most `count` frames of this size to `destination`. How many went, or a negative errno.
int station_send(
	struct station *station,
	const uint8_t destination[6],
	uint32_t size,
	uint32_t count
);

// Takes all frames that are there; they must come from station `source` and be of this size. How many
// came, or a negative errno when the ring is broken.
int station_receive(struct station *station, uint32_t source, uint32_t size);
