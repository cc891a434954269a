// SPDX-License-Identifier: BSD-3-Clause
// Token buckets. Filled and emptied by workers, by the TSC of the poll at hand; the lock is the caller's
// (limits->lock), since a worker alone needs none.
#include "switch/limit.h"

// A burst that was not given: a tenth of a second's worth, at least one full-sized frame, or one burst of frames.
#define BURST_SHARE 10
#define BURST_BYTES_MIN 65562
#define BURST_FRAMES_MIN 32

static void bucket_init(
	struct bucket *bucket,
	uint64_t rate,
	uint64_t burst,
	uint64_t least,
	uint64_t now
)
{
	if (!burst)
		burst = rate / BURST_SHARE > least ? rate / BURST_SHARE : least;
	if (burst > INT64_MAX)
		burst = INT64_MAX;
	*bucket = (struct bucket
	){.rate = rate, .burst = (int64_t)burst, .level = (int64_t)burst, .filled = now};
}

void limits_init(
	struct limits *limits,
	const struct wire_limits *spec,
	uint64_t tsc_hz,
	uint64_t now
)
{
	limits_stop(limits);
	limits->lock = false;
	limits->tsc_hz = tsc_hz;
	bucket_init(
		&limits->rx_bytes, (spec->rx_bps + 7) / 8, spec->rx_burst, BURST_BYTES_MIN, now
	);
	bucket_init(&limits->rx_frames, spec->rx_fps, spec->rx_frame_burst, BURST_FRAMES_MIN, now);
	bucket_init(
		&limits->tx_bytes, (spec->tx_bps + 7) / 8, spec->tx_burst, BURST_BYTES_MIN, now
	);
	bucket_init(&limits->tx_frames, spec->tx_fps, spec->tx_frame_burst, BURST_FRAMES_MIN, now);
	bucket_init(&limits->flood, spec->flood_fps, spec->flood_burst, BURST_FRAMES_MIN, now);
	__atomic_store_n(&limits->has_rx, spec->rx_bps || spec->rx_fps, __ATOMIC_RELEASE);
	__atomic_store_n(&limits->has_tx, spec->tx_bps || spec->tx_fps, __ATOMIC_RELEASE);
	__atomic_store_n(&limits->has_flood, spec->flood_fps != 0, __ATOMIC_RELEASE);
}

void limits_stop(struct limits *limits)
{
	__atomic_store_n(&limits->has_rx, false, __ATOMIC_RELEASE);
	__atomic_store_n(&limits->has_tx, false, __ATOMIC_RELEASE);
	__atomic_store_n(&limits->has_flood, false, __ATOMIC_RELEASE);
}

// Adds what has flowed in since the last time. Only whole tokens are added and only their time is used up, so
// that no rate is lost to rounding, however often this is called.
static void bucket_fill(struct bucket *bucket, uint64_t tsc_hz, uint64_t now)
{
	// Another worker, or its CPU's TSC, may be a little ahead.
	if (!bucket->rate || (int64_t)(now - bucket->filled) <= 0)
		return;
	unsigned __int128 flow = (unsigned __int128)(now - bucket->filled) * bucket->rate;
	unsigned __int128 tokens = flow / tsc_hz;
	uint64_t room = (uint64_t)bucket->burst - (uint64_t)bucket->level;
	if (tokens >= room) {
		bucket->level = bucket->burst;
		bucket->filled = now;
		return;
	}
	bucket->level += (int64_t)tokens;
	bucket->filled = now - (uint64_t)((flow - tokens * tsc_hz) / bucket->rate);
}

static bool bucket_is_empty(const struct bucket *bucket)
{
	return bucket->rate && bucket->level <= 0;
}

static void bucket_take(struct bucket *bucket, uint64_t tokens)
{
	if (bucket->rate)
		bucket->level -= (int64_t)tokens;
}

uint32_t limits_rx_allowance(struct limits *limits, uint64_t now, uint32_t max)
{
	bucket_fill(&limits->rx_bytes, limits->tsc_hz, now);
	bucket_fill(&limits->rx_frames, limits->tsc_hz, now);
	if (bucket_is_empty(&limits->rx_bytes) || bucket_is_empty(&limits->rx_frames))
		return 0;
	if (limits->rx_frames.rate && limits->rx_frames.level < max)
		return (uint32_t)limits->rx_frames.level;
	return max;
}

void limits_rx_taken(struct limits *limits, uint32_t frames, uint64_t bytes)
{
	bucket_take(&limits->rx_bytes, bytes);
	bucket_take(&limits->rx_frames, frames);
}

bool limits_tx_pass(struct limits *limits, uint64_t now, uint32_t bytes)
{
	bucket_fill(&limits->tx_bytes, limits->tsc_hz, now);
	bucket_fill(&limits->tx_frames, limits->tsc_hz, now);
	if (bucket_is_empty(&limits->tx_bytes) || bucket_is_empty(&limits->tx_frames))
		return false;
	bucket_take(&limits->tx_bytes, bytes);
	bucket_take(&limits->tx_frames, 1);
	return true;
}

bool limits_flood_pass(struct limits *limits, uint64_t now)
{
	bucket_fill(&limits->flood, limits->tsc_hz, now);
	if (bucket_is_empty(&limits->flood))
		return false;
	bucket_take(&limits->flood, 1);
	return true;
}
