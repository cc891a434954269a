// SPDX-License-Identifier: BSD-3-Clause
// What a front end does in its life: every message, some again, some in parts. One thread.
#include "base/fdmsg.h"
#include "tests/lib/unit.h"
#include "tests/unit/vhost/life.h"

#include <sys/socket.h>

static void request(struct life *life, uint32_t request, const void *body, uint32_t size, int fd)
{
	assert_int_equal(front_request_fd(life->rig.front, request, body, size, fd), 0);
}

static void request_acked(
	struct life *life,
	uint32_t request,
	const void *body,
	uint32_t size,
	int fd
)
{
	struct message_header header = {request, MESSAGE_VERSION | MESSAGE_NEED_REPLY, size};
	assert_int_equal(front_message(life->rig.front, &header, body, &fd, fd >= 0), 0);
}

static void ask_features(struct life *life)
{
	request(life, MESSAGE_GET_FEATURES, NULL, 0, -1);
}

static void ask_protocol_features(struct life *life)
{
	request(life, MESSAGE_GET_PROTOCOL_FEATURES, NULL, 0, -1);
}

static void ask_queue_num(struct life *life)
{
	request_acked(life, MESSAGE_GET_QUEUE_NUM, NULL, 0, -1);
}

static void ask_slots(struct life *life)
{
	request(life, MESSAGE_GET_MAX_MEM_SLOTS, NULL, 0, -1);
}

static void set_features(struct life *life)
{
	request(life, MESSAGE_SET_FEATURES, &life->rig.front->features, 8, -1);
}

static void set_features_acked(struct life *life)
{
	request_acked(life, MESSAGE_SET_FEATURES, &life->rig.front->features, 8, -1);
}

static void set_protocol_features(struct life *life)
{
	uint64_t less = LIFE_PROTOCOLS & ~PROTOCOL_RARP;
	request(life, MESSAGE_SET_PROTOCOL_FEATURES, &less, 8, -1);
}

static void set_owner(struct life *life)
{
	request_acked(life, MESSAGE_SET_OWNER, NULL, 0, -1);
}

static void reset_owner(struct life *life)
{
	request(life, MESSAGE_RESET_OWNER, NULL, 0, -1);
}

static void reset_device(struct life *life)
{
	request_acked(life, MESSAGE_RESET_DEVICE, NULL, 0, -1);
}

static void set_memory(struct life *life)
{
	assert_int_equal(front_share_memory(life->rig.front), 0);
}

static void set_num(struct life *life)
{
	struct message_ring_state body = {1, 32};
	request(life, MESSAGE_SET_VRING_NUM, &body, sizeof(body), -1);
}

static void set_addr(struct life *life)
{
	struct message_ring_addr body = front_addr_message(life->rig.front, 1);
	request(life, MESSAGE_SET_VRING_ADDR, &body, sizeof(body), -1);
}

static void ask_base(struct life *life)
{
	struct message_ring_state body = {1, 0};
	request(life, MESSAGE_GET_VRING_BASE, &body, sizeof(body), -1);
}

static void stop_ring(struct life *life)
{
	union message_body body;

	ask_base(life);
	assert_int_equal(front_reply(life->rig.front, MESSAGE_GET_VRING_BASE, &body), 0);
	life->base = body.state.num;
	keeper_drain(&life->keeper);
}

static void start_ring(struct life *life)
{
	struct message_ring_state body = {1, life->base};
	uint64_t index = 1;

	request(life, MESSAGE_SET_VRING_BASE, &body, sizeof(body), -1);
	request(life, MESSAGE_SET_VRING_KICK, &index, 8, life->rig.front->queue[1].kick_fd);
}

static void swap_kick(struct life *life)
{
	uint64_t index = 1;
	request(life, MESSAGE_SET_VRING_KICK, &index, 8, life->extra_fd);
}

static void take_kick(struct life *life)
{
	uint64_t index = 1 | MESSAGE_RING_NOFD;
	request(life, MESSAGE_SET_VRING_KICK, &index, 8, -1);
}

static void swap_call(struct life *life)
{
	uint64_t index = 0;
	request_acked(life, MESSAGE_SET_VRING_CALL, &index, 8, life->extra_fd);
}

static void set_err(struct life *life)
{
	uint64_t index = 0;
	request(life, MESSAGE_SET_VRING_ERR, &index, 8, life->extra_fd);
}

static void disable_ring(struct life *life)
{
	assert_int_equal(front_enable_queue(life->rig.front, 1, false), 0);
}

static void disable_before(struct life *life)
{
	disable_ring(life);
	life_pump(life);
}

static void enable_ring(struct life *life)
{
	assert_int_equal(front_enable_queue(life->rig.front, 1, true), 0);
}

static void announce(struct life *life)
{
	uint64_t mac = 2;
	request(life, MESSAGE_SEND_RARP, &mac, 8, -1);
}

static void set_mtu(struct life *life)
{
	uint64_t mtu = 1400;
	request_acked(life, MESSAGE_NET_SET_MTU, &mtu, 8, -1);
}

