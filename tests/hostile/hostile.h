// SPDX-License-Identifier: BSD-3-Clause
// Cases that a hostile front end plays against a port. A case ends with 0 once everything was sent that it has to
// send; that the back end closed the connection meanwhile (-EPIPE, -ECONNRESET) is its good right.
#pragma once

#include "tests/lib/front.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RX 0
#define TX 1
#define HEADER_SIZE 12

struct play {
	const char *path;
	uint8_t mac[6];	     // Source address of its frames.
	unsigned int hold_s; // How long it waits for the word to go on at most.
	uint64_t count; // How often, in cases that repeat themselves; 0: the case's own choice.
	bool full;	// That choice is the long one.
	bool packed;	// The case is played on packed rings, with event indices.
	struct front *front;
	uint8_t *canary; // Copies of all regions, one after the other.
};

// What has to become of the port.
enum outcome {
	OUTCOME_NONE,	     // The case is not played on this form of ring.
	OUTCOME_QUARANTINED, // With a reason that holds the text, or one of several with '|' between.
	OUTCOME_DROPPED,     // Frames are, and the port's counter of that name grew.
	OUTCOME_REFUSED,     // A request is, as the front end itself sees; the port goes on.
	OUTCOME_HARMLESS,    // Nothing, as the case's judge sees.
};

struct expectation {
	enum outcome outcome;
	const char *what;
};

#define QUARANTINED(text)                    \
	{                                    \
		OUTCOME_QUARANTINED, (text), \
	}
#define DROPPED(counter)                    \
	{                                   \
		OUTCOME_DROPPED, (counter), \
	}
#define REFUSED                       \
	{                             \
		OUTCOME_REFUSED, "-", \
	}
#define HARMLESS                       \
	{                              \
		OUTCOME_HARMLESS, "-", \
	}

// What whoever runs a case has to do for it.
#define CASE_SPRAY 1u	// Send it frames of 1000 bytes, once it was played.
#define CASE_SEVERAL 2u // Play it on several ports at once.
#define CASE_EITHER 8u	// It may be quarantined as well, as it happens to come.
#define CASE_TAP 4u	// It needs a TAP on the network, of which it has the address of a station.

// 0 or a negative errno. -EOPNOTSUPP: this machine has not what it takes.
typedef int case_fn(struct play *play);

struct hostile_case {
	uint16_t entry; // Of the catalogue in docs/security.md.
	const char *name;
	const char *text;
	case_fn *play;
	struct expectation split; // Also of cases that rings do not matter for.
	struct expectation packed;
	// What has to be right afterwards, unless the port is quarantined. NULL: the connection stays open.
	case_fn *judge;
	uint32_t flags; // CASE_*
};

#define HOSTILE_PACKED "packed-"

// Ended by an entry without a name.
extern const struct hostile_case message_cases[];
extern const struct hostile_case unknown_cases[];
extern const struct hostile_case queue_cases[];
extern const struct hostile_case eventfd_cases[];
extern const struct hostile_case memory_cases[];
extern const struct hostile_case file_cases[];
extern const struct hostile_case ring_cases[];
extern const struct hostile_case frame_cases[];
extern const struct hostile_case receive_cases[];
extern const struct hostile_case packed_cases[];
extern const struct hostile_case clause_cases[];

// How often a case does what it does.
uint64_t play_count(const struct play *play, uint64_t quick, uint64_t full);
// Makes the front end and connects. config NULL: defaults. 0 or a negative errno.
int play_connect(struct play *play, const struct front_config *config);
// The same, and starts all rings as a good front end does; they run when this returns.
int play_start(struct play *play, const struct front_config *config);
// Whether the back end has closed the connection.
bool play_is_closed(const struct play *play);
// Waits until it has. 0 or -ETIMEDOUT.
int play_await_closed(const struct play *play);
// Sends bytes as they are. 0 or a negative errno.
int play_bytes(struct play *play, const void *data, size_t size);
// A broadcast frame from the play's address on pair 0's transmit ring, not kicked. As front_send().
int play_send_frame(struct play *play, uint32_t size);
// Notifies the back end, wanted or not. 0 or a negative errno.
int play_kick(struct play *play, uint32_t ring);
// All that was sent was taken. 0, -EPIPE when the connection ended meanwhile, or -ETIMEDOUT.
int play_await_sent(struct play *play);

// For the cases of rings: everything is started, and one good frame was sent.
int play_start_ring(struct play *play);
// A descriptor for pair 0's transmit ring: number `index` from the one that play_spring() makes available, which has
// no effect before.
void play_put(struct play *play, uint16_t index, const struct front_desc *desc);
// The same: into the first transmit buffer, with a link to the next.
void play_fill(struct play *play, uint16_t index, uint32_t size, uint16_t flags);
// Makes what was put available, `count` descriptors in all, and notifies.
int play_spring(struct play *play, uint16_t count);
// Makes `count` heads of a split ring available at once, whatever they are, and notifies.
void play_publish(struct play *play, uint16_t head, uint16_t count);
// A good frame of 60 bytes, broadcast, in the first transmit buffer, its header in front.
void play_write_frame(struct play *play);
// The back end completed whatever was sprung last. As play_await_sent().
int play_await_used(struct play *play);

// A copy of all regions as they are now, and whether they are still the same but for the bytes at `skip`. 0 or -EBADMSG.
int play_keep_canary(struct play *play);
int play_check_canary(const struct play *play, const void *skip, size_t skip_size);

// Nothing has to be; the connection answers; and the transmit ring takes a frame.
int judge_nothing(struct play *play);
int judge_sync(struct play *play);
int judge_alive(struct play *play);
