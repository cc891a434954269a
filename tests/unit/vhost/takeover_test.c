// SPDX-License-Identifier: BSD-3-Clause
// Taking a session up, in one process: replies that wait, messages in part, states that nobody left, files that changed, and
// a handover that does not happen.
#include "base/fdmsg.h"
#include "tests/lib/unit.h"
#include "tests/unit/vhost/rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

// A running connection whose session is saved, and what a process that comes after it gets.
struct scene {
	struct rig rig;
	struct keeper keeper;
	struct vhost_state *state;
	struct vhost_conn_config config;
	int fd;
	unsigned int fds_before;
};

static void scene_init(struct scene *scene, const struct front_config *front)
{
	memset(scene, 0, sizeof(*scene));
	scene->fds_before = count_fds();
	scene->state = calloc(1, sizeof(*scene->state));
	assert_non_null(scene->state);
	scene->config = (struct vhost_conn_config){.queue_pairs = 2, .state = scene->state};
	keeper_init(&scene->keeper);
	rig_init(&scene->rig, &scene->config, front);
	scene->rig.keeper = &scene->keeper;
	scene->fd = dup(vhost_conn_fd(scene->rig.conn));
}

static void scene_fini(struct scene *scene)
{
	close(scene->fd);
	rig_drop(&scene->rig);
	keeper_fini(&scene->keeper);
	front_free(scene->rig.front);
	free(scene->state);
	assert_int_equal(count_fds(), scene->fds_before);
	assert_int_equal(count_shared_maps(), scene->rig.maps_before);
}

// The process is gone. What is in its memory is closed without a word.
static void scene_die(struct scene *scene)
{
	rig_drop(&scene->rig);
	keeper_drain(&scene->keeper);
}

static int scene_restore(struct scene *scene)
{
	return rig_restore(&scene->rig, &scene->config, dup(scene->fd));
}

static void scene_take_over(struct scene *scene)
{
	scene_die(scene);
	assert_int_equal(scene_restore(scene), 0);
	vhost_conn_go(scene->rig.conn);
	assert_int_equal(rig_pump(&scene->rig), 0);
	keeper_drain(&scene->keeper);
}

static void expect_refusal(struct scene *scene, const char *reason)
{
	unsigned int fds = count_fds();

	assert_int_equal(scene_restore(scene), -EPROTO);
	if (!strstr(scene->rig.err.msg, reason))
		fail_msg("wanted '%s', got '%s'", reason, scene->rig.err.msg);
	assert_int_equal(count_fds(), fds);
}

static struct vhost_session *current(struct scene *scene)
{
	return &scene->state->session[scene->state->current];
}

static struct front_config running(void)
{
	return (struct front_config){.queue_pairs = 2, .with_calls = true, .regions = 3};
}

// Everything is there again, time after time, and nothing is left over.
static void test_goes_on(void **state)
{
	struct front_config config = running();
	struct scene scene;

	scene_init(&scene, &config);
	rig_start(&scene.rig);
	unsigned int fds = count_fds();
	for (int i = 0; i < 20; i++) {
		scene_take_over(&scene);
		assert_int_equal(scene.keeper.count, 3 + 4 * 2);
		for (unsigned int k = 0; k < 4; k++) {
			const struct vhost_queue *queue = vhost_conn_queue(scene.rig.conn, k);
			assert_true(queue->live && queue->started && queue->enabled);
			assert_true(queue->kick_fd >= 0 && queue->call_fd >= 0);
		}
		assert_int_equal(vhost_conn_features(scene.rig.conn), scene.rig.front->features);
	}
	assert_int_equal(count_fds(), fds + scene.keeper.count);
	assert_int_equal(scene.rig.grows, 4 + 20);
	assert_int_equal(front_stop(scene.rig.front), 0);
	scene_fini(&scene);
}

