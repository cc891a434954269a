// SPDX-License-Identifier: BSD-3-Clause
// Heads of frames: tags, whose VLAN it is, cut frames, and checksums that are left to the receiver.
#include "tests/lib/unit.h"
#include "uplink/frame.h"
#include "uplink/vlans.h"

#include <string.h>

#define TAG 0x81, 0x00
#define STAG 0x88, 0xa8
#define ADDRESSES 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2

// A TCP segment of 4 bytes over IPv4; its checksum is the sum of the pseudo header 10.0.0.1 10.0.0.2 6 24.
static const uint8_t tcp4[] = {
	ADDRESSES, 0x08, 0x00, 0x45, 0,	   0, 44, 0,	1,    0x40, 0,	  64,  6,   0,	 0,   10,
	0,	   0,	 1,    10,   0,	   0, 2,  0x1f, 0x90, 0x00, 0x50, 0,   0,   0,	 1,   0,
	0,	   0,	 2,    0x50, 0x18, 1, 0,  0x14, 0x21, 0,    0,	  'a', 'b', 'c', 'd',
};
// UDP over IPv6, 4 bytes: fd00::1 fd00::2 17 12: fd00 * 2 + 1 + 2 + 17 + 12, folded.
static const uint8_t udp6[] = {
	ADDRESSES, 0x86, 0xdd, 0x60, 0,	 0, 0,	0,    12,   17,	 64,  0xfd, 0,	 0,
	0,	   0,	 0,    0,    0,	 0, 0,	0,    0,    0,	 0,   0,    1,	 0xfd,
	0,	   0,	 0,    0,    0,	 0, 0,	0,    0,    0,	 0,   0,    0,	 0,
	2,	   0,	 53,   0,    54, 0, 12, 0xfa, 0x21, 'a', 'b', 'c',  'd',
};

static void tags_are_read(void **state)
{
	const uint8_t plain[] = {ADDRESSES, 0x08, 0x00, 0, 0, 0, 0};
	const uint8_t tagged[] = {ADDRESSES, TAG, 0xa0, 0x64, 0x08, 0x00};
	const uint8_t twice[] = {ADDRESSES, TAG, 0x00, 0x65, TAG, 0x00, 0x07, 0x08, 0x00};
	const uint8_t foreign[] = {ADDRESSES, STAG, 0x00, 0x64, 0x08, 0x00};
	uint16_t tci = 0;
	assert_int_equal(frame_read_tag(plain, sizeof(plain), &tci), FRAME_UNTAGGED);
	assert_int_equal(frame_read_tag(tagged, sizeof(tagged), &tci), FRAME_TAGGED);
	assert_int_equal(frame_vlan(tci), 100);
	assert_int_equal(frame_read_tag(twice, sizeof(twice), &tci), FRAME_TAGGED);
	assert_int_equal(frame_vlan(tci), 101); // The outer one.
	assert_int_equal(frame_read_tag(foreign, sizeof(foreign), &tci), FRAME_TAG_FOREIGN);
	// A tag's type without a tag.
	assert_int_equal(frame_read_tag(tagged, FRAME_ETH_SIZE, &tci), FRAME_UNTAGGED);
}

static uint32_t find(
	const struct vlans *vlans,
	enum frame_tag tag,
	uint16_t tci,
	enum uplink_drop_reason *ret
)
{
	*ret = UPLINK_DROP_COUNT;
	return vlans_find(vlans, tag, tci, ret);
}

static void frames_go_to_their_vlan(void **state)
{
	static struct vlans vlans;
	enum uplink_drop_reason reason;
	vlans_clear(&vlans);
	vlans.port_of[100] = 3;
	vlans.port_of[4094] = 30;
	assert_int_equal(find(&vlans, FRAME_TAGGED, 0xa064, &reason), 3);
	assert_int_equal(find(&vlans, FRAME_TAGGED, 4094, &reason), 30);
	assert_int_equal(find(&vlans, FRAME_TAGGED, 101, &reason), UPLINK_PORTS_MAX);
	assert_int_equal(reason, UPLINK_DROP_UNKNOWN_VLAN);
	assert_int_equal(find(&vlans, FRAME_TAG_FOREIGN, 100, &reason), UPLINK_PORTS_MAX);
	assert_int_equal(reason, UPLINK_DROP_UNKNOWN_VLAN);
	assert_int_equal(find(&vlans, FRAME_UNTAGGED, 100, &reason), UPLINK_PORTS_MAX);
	assert_int_equal(reason, UPLINK_DROP_UNTAGGED);
	vlans.port_of[0] = 5;
	assert_int_equal(find(&vlans, FRAME_UNTAGGED, 100, &reason), 5);
	assert_int_equal(find(&vlans, FRAME_TAGGED, 0xe000, &reason), 5); // A priority tag.
}

