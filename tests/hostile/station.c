// SPDX-License-Identifier: BSD-3-Clause
// Numbered frames whose every byte follows from sender and number, made and checked.
#include "tests/hostile/station.h"

#include <errno.h>
#include <string.h>

#define FRAME_TYPE 0xb588      // 0x88b5, IEEE 802: for local experiments; in network order.
#define FRAME_MAGIC 0x52574659 // Not those of other test programs.

struct station_head {
	uint8_t destination[6];
	uint8_t source[6];
	uint16_t type;
	uint16_t size;
	uint32_t magic;
	uint32_t sender;
	uint64_t number;
} __attribute__((packed));

int station_start(
	struct station *station,
	uint32_t number,
	const struct front_config *config,
	const char *path
)
{
	station->number = number;
	station->front = front_new(config);
	if (!station->front)
		return -errno;
	int r = front_connect(station->front, path);
	if (!r)
		r = front_start(station->front);
	return r ? r : front_sync(station->front);
}

void station_free(struct station *station)
{
	front_free(station->front);
	station->front = NULL;
}

// The bytes behind the head: no two frames of a run have the same.
static void fill(uint8_t *bytes, uint32_t size, uint32_t sender, uint64_t number)
{
	uint64_t word = (number + 1) * 0x9e3779b97f4a7c15ull + sender;

	for (uint32_t i = 0; i < size; i += sizeof(word)) {
		uint32_t part = size - i < sizeof(word) ? size - i : sizeof(word);
		memcpy(bytes + i, &word, part);
		word += 0x0101010101010101ull;
	}
}

int station_send(
	struct station *station,
	const uint8_t destination[6],
	uint32_t size,
	uint32_t count
)
{
	uint8_t frame[STATION_FRAME_MAX];
	struct station_head head = {
		.type = FRAME_TYPE,
		.size = (uint16_t)size,
		.magic = FRAME_MAGIC,
		.sender = station->number,
	};
	uint32_t done = 0;

	memcpy(head.destination, destination, sizeof(head.destination));
	memcpy(head.source, station->mac, sizeof(head.source));
	for (; done < count; done++) {
		head.number = station->sent;
		memcpy(frame, &head, sizeof(head));
		fill(frame + sizeof(head), size - sizeof(head), head.sender, head.number);
		int r = front_send(station->front, 0, frame, size);
		if (r == -EAGAIN)
			break;
		if (r)
			return r;
		station->sent++;
	}
	if (done)
		front_kick(station->front, 1);
	return (int)done;
}

static void check(
	struct station *station,
	const uint8_t *frame,
	uint32_t got,
	uint32_t size,
	uint32_t source
)
{
	uint8_t due[STATION_FRAME_MAX];
	struct station_head head = {0};

	memcpy(&head, frame, got < sizeof(head) ? got : sizeof(head));
	bool broadcast = memcmp(head.destination, "\xff\xff\xff\xff\xff\xff", 6) == 0;
	if (head.type != FRAME_TYPE || head.magic != FRAME_MAGIC) {
		station->foreign++;
		station->forged += memcmp(head.source, station->mac, 6) == 0 ||
			memcmp(head.source, station->peer, 6) == 0;
		return;
	}
	if (head.sender != source ||
	    (!broadcast && memcmp(head.destination, station->mac, 6) != 0)) {
		station->misrouted++;
		return;
	}
	fill(due, size - sizeof(head), head.sender, head.number);
	if (got != size || head.size != size ||
	    memcmp(frame + sizeof(head), due, size - sizeof(head)) != 0) {
		station->malformed++;
		return;
	}
	if (head.number < station->next) {
		station->misordered++;
		return;
	}
	station->lost += head.number - station->next;
	station->next = head.number + 1;
	station->received++;
}

int station_receive(struct station *station, uint32_t source, uint32_t size)
{
	uint8_t frame[STATION_FRAME_MAX];
	int count = 0;

	for (;;) {
		int r = front_receive(station->front, 0, frame, sizeof(frame));
		if (r == 0)
			break;
		if (r < 0 && r != -EMSGSIZE)
			return r;
		count++;
		if (r == -EMSGSIZE)
			station->malformed++;
		else
			check(station, frame, (uint32_t)r, size, source);
	}
	if (count)
		front_kick(station->front, 0);
	return count;
}