// The front end reads none of its replies: all come, once each, whoever sends them.
static void test_replies_that_wait(void **state)
{
	struct message_header header = {MESSAGE_GET_FEATURES, MESSAGE_VERSION, 0};
	unsigned int sent = 0, read = 0;
	struct scene scene;

	scene_init(&scene, NULL);
	while (vhost_conn_events(scene.rig.conn) != (EPOLLOUT | EPOLLET)) {
		ssize_t r = fdmsg_send(
			scene.rig.front->fd, &header, sizeof(header), NULL, 0, MSG_DONTWAIT
		);
		sent += r > 0;
		assert_int_equal(rig_pump(&scene.rig), 0);
	}
	assert_int_equal(current(&scene)->reply, VHOST_STATE_REPLY_WAITS);
	for (int i = 0; i < 3; i++) {
		scene_take_over(&scene);
		assert_int_equal(vhost_conn_events(scene.rig.conn), EPOLLOUT | EPOLLET);
	}
	while (read < sent) {
		union message_body body;
		assert_int_equal(front_reply(scene.rig.front, MESSAGE_GET_FEATURES, &body), 0);
		assert_true(body.u64 & VHOST_FEATURE_VERSION_1);
		if (++read % 50 == 0)
			scene_take_over(&scene);
	}
	assert_int_equal(recv(scene.rig.front->fd, &header, 1, MSG_DONTWAIT), -1);
	assert_int_equal(vhost_conn_events(scene.rig.conn), EPOLLIN | EPOLLET);
	scene_fini(&scene);
}

// A reply that is being sent: whether it went is seen by what the front end has to read.
static void test_reply_under_way(void **state)
{
	uint64_t reply[3] = {0};
	struct scene scene;

	scene_init(&scene, NULL);
	scene_die(&scene);
	struct vhost_session *session = current(&scene);
	session->reply = VHOST_STATE_REPLY_TRYING;
	session->reply_size = 20;
	expect_refusal(&scene, "may or may not have been sent");
	assert_int_equal(send(scene.fd, reply, 20, 0), 20);
	assert_int_equal(scene_restore(&scene), 0);
	vhost_conn_go(scene.rig.conn);
	assert_int_equal(rig_pump(&scene.rig), 0);
	assert_int_equal(recv(scene.rig.front->fd, reply, 24, MSG_DONTWAIT), 20);
	scene_fini(&scene);
	// It was not, while its message is unread; which the next process reads.
	scene_init(&scene, NULL);
	assert_int_equal(send(scene.rig.front->fd, reply, 12, 0), 12);
	assert_int_equal(recv(scene.fd, reply, 5, MSG_PEEK), 5);
	session = current(&scene);
	session->reply = VHOST_STATE_REPLY_TRYING;
	session->reply_size = 20;
	session->unread = 12;
	assert_int_equal(recv(scene.fd, reply, 7, MSG_PEEK | MSG_DONTWAIT), 7);
	scene_take_over(&scene);
	assert_int_equal(recv(scene.rig.front->fd, reply, 24, MSG_DONTWAIT), 20);
	assert_int_equal(recv(scene.fd, reply, 12, MSG_DONTWAIT), -1);
	scene_fini(&scene);
}

// Freed before it went: the first process has noticed nothing, and goes on.
static void test_handover_that_does_not_happen(void **state)
{
	struct front_config config = running();
	struct message_header header = {MESSAGE_GET_FEATURES, MESSAGE_VERSION, 0};
	struct vhost_state before;
	union message_body body;
	struct scene scene;
	struct rig second;

	scene_init(&scene, &config);
	rig_start(&scene.rig);
	keeper_drain(&scene.keeper);
	// In the middle of a message.
	assert_int_equal(send(scene.rig.front->fd, &header, 5, 0), 5);
	assert_int_equal(rig_pump(&scene.rig), 0);
	before = *scene.state;
	memset(&second, 0, sizeof(second));
	second.keeper = &scene.keeper;
	assert_int_equal(rig_restore(&second, &scene.config, dup(scene.fd)), 0);
	assert_false(vhost_conn_queue(second.conn, 0)->live);
	rig_drop(&second);
	assert_memory_equal(&before, scene.state, sizeof(before));
	for (unsigned int i = 0; i < 4; i++)
		assert_true(vhost_conn_queue(scene.rig.conn, i)->live);
	assert_int_equal(send(scene.rig.front->fd, (uint8_t *)&header + 5, 7, 0), 7);
	assert_int_equal(front_reply(scene.rig.front, MESSAGE_GET_FEATURES, &body), 0);
	assert_int_equal(front_stop(scene.rig.front), 0);
	scene_fini(&scene);
}

