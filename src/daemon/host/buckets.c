// SPDX-License-Identifier: BSD-3-Clause
// Limits of a port as the tc program's token buckets. Pure.
#include "daemon/host/internal.h"

#define SECOND_NS 1000000000ull
// As the switch chooses a burst that was not given.
#define BURST_SHARE 10
#define BURST_BYTES_MIN 65562
#define BURST_FRAMES_MIN 32
// Tokens of one frame times the cost must fit 64 bits.
#define COST_BITS 44
#define SHIFT_MAX 20

static uint64_t clamp(unsigned __int128 value, unsigned int bits)
{
	return value >> bits ? (uint64_t)1 << bits : (uint64_t)value;
}

void bucket_set(
	struct maps_bucket *bucket,
	uint64_t rate,
	uint64_t burst,
	uint64_t least,
	uint64_t now
)
{
	*bucket = (struct maps_bucket){.full = now << MAPS_TIME_SHIFT};
	if (!rate)
		return;
	if (!burst)
		burst = rate / BURST_SHARE > least ? rate / BURST_SHARE : least;
	unsigned __int128 second = (unsigned __int128)SECOND_NS << MAPS_TIME_SHIFT;
	unsigned __int128 cost;
	uint32_t shift = SHIFT_MAX;
	while ((cost = (second << shift) / rate) >> COST_BITS && shift)
		shift--;
	bucket->shift = shift;
	bucket->cost = cost ? (uint64_t)cost : 1;
	// A signed time: the program compares differences.
	bucket->burst = clamp(second * burst / rate, 62);
	// A burst shorter than one unit of time would never have a token.
	if (!bucket->burst)
		bucket->burst = 1;
}

uint32_t buckets_set(
	struct maps_bucket bucket[MAPS_BUCKET_COUNT],
	const struct port_limits *l,
	uint64_t now
)
{
	bucket_set(
		&bucket[MAPS_BUCKET_RX_BYTES],
		(l->rx_bps + 7) / 8,
		l->rx_burst,
		BURST_BYTES_MIN,
		now
	);
	bucket_set(
		&bucket[MAPS_BUCKET_RX_FRAMES], l->rx_fps, l->rx_frame_burst, BURST_FRAMES_MIN, now
	);
	bucket_set(
		&bucket[MAPS_BUCKET_TX_BYTES],
		(l->tx_bps + 7) / 8,
		l->tx_burst,
		BURST_BYTES_MIN,
		now
	);
	bucket_set(
		&bucket[MAPS_BUCKET_TX_FRAMES], l->tx_fps, l->tx_frame_burst, BURST_FRAMES_MIN, now
	);
	bucket_set(&bucket[MAPS_BUCKET_FLOOD], l->flood_fps, l->flood_burst, BURST_FRAMES_MIN, now);
	return (l->rx_bps || l->rx_fps ? MAPS_PORT_RX_LIMIT : 0) |
		(l->tx_bps || l->tx_fps ? MAPS_PORT_TX_LIMIT : 0) |
		(l->flood_fps ? MAPS_PORT_FLOOD_LIMIT : 0);
}

bool buckets_equal(const struct maps_bucket *a, const struct maps_bucket *b)
{
	for (int i = 0; i < MAPS_BUCKET_COUNT; i++) {
		if (a[i].cost != b[i].cost || a[i].shift != b[i].shift || a[i].burst != b[i].burst)
			return false;
	}
	return true;
}
