// SPDX-License-Identifier: BSD-3-Clause
// The ring fuzzer's guests. Every region is an allocation of its own, so that a byte touched outside of one is an
// error to the address sanitizer; what may be written inside of them follows from the descriptors.
#include "vring_guest.h"

#include <errno.h>
#include <string.h>

// Where a guest that has its ring in its first region has it.
#define AVAIL_AT 0x800
#define USED_AT 0xa00
#define RING_END 0x1000
#define BLOCK 256 // Divides all sizes.

static const uint64_t region_gpa[REGIONS] = {0x10000, 0x12000, 0x20000, 0x20400};
static const uint32_t region_size[REGIONS] = {0x2000, 0x1000, 0x400, 0x8000};
// Where a region's first byte is in a copy of all of them.
static const uint32_t region_at[REGIONS] = {0, 0x2000, 0x3000, 0x3400};

static size_t area_size(const struct guest *guest, enum vring_area area)
{
	return vring_area_size(&guest->config, area);
}

static void configure(struct vring_config *config, uint32_t options)
{
	config->mergeable = options & 1;
	config->indirect = options & 2;
	config->header_size = options & 4 ? 10 : 12;
	config->in_order = options & 8;
	config->offloads = options & 16;
}

// A packed ring's place is an index below its size; where the upper half names the used one, that counts.
static bool base_is_good(const struct vring_config *config)
{
	uint32_t upper = config->base >> 16;
	uint32_t half = upper ? upper : config->base;
	return !config->packed || (half & 0x7fff) < config->size;
}

void guest_start(struct guest *guest, uint32_t options, uint32_t base)
{
	struct vring_config config = guest->config;

	configure(&config, options);
	config.base = base;
	// It may be set up in vain: the ring stays as it was.
	bool good = base_is_good(&config);
	struct vring *ring = good ? &guest->ring : &guest->spare;
	int r = vring_init(ring, &guest->areas, &config, &guest->mem);
	if (!good) {
		insist(r == -EINVAL && config.packed);
		return;
	}
	insist(r == 0);
	guest->config = config;
	base = vring_base(ring);
	guest->place = config.packed ? base & 0x7fff : 0;
	guest->wrap = base >> 15 & 1;
}

static void place_ring(struct guest *guest)
{
	uint8_t *first = guest->mem.region[0].host;

	if (guest->apart)
		guest->areas = (struct vring_areas
		){calloc(1, area_size(guest, VRING_AREA_DESC)),
		  calloc(1, area_size(guest, VRING_AREA_AVAIL)),
		  calloc(1, area_size(guest, VRING_AREA_USED))};
	else
		guest->areas = (struct vring_areas){first, first + AVAIL_AT, first + USED_AT};
	insist(guest->areas.desc && guest->areas.avail && guest->areas.used);
}

// The second region follows the first in the guest only, the fourth follows the third in both.
void guest_make(struct guest *guest, struct input *in)
{
	uint32_t options = get(in, 1);
	uint32_t kind = get(in, 2);
	uint8_t *joined = calloc(1, region_size[2] + region_size[3]);

	insist(joined);
	guest->mem.count = REGIONS;
	for (uint32_t i = 0; i < REGIONS; i++) {
		uint8_t *host =
			i < 2 ? calloc(1, region_size[i]) : joined + (i == 3 ? region_size[2] : 0);
		insist(host);
		guest->mem.region[i] = (struct vring_region
		){.gpa = region_gpa[i], .size = region_size[i], .host = host};
	}
	guest->apart = kind & 1;
	guest->changes = kind & 8;
	guest->config = (struct vring_config){.packed = kind & 2, .event_idx = kind & 4};
	guest->config.size =
		guest->config.packed ? 1 + (kind >> 8) % RING_MAX : 2u << (kind >> 8) % 7;
	place_ring(guest);
	guest_start(guest, options, guest->config.packed ? 0x8000 : 0);
}

void guest_free(struct guest *guest)
{
	for (uint32_t i = 0; i < 3; i++) // The fourth lies in the allocation of the third.
		free(guest->mem.region[i].host);
	if (!guest->apart)
		return;
	free(guest->areas.desc);
	free(guest->areas.avail);
	free(guest->areas.used);
}

void image_take(const struct guest *guest, struct image *image)
{
	for (uint32_t i = 0; i < REGIONS; i++)
		memcpy(image->bytes + region_at[i], guest->mem.region[i].host, region_size[i]);
	memcpy(image->desc, guest->areas.desc, area_size(guest, VRING_AREA_DESC));
	memcpy(image->avail, guest->areas.avail, area_size(guest, VRING_AREA_AVAIL));
	memcpy(image->used, guest->areas.used, area_size(guest, VRING_AREA_USED));
}