// Another connection with the same memory: it begins anew, whatever the last one left.
static void test_session_is_one_connection_s(void **state)
{
	struct front_config config = running();
	struct scene scene;
	int pair[2];

	scene_init(&scene, &config);
	rig_start(&scene.rig);
	uint32_t last_id = scene.state->last_id;
	scene_die(&scene);
	close(scene.fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	front_attach(scene.rig.front, pair[1]);
	scene.fd = pair[0];
	int offset = 0;
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)), 0);
	assert_int_equal(scene_restore(&scene), 0);
	vhost_conn_go(scene.rig.conn);
	keeper_drain(&scene.keeper);
	assert_int_equal(scene.keeper.count, 0);
	assert_int_equal(vhost_conn_features(scene.rig.conn), 0);
	rig_start(&scene.rig);
	keeper_drain(&scene.keeper);
	assert_true(scene.state->last_id > last_id);
	assert_int_equal(scene.keeper.count, 3 + 4 * 2);
	scene_fini(&scene);
}

static void test_missing_descriptor(void **state)
{
	struct front_config config = running();
	struct scene scene;

	scene_init(&scene, &config);
	rig_start(&scene.rig);
	scene_die(&scene);
	uint32_t count = scene.keeper.count;
	for (uint32_t i = 0; i < count; i++) {
		// The last one is left out.
		struct vhost_kept kept = scene.keeper.kept[0];
		scene.keeper.kept[0] = scene.keeper.kept[--scene.keeper.count];
		expect_refusal(&scene, "is missing");
		scene.keeper.kept[scene.keeper.count++] = kept;
	}
	// One too many is closed, and dropped.
	int spare = eventfd(0, EFD_CLOEXEC);
	struct vhost_kept kept = {scene.state->last_id + 1, spare};
	assert_int_equal(keeper_keep(&scene.keeper, &kept, 1), 0);
	close(spare);
	scene_take_over(&scene);
	assert_int_equal(scene.keeper.count, count);
	scene_fini(&scene);
}

// A front end that took memory back: nothing happens before somebody touches it, as in the process before.
static void test_shrunk_memory(void **state)
{
	struct front_config config = running();
	struct scene scene;
	uint64_t size;

	scene_init(&scene, &config);
	rig_start(&scene.rig);
	assert_int_equal(ftruncate(scene.rig.front->region[2].fd, 4096), 0);
	scene_take_over(&scene);
	assert_int_equal(vhost_conn_regions(scene.rig.conn, &size), 3);
	assert_false(vhost_conn_memory_lost(scene.rig.conn));
	scene_fini(&scene);
}

static void test_other_file(void **state)
{
	struct front_config config = running();
	struct scene scene;

	scene_init(&scene, &config);
	rig_start(&scene.rig);
	scene_die(&scene);
	struct vhost_session *session = current(&scene);
	uint32_t id = session->region[0].id;
	session->region[0].id = session->region[1].id;
	session->region[1].id = id;
	expect_refusal(&scene, "is another file");
	session->region[1].id = session->queue[0].kick_id;
	expect_refusal(&scene, "");
	session->region[1].id = session->region[2].id;
	session->region[0].id = id;
	expect_refusal(&scene, "");
	scene_fini(&scene);
}

