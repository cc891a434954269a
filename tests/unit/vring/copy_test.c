// SPDX-License-Identifier: BSD-3-Clause
// Every variant of the copy that this CPU can run, at every size and alignment that matters.
#include "tests/lib/unit.h"
#include "vring/copy.h"

#include <stdlib.h>

#define MARGIN 64
#define SIZE_MAX_TRIED 9000

static uint8_t source[SIZE_MAX_TRIED + 2 * MARGIN];
static uint8_t target[SIZE_MAX_TRIED + 2 * MARGIN];
static uint8_t expect[SIZE_MAX_TRIED + 2 * MARGIN];

static void try_copy(vring_copy_fn *wide, uint32_t size, uint32_t from, uint32_t to)
{
	memset(target, 0xee, size + 2 * MARGIN);
	memset(expect, 0xee, size + 2 * MARGIN);
	for (uint32_t i = 0; i < size; i++)
		expect[to + i] = source[from + i];
	copy_bytes(wide, target + to, source + from, size);
	if (memcmp(target, expect, size + 2 * MARGIN) != 0)
		fail_msg("%u bytes from offset %u to offset %u", size, from, to);
}

static void try_variant(const struct copy_variant *variant)
{
	for (uint32_t size = 0; size <= 1100; size++)
		for (uint32_t at = 0; at < 4; at++)
			try_copy(variant->copy, size, at * 19 % MARGIN, at * 11 % MARGIN);
	for (uint32_t at = 0; at < MARGIN; at++) {
		try_copy(variant->copy, COPY_WIDE_MIN, MARGIN - at, at);
		try_copy(variant->copy, COPY_WIDE_MIN + 1, at, MARGIN - at);
		try_copy(variant->copy, 1436, 12, at);
		try_copy(variant->copy, SIZE_MAX_TRIED, at, MARGIN - at);
	}
}

static void test_every_variant(void **state)
{
	for (uint32_t i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + 1);
	for (uint32_t i = 0; i < copy_variant_count; i++) {
		if (copy_variants[i].is_supported())
			try_variant(&copy_variants[i]);
		else
			print_message("this CPU cannot run variant %s\n", copy_variants[i].name);
	}
}

static void test_the_best_is_chosen(void **state)
{
	vring_copy_fn *best = NULL;

	assert_true(copy_variants[0].is_supported());
	for (uint32_t i = 0; i < copy_variant_count; i++)
		if (copy_variants[i].is_supported())
			best = copy_variants[i].copy;
	assert_ptr_equal(copy_choose(), best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_variant),
		cmocka_unit_test(test_the_best_is_chosen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