void image_insist_same(const struct guest *guest, const struct image *image)
{
	for (uint32_t i = 0; i < REGIONS; i++)
		insist(!memcmp(
			image->bytes + region_at[i], guest->mem.region[i].host, region_size[i]
		));
	insist(!memcmp(image->desc, guest->areas.desc, area_size(guest, VRING_AREA_DESC)));
	insist(!memcmp(image->avail, guest->areas.avail, area_size(guest, VRING_AREA_AVAIL)));
	insist(!memcmp(image->used, guest->areas.used, area_size(guest, VRING_AREA_USED)));
}

// Where a guest's address lies in the copy, and how many bytes there are from it on; false: nowhere.
static bool find(uint64_t gpa, uint32_t *ret_at, uint64_t *ret_room)
{
	for (uint32_t i = 0; i < REGIONS; i++) {
		uint64_t offset = gpa - region_gpa[i];
		if (offset >= region_size[i])
			continue;
		*ret_at = region_at[i] + (uint32_t)offset;
		*ret_room = (i == 2 ? BYTES : region_at[i] + region_size[i]) - *ret_at;
		return true;
	}
	return false;
}

static void claim(struct claims *claims, uint64_t gpa, uint32_t size)
{
	uint32_t at = 0;
	uint64_t room = 0;

	if (find(gpa, &at, &room) && size <= room)
		memset(claims->writable + at, 1, size);
}

// Split and packed descriptors differ in their last two members only.
static struct desc read_desc(const struct guest *guest, const uint8_t *from)
{
	struct desc d;

	memcpy(&d, from, sizeof(d));
	if (guest->config.packed)
		d.flags = d.next;
	return d;
}

static void claim_table(
	const struct guest *guest,
	const struct image *image,
	struct desc table,
	struct claims *claims
)
{
	uint32_t at = 0;
	uint64_t room = 0;

	if (!guest->config.indirect || !find(table.addr, &at, &room) || table.size > room)
		return;
	claims->table[claims->table_count].at = at;
	claims->table[claims->table_count++].size = table.size;
	for (uint32_t i = 0; i < table.size / sizeof(struct desc); i++) {
		struct desc d = read_desc(guest, image->bytes + at + sizeof(d) * i);
		if (d.flags & DESC_F_WRITE)
			claim(claims, d.addr, d.size);
	}
}

bool claims_make(const struct guest *guest, const struct image *image, struct claims *claims)
{
	memset(claims->writable, 0, sizeof(claims->writable));
	claims->table_count = 0;
	for (uint32_t i = 0; i < guest->config.size; i++) {
		struct desc d = read_desc(guest, image->desc + sizeof(d) * i);
		if (d.flags & DESC_F_INDIRECT)
			claim_table(guest, image, d, claims);
		else if (d.flags & DESC_F_WRITE)
			claim(claims, d.addr, d.size);
	}
	if (!guest->apart && memchr(claims->writable, 1, RING_END))
		return false;
	for (uint32_t i = 0; i < claims->table_count; i++)
		if (memchr(claims->writable + claims->table[i].at, 1, claims->table[i].size))
			return false;
	return true;
}

void claims_insist(
	const struct guest *guest,
	const struct image *before,
	const struct claims *claims
)
{
	static struct image now;

	image_take(guest, &now);
	for (uint32_t block = guest->apart ? 0 : RING_END; block < BYTES; block += BLOCK)
		for (uint32_t i = block;
		     memcmp(now.bytes + i, before->bytes + i, block + BLOCK - i);
		     i++)
			insist(claims->writable[i] || now.bytes[i] == before->bytes[i]);
	insist(!memcmp(now.avail, before->avail, area_size(guest, VRING_AREA_AVAIL)));
	for (uint32_t i = 0; i < guest->config.size; i++) {
		uint32_t kept = guest->config.packed ? 8 : 16;
		insist(!memcmp(now.desc + 16ull * i, before->desc + 16ull * i, kept));
	}
}

bool guest_holds(const struct guest *guest, const struct frame_seg *seg)
{
	for (uint32_t i = 0; i < REGIONS; i++) {
		const struct vring_region *r = &guest->mem.region[i];
		uint64_t room = i == 2 ? r->size + guest->mem.region[3].size : r->size;
		uint64_t offset = (uintptr_t)seg->addr - (uintptr_t)r->host;
		if (seg->addr >= r->host && offset < room && seg->size <= room - offset)
			return true;
	}
	return false;
}

bool guest_owns(const struct guest *guest, uintptr_t at)
{
	const void *area[] = {guest->areas.desc, guest->areas.avail, guest->areas.used};

	for (uint32_t i = 0; i < REGIONS; i++)
		if (at - (uintptr_t)guest->mem.region[i].host < guest->mem.region[i].size)
			return true;
	for (unsigned int i = 0; i < 3; i++)
		if (at - (uintptr_t)area[i] < area_size(guest, i))
			return true;
	return false;
}