// Whether this state is taken up. What that drops is wanted for the next one.
static bool try_state(struct scene *scene)
{
	char dropped[64];

	if (scene_restore(scene))
		return false;
	vhost_conn_go(scene->rig.conn);
	(void)vhost_conn_process(scene->rig.conn, &scene->rig.err); // It may fail or not.
	rig_drop(&scene->rig);
	while (recv(scene->keeper.sock[1], dropped, sizeof(dropped), MSG_DONTWAIT) > 0)
		continue;
	return true;
}

// What is saved may have been broken by whatever ended the process: it is refused, or it is a session that may be.
static void test_broken_state(void **state)
{
	static const uint8_t values[] = {0x01, 0x80, 0xff};
	struct front_config config = running();
	struct scene scene;
	unsigned int tried = 0, taken = 0;

	// Memory that its file never had.
	assert_int_equal(vhost_guard_memory(), 0);
	scene_init(&scene, &config);
	rig_start(&scene.rig);
	scene_die(&scene);
	struct vhost_state *whole = malloc(sizeof(*whole));
	assert_non_null(whole);
	*whole = *scene.state;
	uint8_t *bytes = (uint8_t *)current(&scene);
	for (size_t i = 0; i < offsetof(struct vhost_session, region[4]); i++) {
		for (size_t k = 0; k < sizeof(values); k++) {
			bytes[i] ^= values[k];
			tried++;
			taken += try_state(&scene);
			*scene.state = *whole;
		}
	}
	assert_in_range(taken, 500, tried - 500);
	scene.state->current = 2;
	expect_refusal(&scene, "session 2 of 2");
	*scene.state = *whole;
	free(whole);
	scene_take_over(&scene);
	scene_fini(&scene);
}

// The front end hung up meanwhile.
static void test_closed_meanwhile(void **state)
{
	struct front_config config = running();
	struct scene scene;

	for (int part = 0; part < 2; part++) {
		scene_init(&scene, &config);
		rig_start(&scene.rig);
		if (part)
			assert_int_equal(send(scene.rig.front->fd, "\1\0\0", 3, 0), 3);
		front_attach(scene.rig.front, -1);
		scene_die(&scene);
		assert_int_equal(scene_restore(&scene), 0);
		vhost_conn_go(scene.rig.conn);
		assert_int_equal(rig_pump(&scene.rig), part ? -EPROTO : -EPIPE);
		scene_fini(&scene);
	}
}

// Hostile catalogue, 20, with a keeper: it ends with what the connection has.
static void test_swaps_leave_nothing(void **state)
{
	struct front_config config = running();
	struct scene scene;

	scene_init(&scene, &config);
	rig_start(&scene.rig);
	keeper_drain(&scene.keeper);
	unsigned int fds = count_fds();
	for (unsigned int i = 0; i < 10000; i++) {
		uint64_t index = i % 4;
		assert_int_equal(
			front_request_fd(
				scene.rig.front,
				MESSAGE_SET_VRING_KICK,
				&index,
				sizeof(index),
				scene.rig.front->queue[i % 4].kick_fd
			),
			0
		);
		assert_int_equal(rig_pump(&scene.rig), 0);
		keeper_drain(&scene.keeper);
		if (i % 1000 == 999)
			scene_take_over(&scene);
	}
	assert_int_equal(count_fds(), fds);
	assert_int_equal(scene.keeper.count, 3 + 4 * 2);
	scene_fini(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_replies_that_wait),
		cmocka_unit_test(test_reply_under_way),
		cmocka_unit_test(test_handover_that_does_not_happen),
		cmocka_unit_test(test_session_is_one_connection_s),
		cmocka_unit_test(test_missing_descriptor),
		cmocka_unit_test(test_shrunk_memory),
		cmocka_unit_test(test_other_file),
		cmocka_unit_test(test_broken_state),
		cmocka_unit_test(test_closed_meanwhile),
		cmocka_unit_test(test_swaps_leave_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
