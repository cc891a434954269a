// SPDX-License-Identifier: BSD-3-Clause
// Makes the pool of buffers that the device and its ports share. Control thread, before the worker begins.
#include "uplink/pool.h"

#include <rte_errno.h>
#include <rte_mbuf.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFERS 8191 // A page each where there are no hugepages.
#define BUFFER_CACHE 256
// With its header and the mempool's, a buffer stays within a page of 4 KiB, which AF_XDP asks for.
#define BUFFER_SIZE 3840
// What AF_PACKET's driver wants for its largest frames.
#define BUFFER_SIZE_LARGE 16384

static bool is_of(const char *args, const char *driver)
{
	return strncmp(args, driver, strlen(driver)) == 0;
}

// DPDK's AF_XDP driver gives the kernel as much memory as the buffers would take one right behind the other. They lie further
// apart, for none may lie across a page's end, so the last ones are beyond what the kernel accepts: it would refuse every
// frame in them. They stay out of use.
static int withhold_unreachable(struct rte_mempool *pool, struct rwy_err *err)
{
	const struct rte_mempool_memhdr *memory = STAILQ_FIRST(&pool->mem_list);
	const uintptr_t begin = (uintptr_t)memory->addr & ~((uintptr_t)getpagesize() - 1);
	const uint32_t total = pool->populated_size;
	const uintptr_t end = (uintptr_t)memory->addr +
		(uintptr_t)total * rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL);
	void **all = calloc(total, sizeof(void *));
	// Past this thread's cache, which would keep some for itself.
	int r = all ? rte_mempool_generic_get(pool, all, total, NULL) : -ENOMEM;
	for (uint32_t i = 0; !r && i < total; i++)
		if ((uintptr_t)all[i] >= begin && (uintptr_t)all[i] + pool->elt_size <= end)
			rte_mempool_generic_put(pool, &all[i], 1, NULL);
	free(all);
	return r ? err_set(err, -ENOMEM, "cannot look through the buffers") : 0;
}

struct rte_mempool *pool_new(const char *driver_args, uint32_t size, struct rwy_err *err)
{
	uint32_t room = BUFFER_SIZE;
	uint32_t count = BUFFERS;
	// A driver without scattered reception needs a buffer that takes the longest frame.
	if (size + RTE_PKTMBUF_HEADROOM > room) {
		room = size + RTE_PKTMBUF_HEADROOM;
		if (is_of(driver_args, "net_af_packet"))
			room = BUFFER_SIZE_LARGE + RTE_PKTMBUF_HEADROOM;
		count = BUFFERS / 2;
	}
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"frames", count, BUFFER_CACHE, 0, (uint16_t)RTE_MIN(room, UINT16_MAX), SOCKET_ID_ANY
	);
	if (!pool) {
		(void)err_set(
			err,
			-ENOMEM,
			"cannot make %u buffers of %u bytes: %s",
			count,
			room,
			rte_strerror(rte_errno)
		);
		return NULL;
	}
	if (!is_of(driver_args, "net_af_xdp") || withhold_unreachable(pool, err) == 0)
		return pool;
	rte_mempool_free(pool);
	return NULL;
}