static void partial_sums_are_seen(void **state)
{
	struct frame_layers layers = {0};
	uint8_t frame[sizeof(tcp4)];
	assert_int_equal(
		frame_inspect(tcp4, sizeof(tcp4), sizeof(tcp4), &layers), FRAME_SUM_PARTIAL
	);
	assert_int_equal(layers.l2, 14);
	assert_int_equal(layers.l3, 20);
	assert_int_equal(layers.l4, 20);
	assert_int_equal(layers.payload, 24);
	assert_true(layers.tcp && !layers.ipv6);
	assert_int_equal(
		frame_inspect(udp6, sizeof(udp6), sizeof(udp6), &layers), FRAME_SUM_PARTIAL
	);
	assert_int_equal(layers.l3, 40);
	assert_int_equal(layers.l4, 8);
	assert_int_equal(layers.payload, 12);
	assert_true(!layers.tcp && layers.ipv6);
	memcpy(frame, tcp4, sizeof(frame));
	frame[14 + 20 + 17] ^= 1; // Another checksum: it is somebody's.
	assert_int_equal(frame_inspect(frame, sizeof(frame), sizeof(frame), &layers), FRAME_WHOLE);
}

static void tags_may_be_in_front(void **state)
{
	struct frame_layers layers;
	uint8_t frame[sizeof(tcp4) + 4];
	const uint8_t tag[] = {TAG, 0, 7};
	memcpy(frame, tcp4, 12);
	memcpy(frame + 12, tag, 4);
	memcpy(frame + 16, tcp4 + 12, sizeof(tcp4) - 12);
	assert_int_equal(
		frame_inspect(frame, sizeof(frame), sizeof(frame), &layers), FRAME_SUM_PARTIAL
	);
	assert_int_equal(layers.l2, 18);
}

static void cut_frames_are_seen(void **state)
{
	struct frame_layers layers;
	assert_int_equal(frame_inspect(tcp4, sizeof(tcp4), sizeof(tcp4) - 1, &layers), FRAME_CUT);
	assert_int_equal(frame_inspect(udp6, sizeof(udp6), sizeof(udp6) - 1, &layers), FRAME_CUT);
	// What pads a short frame is no fault.
	assert_int_equal(
		frame_inspect(udp6, sizeof(udp6), sizeof(udp6) + 9, &layers), FRAME_SUM_PARTIAL
	);
}

static void others_are_left_alone(void **state)
{
	struct frame_layers layers;
	uint8_t frame[sizeof(tcp4)];
	const uint8_t arp[] = {ADDRESSES, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
	assert_int_equal(frame_inspect(arp, sizeof(arp), sizeof(arp), &layers), FRAME_WHOLE);
	assert_false(frame_read_layers(arp, sizeof(arp), &layers));
	memcpy(frame, tcp4, sizeof(frame));
	frame[14 + 6] = 0x20; // A fragment: its checksum is not all here.
	assert_int_equal(frame_inspect(frame, sizeof(frame), sizeof(frame), &layers), FRAME_WHOLE);
	memcpy(frame, tcp4, sizeof(frame));
	frame[14 + 9] = 132; // SCTP.
	assert_int_equal(frame_inspect(frame, sizeof(frame), sizeof(frame), &layers), FRAME_WHOLE);
	memcpy(frame, tcp4, sizeof(frame));
	frame[14 + 20 + 12] = 0x10; // A TCP header of 4 bytes.
	assert_false(frame_read_layers(frame, sizeof(frame), &layers));
}

// Every beginning of a frame, in memory of exactly that size: sanitizers see what reads beyond.
static void short_frames_are_safe(void **state)
{
	struct frame_layers layers;
	for (uint32_t size = 0; size <= sizeof(tcp4); size++) {
		uint8_t *copy = test_malloc(size ? size : 1);
		memcpy(copy, tcp4, size);
		bool whole = frame_read_layers(copy, size, &layers);
		assert_int_equal(whole, size >= 14 + 20 + 20);
		(void)frame_inspect(copy, size, sizeof(tcp4), &layers);
		test_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_are_read),
		cmocka_unit_test(frames_go_to_their_vlan),
		cmocka_unit_test(partial_sums_are_seen),
		cmocka_unit_test(tags_may_be_in_front),
		cmocka_unit_test(cut_frames_are_seen),
		cmocka_unit_test(others_are_left_alone),
		cmocka_unit_test(short_frames_are_safe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
