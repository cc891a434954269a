// SPDX-License-Identifier: BSD-3-Clause
// Cases that a hostile front end plays against a port. A case ends with 0 once everything was sent that it has to
// send; that the back end closed the connection meanwhile (-EPIPE, -ECONNRESET) is its good right.
#pragma once

#include "tests/lib/front.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct play {
	const char *path;
	uint8_t mac[6];	     // Source address of its frames.
	unsigned int hold_s; // How long a case that holds something back does so.
	uint64_t count;	     // Of messages, in cases of many; 0: the case's own choice.
	bool packed;	     // The case is played on packed rings, with event indices.
	struct front *front;
};

typedef int case_fn(struct play *play);

struct hostile_case {
	const char *name;
	const char *text;
	case_fn *play;
};

#define HOSTILE_PACKED "packed-"

// Ended by an entry without a name.
extern const struct hostile_case message_cases[];
extern const struct hostile_case memory_cases[];
extern const struct hostile_case ring_cases[];
extern const struct hostile_case packed_cases[];
// On split rings, and on packed ones as "packed-" and the name.
extern const struct hostile_case form_cases[];

// Makes the front end and connects. config NULL: defaults. 0 or a negative errno.
int play_connect(struct play *play, const struct front_config *config);
// The same, and starts all rings as a good front end does; they run when this returns.
int play_start(struct play *play, const struct front_config *config);
// Waits for hold_s, or until the back end closes.
void play_hold(struct play *play);
// Whether the back end has closed the connection.
bool play_is_closed(const struct play *play);
// A broadcast frame from the play's address on pair 0's transmit ring, not kicked. As front_send().
int play_send_frame(struct play *play, uint32_t size);

// For the cases of rings: everything is started, and one good frame was sent.
int play_start_ring(struct play *play);
// A descriptor for pair 0's transmit ring: number `index` from the one that play_spring() makes available, which has
// no effect before.
void play_put(struct play *play, uint16_t index, const struct front_desc *desc);
// Makes what was put available, `count` descriptors in all, and notifies.
int play_spring(struct play *play, uint16_t count);
