// SPDX-License-Identifier: BSD-3-Clause
// Token buckets, with the rules of the switch's: a frame passes while there is a token, and may leave a debt, which is
// paid back first; so a frame larger than the burst passes too, at the right rate.
#pragma once

#include "state.bpf.h"

static __always_inline bool bucket_is_empty(const struct maps_bucket *bucket, __u64 now)
{
	return bucket->cost && (__s64)(bucket->full - now) >= (__s64)bucket->burst;
}

static __always_inline void bucket_take(struct maps_bucket *bucket, __u64 now, __u64 tokens)
{
	if ((__s64)(bucket->full - now) < 0)
		bucket->full = now;
	bucket->full += (tokens * bucket->cost) >> (bucket->shift & 63);
}

// Whether the limits let a frame pass by two buckets, and notes it. Both are asked before either is charged.
static __always_inline bool pass_both(
	struct maps_limits *l,
	struct maps_bucket *bytes,
	struct maps_bucket *frames,
	__u32 size
)
{
	__u64 now = bpf_ktime_get_ns() << MAPS_TIME_SHIFT;
	bpf_spin_lock(&l->lock);
	bool pass = !bucket_is_empty(bytes, now) && !bucket_is_empty(frames, now);
	if (pass) {
		bucket_take(bytes, now, size);
		bucket_take(frames, now, 1);
	}
	bpf_spin_unlock(&l->lock);
	return pass;
}

// The functions below are global, so that the verifier looks at each once instead of at every call.

static __always_inline struct maps_limits *limits_of(__u32 ifindex)
{
	__u32 slot = ifindex - MAPS_PORT_IFINDEX;
	return bpf_map_lookup_elem(&limits, &slot);
}

__noinline int limit_receive(__u32 ifindex, __u32 size)
{
	struct maps_limits *l = limits_of(ifindex);
	return !l ||
		pass_both(
			l, &l->bucket[MAPS_BUCKET_RX_BYTES], &l->bucket[MAPS_BUCKET_RX_FRAMES], size
		);
}

__noinline int limit_send(__u32 ifindex, __u32 size)
{
	struct maps_limits *l = limits_of(ifindex);
	return !l ||
		pass_both(
			l, &l->bucket[MAPS_BUCKET_TX_BYTES], &l->bucket[MAPS_BUCKET_TX_FRAMES], size
		);
}

__noinline int limit_flood(__u32 ifindex)
{
	struct maps_limits *l = limits_of(ifindex);
	if (!l)
		return 1;
	struct maps_bucket *bucket = &l->bucket[MAPS_BUCKET_FLOOD];
	__u64 now = bpf_ktime_get_ns() << MAPS_TIME_SHIFT;
	bpf_spin_lock(&l->lock);
	bool pass = !bucket_is_empty(bucket, now);
	if (pass)
		bucket_take(bucket, now, 1);
	bpf_spin_unlock(&l->lock);
	return pass;
}
