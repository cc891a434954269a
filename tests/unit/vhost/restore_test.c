// SPDX-License-Identifier: BSD-3-Clause
// A connection whose process dies at every system call of handling every message, and between them: another process goes on,
// and what comes out is what one that lives comes to. The parent process is front end, keeper of descriptors and the
// second process; a child has the connection and dies.
#include "tests/lib/unit.h"
#include "tests/unit/vhost/death.h"
#include "tests/unit/vhost/life.h"
#include "vhost/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLIES_MAX 400

// Sanitizers make a fork slow: a part of the stops then.
#if defined(__SANITIZE_ADDRESS__)
#define STOPS_APART 9
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STOPS_APART 9
#endif
#endif
#ifndef STOPS_APART
#define STOPS_APART 1
#endif
// Deaths at an instruction, and of both processes, for each message.
#define ANYWHERE (STOPS_APART > 1 ? 1 : 6)

// What a connection comes to.
struct outcome {
	struct vhost_session session;
	uint8_t replies[REPLIES_MAX];
	ssize_t reply_size;
};

static uint64_t relative(const struct life *life, uint64_t user)
{
	for (uint32_t i = 0; i < 3; i++) {
		const struct front_region *region = &life->rig.front->region[i];
		if (user - (uintptr_t)region->addr < region->size)
			return (uint64_t)(i + 1) << 48 | (user - (uintptr_t)region->addr);
	}
	return user;
}

static void make_comparable(const struct life *life, struct vhost_session *session)
{
	session->cookie = 0;
	session->reply_queued = 0;
	memset(session->reply_bytes, 0, sizeof(session->reply_bytes)); // None is pending.
	for (uint32_t i = 0; i < session->queue_count; i++) {
		struct vhost_state_queue *queue = &session->queue[i];
		queue->desc = relative(life, queue->desc);
		queue->avail = relative(life, queue->avail);
		queue->used = relative(life, queue->used);
		queue->kick_id = !!queue->kick_id;
		queue->call_id = !!queue->call_id;
		queue->err_id = !!queue->err_id;
		if (queue->live)
			queue->base = queue->has_base = 0; // The ring says where it stands.
	}
	for (uint32_t i = 0; i < VRING_REGIONS_MAX; i++) {
		struct vhost_state_region *region = &session->region[i];
		if (i >= session->region_count)
			memset(region, 0, sizeof(*region));
		region->user = relative(life, region->user);
		region->inode = 0;
		region->id = !!region->id;
	}
}

// The connection has come to rest.
static void look(struct life *life, struct outcome *ret_outcome)
{
	const struct vhost_session *current = &life->state->session[life->state->current];

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	ret_outcome->session = *current;
	make_comparable(life, &ret_outcome->session);
	assert_int_equal(current->unread, 0);
	assert_int_equal(current->reply, VHOST_STATE_REPLY_NONE);
	ret_outcome->reply_size =
		recv(life->rig.front->fd, ret_outcome->replies, REPLIES_MAX, MSG_DONTWAIT);
	// The keeper has what the connection has.
	struct vhost_kept kept[VHOST_KEPT_MAX];
	keeper_drain(&life->keeper);
	assert_int_equal(vhost_conn_kept(life->rig.conn, kept), life->keeper.count);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(vhost_conn_queue(life->rig.conn, i)->live, current->queue[i].live);
}

// Every frame once, in order, or a burst that was in the air when somebody died once more.
static void check_frames(struct life *life, int deaths)
{
	uint8_t got[2048];
	int next = 0, repeated = 0;

	life_move_frames(&life->rig);
	int r;
	while ((r = front_receive(life->rig.front, 0, got, sizeof(got))) > 0) {
		assert_int_equal(r, 100);
		assert_in_range(got[20], 0, next);
		if (got[20] == next) {
			next++;
			continue;
		}
		assert_in_range(got[20], next - LIFE_BURST, next - 1);
		next = got[20] + 1;
		repeated++;
	}
	assert_int_equal(r, 0);
	assert_int_equal(next, LIFE_FRAMES);
	assert_in_range(repeated, 0, deaths);
	assert_int_equal(front_in_flight(life->rig.front, 0), 0);
}

// A process that is not killed: everything is dealt with by one call after another.
static void act_process(void *ctx)
{
	struct life *life = ctx;
	(void)rig_pump(&life->rig); // Its result is seen by what it leaves.
}

static int take_over(struct life *life)
{
	int r = rig_restore(&life->rig, &life->config, dup(life->fd));
	if (!r)
		vhost_conn_go(life->rig.conn);
	return r;
}

// The second process; dies, too.
static void act_take_over(void *ctx)
{
	struct life *life = ctx;
	if (!take_over(life))
		(void)rig_pump(&life->rig); // The same.
}

// The process is gone; its memory in this one as well.
static void bury(struct life *life)
{
	rig_drop(&life->rig);
	keeper_drain(&life->keeper);
}

static const struct scene *scene_now;
static uint64_t features_now;
static struct outcome expected;
static unsigned int in_doubt;

// Only where a reply was tried and is not there: neither sent by the first nor to be sent by the second.
static void check_doubt(struct life *life)
{
	const struct vhost_session *current = &life->state->session[life->state->current];
	uint8_t reply[REPLIES_MAX];

	assert_non_null(strstr(life->rig.err.msg, "may or may not have been sent"));
	assert_true(scene_now->replies);
	assert_int_equal(current->reply, VHOST_STATE_REPLY_TRYING);
	assert_int_equal(recv(life->rig.front->fd, reply, sizeof(reply), MSG_DONTWAIT), -1);
	in_doubt++;
}