static void add_again(struct life *life)
{
	struct message_slot slot = {.region = front_region_message(life->rig.front, 0)};
	request_acked(
		life, MESSAGE_ADD_MEM_REG, &slot, sizeof(slot), life->rig.front->region[0].fd
	);
}

// Beside the others, of the same file.
static struct message_slot other_slot(const struct life *life)
{
	struct message_slot slot = {.region = front_region_message(life->rig.front, 0)};
	slot.region.gpa += 1ull << 40;
	slot.region.user = 1ull << 50;
	return slot;
}

static void add_other(struct life *life)
{
	struct message_slot slot = other_slot(life);
	request(life, MESSAGE_ADD_MEM_REG, &slot, sizeof(slot), life->rig.front->region[0].fd);
}

static void add_before(struct life *life)
{
	add_other(life);
	life_pump(life);
}

static void remove_other(struct life *life)
{
	struct message_slot slot = other_slot(life);
	request_acked(life, MESSAGE_REM_MEM_REG, &slot, sizeof(slot), life->extra_fd);
}

static void remove_failing(struct life *life)
{
	struct message_slot slot = other_slot(life);
	slot.region.gpa++;
	request_acked(life, MESSAGE_REM_MEM_REG, &slot, sizeof(slot), -1);
}

static void send_half(struct life *life)
{
	struct message_header header = {MESSAGE_SET_VRING_ERR, MESSAGE_VERSION, 8};
	assert_int_equal(
		fdmsg_send(life->rig.front->fd, &header, sizeof(header), &life->extra_fd, 1, 0),
		sizeof(header)
	);
}

static void send_rest(struct life *life)
{
	uint64_t index = 0;
	assert_int_equal(send(life->rig.front->fd, &index, 8, 0), 8);
}

static void send_quarter(struct life *life)
{
	assert_int_equal(send(life->rig.front->fd, "\1\0\0", 3, 0), 3);
}

static void send_quarter_rest(struct life *life)
{
	assert_int_equal(send(life->rig.front->fd, "\0\1\0\0\0\0\0\0\0", 9, 0), 9);
}

// One behind the other, in hand or not.
static void send_many(struct life *life)
{
	swap_call(life);
	disable_ring(life);
	set_err(life);
	set_memory(life);
	enable_ring(life);
}

const struct scene scenes[] = {
	{"GET_FEATURES", NULL, ask_features, NULL, false, true},
	{"GET_PROTOCOL_FEATURES", NULL, ask_protocol_features, NULL, false, true},
	{"GET_QUEUE_NUM", NULL, ask_queue_num, NULL, false, true},
	{"GET_MAX_MEM_SLOTS", NULL, ask_slots, NULL, false, true},
	{"SET_FEATURES", NULL, set_features, NULL, true, false},
	{"SET_FEATURES acknowledged", NULL, set_features_acked, NULL, true, true},
	{"SET_PROTOCOL_FEATURES", NULL, set_protocol_features, NULL, false, false},
	{"SET_OWNER", NULL, set_owner, NULL, false, true},
	{"RESET_OWNER", NULL, reset_owner, NULL, false, false},
	{"RESET_DEVICE", NULL, reset_device, NULL, false, true},
	{"SET_MEM_TABLE", NULL, set_memory, NULL, true, false},
	{"SET_VRING_NUM", NULL, set_num, NULL, true, false},
	{"SET_VRING_ADDR", NULL, set_addr, NULL, true, false},
	{"GET_VRING_BASE", NULL, ask_base, NULL, false, true},
	{"SET_VRING_BASE and _KICK", stop_ring, start_ring, NULL, true, false},
	{"SET_VRING_KICK", NULL, swap_kick, NULL, true, false},
	{"SET_VRING_KICK without", NULL, take_kick, NULL, true, false},
	{"SET_VRING_CALL", NULL, swap_call, NULL, true, true},
	{"SET_VRING_ERR", NULL, set_err, NULL, true, false},
	{"SET_VRING_ENABLE 0", NULL, disable_ring, NULL, false, false},
	{"SET_VRING_ENABLE 1", disable_before, enable_ring, NULL, true, false},
	{"SEND_RARP", NULL, announce, NULL, false, false},
	{"NET_SET_MTU", NULL, set_mtu, NULL, false, true},
	{"ADD_MEM_REG again", NULL, add_again, NULL, true, true},
	{"ADD_MEM_REG", NULL, add_other, NULL, true, false},
	{"REM_MEM_REG", add_before, remove_other, NULL, true, true},
	{"REM_MEM_REG failing", add_before, remove_failing, NULL, true, true},
	{"half a message", NULL, send_half, send_rest, true, false},
	{"a quarter", NULL, send_quarter, send_quarter_rest, false, true},
	{"many", NULL, send_many, NULL, true, true},
};

const unsigned int scene_count = sizeof(scenes) / sizeof(scenes[0]);
