// SPDX-License-Identifier: BSD-3-Clause
// Random numbers, and chains cut into descriptors in every way that a front end may. Runs on the test's
// only thread; driver.c lays the result out in memory.
#include "tests/unit/vring/driver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// Cuts of one chain at most, so that it fits into 16 descriptors with its ends and empty ones.
#define CUTS_MAX 7

uint32_t drv_random_next(struct drv_random *random)
{
	// xorshift64*: repeatable everywhere.
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return (uint32_t)((random->state * 0x2545f4914f6cdd1dull) >> 32);
}

uint32_t drv_random_below(struct drv_random *random, uint32_t limit)
{
	return (uint32_t)(((uint64_t)drv_random_next(random) * limit) >> 32);
}

struct drv_random drv_random_seeded(void)
{
	const char *text = getenv("RINGWAY_TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 0;

	if (!seed)
		seed = (uint64_t)time(NULL) * 1000003u | 1;
	printf("RINGWAY_TEST_SEED=%" PRIu64 "\n", seed);
	return (struct drv_random){seed};
}

static void add(struct drv_layout *layout, uint32_t size)
{
	layout->size[layout->count++] = size;
}

struct drv_layout drv_layout_one(uint32_t size)
{
	return (struct drv_layout){.count = 1, .direct = 1, .size = {size}};
}

// Cuts `size` bytes into at most `parts`, none of them empty.
static void cut(struct drv_layout *layout, uint32_t size, uint32_t parts, struct drv_random *random)
{
	while (parts > 1 && size > 1) {
		// Half of the cuts lie near the front: in the header, or in the private head.
		uint32_t limit = size > 80 && drv_random_below(random, 2) ? 80 : size;
		uint32_t part = 1 + drv_random_below(random, limit - 1);
		add(layout, part);
		size -= part;
		parts--;
	}
	add(layout, size);
}

static void add_empties(struct drv_layout *layout, struct drv_random *random)
{
	struct drv_layout from = *layout;

	layout->count = 0;
	for (uint32_t i = 0; i < from.count; i++) {
		if (drv_random_below(random, 2))
			add(layout, 0);
		add(layout, from.size[i]);
	}
	if (drv_random_below(random, 2) || layout->count == from.count)
		add(layout, 0);
}

void drv_layout_make(
	struct drv_layout *layout,
	enum drv_shape shape,
	uint32_t header,
	uint32_t size,
	struct drv_random *random
)
{
	uint32_t third = header / 3;

	layout->count = 0;
	switch (shape) {
	case DRV_SHAPE_ONE:
		add(layout, size);
		break;
	case DRV_SHAPE_APART:
		add(layout, header);
		add(layout, size - header);
		break;
	case DRV_SHAPE_HEADER3:
		add(layout, third);
		add(layout, third);
		add(layout, header - 2 * third);
		add(layout, size - header);
		break;
	case DRV_SHAPE_CHUNKS:
		add(layout, header + 1);
		cut(layout, size - header - 1, 1 + drv_random_below(random, CUTS_MAX), random);
		break;
	default:
		cut(layout, size, 2 + drv_random_below(random, CUTS_MAX - 1), random);
	}
	if (shape == DRV_SHAPE_EMPTIES)
		add_empties(layout, random);
	layout->direct = layout->count;
	if (shape == DRV_SHAPE_INDIRECT)
		layout->direct = 0;
	else if (shape == DRV_SHAPE_MIXED)
		layout->direct = drv_random_below(random, layout->count);
}