// The last process takes over and lives. False: it refused.
static bool finish(struct life *life, int deaths)
{
	struct outcome outcome;
	int r = take_over(life);

	if (r) {
		check_doubt(life);
		return false;
	}
	if (scene_now->finish)
		scene_now->finish(life);
	life_pump(life);
	look(life, &outcome);
	assert_int_equal(outcome.reply_size, expected.reply_size);
	assert_memory_equal(outcome.replies, expected.replies, REPLIES_MAX);
	assert_memory_equal(&outcome.session, &expected.session, sizeof(outcome.session));
	if (scene_now->frames)
		check_frames(life, deaths);
	return true;
}

static void play_undisturbed(void)
{
	struct life life;

	life_init(&life, scene_now, features_now);
	scene_now->send(&life);
	act_process(&life);
	if (scene_now->finish)
		scene_now->finish(&life);
	life_pump(&life);
	look(&life, &expected);
	assert_int_equal(expected.reply_size > 0, scene_now->replies);
	if (scene_now->frames)
		check_frames(&life, 0);
	life_fini(&life);
}

// Dies `steps` instructions behind its stop number `stop`, and the second one too, if asked for. False: it never comes
// so far.
static bool play_death(unsigned int stop, unsigned int steps, unsigned int second)
{
	struct life life;

	life_init(&life, scene_now, features_now);
	scene_now->send(&life);
	enum death death = death_run(act_process, &life, stop, steps);
	if (death == DEATH_UNTRACED)
		skip();
	bury(&life);
	if (second && death == DEATH_MET) {
		(void)death_run(act_take_over, &life, second, steps); // Wherever it came to.
		keeper_drain(&life.keeper);
	}
	(void)finish(&life, second ? 2 : 1); // A refusal was checked.
	life_fini(&life);
	return death == DEATH_MET;
}

static void play(const struct scene *scene, uint64_t features)
{
	static unsigned int seed = 1;
	unsigned int stop = (unsigned int)rand_r(&seed) % STOPS_APART;

	scene_now = scene;
	features_now = features;
	in_doubt = 0;
	play_undisturbed();
	while (play_death(stop, 0, 0))
		stop += STOPS_APART;
	// In front of the send, and between it and what is said of it.
	assert_in_range(in_doubt, 0, scene->replies ? 4 : 0);
	assert_in_range(stop, 5, 2000);
	stop = stop ? stop : 1; // For those who do not know that.
	for (unsigned int i = 0; i < ANYWHERE; i++)
		(void)play_death(
			(unsigned int)rand_r(&seed) % stop, (unsigned int)rand_r(&seed) % 700, 0
		);
	for (unsigned int i = 0; i < ANYWHERE; i++)
		(void)play_death(
			(unsigned int)rand_r(&seed) % stop, 0, 1 + (unsigned int)rand_r(&seed) % 90
		);
}

static void play_all(uint64_t features)
{
	for (unsigned int i = 0; i < scene_count; i++) {
		print_message("%s\n", scenes[i].name);
		play(&scenes[i], features);
	}
}

static void test_every_message_split(void **state)
{
	play_all(LIFE_FEATURES);
}

static void test_every_message_packed(void **state)
{
	play_all(LIFE_FEATURES | VHOST_FEATURE_RING_PACKED);
}

// A change that touches all of the session.
static void act_save(void *ctx)
{
	struct life *life = ctx;
	struct vhost_conn *conn = life->rig.conn;

	conn->features ^= 1;
	conn->protocol_features ^= 1;
	for (unsigned int i = 0; i < conn->queue_count; i++)
		conn->queue[i].desc++;
	for (uint32_t i = 0; i < conn->memory->mem.count; i++)
		conn->memory->mapping[i].additions++;
	session_save(conn);
}

// Whatever the instruction, the session that counts is the one before or the one after.
static void test_one_whole_session_at_any_instruction(void **state)
{
	static struct vhost_state first, last;
	const struct vhost_session *before, *after;
	struct life life;
	unsigned int steps = 0;

	life_init(&life, &scenes[0], LIFE_FEATURES);
	first = *life.state;
	enum death death = death_run(act_save, &life, 10000, 0);
	if (death == DEATH_UNTRACED)
		skip();
	assert_int_equal(death, DEATH_AFTER);
	last = *life.state;
	before = &first.session[first.current];
	after = &last.session[last.current];
	assert_memory_not_equal(before, after, sizeof(*before));
	death = DEATH_MET;
	while (death == DEATH_MET) {
		*life.state = first;
		death = death_run(act_save, &life, 0, steps);
		const struct vhost_session *now = &life.state->session[life.state->current];
		assert_memory_equal(
			now,
			now == &life.state->session[first.current] ? before : after,
			sizeof(*now)
		);
		steps += 7 * STOPS_APART;
	}
	assert_int_equal(life.state->current, last.current);
	assert_in_range(steps, 700, 1000000);
	*life.state = first;
	life_fini(&life);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_message_split),
		cmocka_unit_test(test_every_message_packed),
		cmocka_unit_test(test_one_whole_session_at_any_instruction),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
