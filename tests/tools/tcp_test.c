// SPDX-License-Identifier: BSD-3-Clause
// The TCP that is called, against a caller over a channel that loses, repeats and reorders segments: each byte arrives once
// and in order, and both sides end. Time is the test's own.
#include "tests/lib/unit.h"
#include "tests/tools/tcp.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000ull
#define CHANNEL_MAX 4096
#define PORT_SINK 1
#define PORT_SOURCE 2

struct packet {
	struct tcp_segment segment;
	uint64_t at; // When it arrives; 0: none.
	uint8_t *data;
};

// One direction.
struct channel {
	struct packet packet[CHANNEL_MAX];
	uint32_t sent;
};

// The caller: as simple as it can be.
struct caller {
	struct tcp_flow flow;
	bool is_open, has_fin, fin_acked, wants_ack;
	uint32_t iss, rcv_nxt;
	uint64_t length; // To send.
	uint64_t una, nxt;
	uint64_t timer;
	uint64_t got;
	uint32_t mss;
	uint32_t window;
	int scale;	     // -1: none.
	uint64_t shut_until; // No window until then.
};

struct scene {
	struct tcp tcp;
	struct caller caller;
	struct channel to_tcp, to_caller;
	uint64_t now;
	uint32_t loss; // Of 1000.
	uint8_t *has;  // By the sink, each byte.
	uint64_t taken;
	bool has_ended;
	enum tcp_end end;
	bool is_full; // The device has no room.
	uint32_t largest;
	uint32_t segments;
};

static uint8_t pattern(uint64_t place)
{
	return (uint8_t)(place * 31 + (place >> 8) * 7 + (place >> 16));
}

static bool happens(const struct scene *s)
{
	return (uint32_t)random() % 1000 < s->loss;
}

static void put_once(struct scene *s, struct channel *channel, const struct tcp_segment *segment)
{
	struct packet *packet = &channel->packet[channel->sent++ % CHANNEL_MAX];

	assert_int_equal(packet->at, 0); // The channel is as large as it has to be.
	packet->segment = *segment;
	packet->at = s->now + MS + (happens(s) ? (uint64_t)random() % (5 * MS) : 0);
	packet->data = malloc(segment->size ? segment->size : 1);
	assert_non_null(packet->data);
	for (uint32_t i = 0; i < segment->size; i++)
		packet->data[i] = pattern(segment->offset + i);
	packet->segment.data = packet->data;
}

static void put(struct scene *s, struct channel *channel, const struct tcp_segment *segment)
{
	if (happens(s))
		return;
	put_once(s, channel, segment);
	if (happens(s))
		put_once(s, channel, segment);
}

static bool on_send(void *ctx, const struct tcp_segment *segment)
{
	struct scene *s = ctx;

	if (s->is_full && random() % 2)
		return false;
	s->largest = segment->size > s->largest ? segment->size : s->largest;
	s->segments++;
	put(s, &s->to_caller, segment);
	return true;
}

static void on_receive(
	void *ctx,
	const struct tcp_conn *conn,
	uint64_t place,
	const uint8_t *data,
	uint32_t size
)
{
	struct scene *s = ctx;

	(void)conn;
	assert_true(place + size <= s->caller.length);
	for (uint32_t i = 0; i < size; i++) {
		assert_int_equal(data[i], pattern(place + i));
		s->taken += !s->has[place + i];
		s->has[place + i] = 1;
	}
}

static void on_end(void *ctx, const struct tcp_conn *conn, enum tcp_end how)
{
	struct scene *s = ctx;

	(void)conn;
	assert_false(s->has_ended);
	s->has_ended = true;
	s->end = how;
}

static const struct tcp_ops ops = {on_send, on_receive, on_end};

static void say(struct scene *s, uint8_t flags, uint64_t place, uint32_t size)
{
	struct caller *c = &s->caller;
	bool is_shut = s->now < c->shut_until;
	struct tcp_segment segment = {
		.flow = c->flow,
		.seq = flags & TCP_FLAG_SYN ? c->iss : c->iss + 1 + (uint32_t)place,
		.ack = c->rcv_nxt,
		.flags = flags,
		.window = (uint16_t)(is_shut ? 0 : c->window >> (c->scale > 0 ? c->scale : 0)),
		.mss = flags & TCP_FLAG_SYN ? (uint16_t)c->mss : 0,
		.scale = flags & TCP_FLAG_SYN ? c->scale : -1,
		.sack = flags & TCP_FLAG_SYN,
		.offset = place,
		.size = size,
	};
	put(s, &s->to_tcp, &segment);
}

static void take_stream(struct scene *s, const struct tcp_segment *in)
{
	struct caller *c = &s->caller;
	bool is_shut = s->now < c->shut_until;

	if (!in->size && !(in->flags & TCP_FLAG_FIN))
		return;
	c->wants_ack = true;
	if (in->seq != c->rcv_nxt || c->has_fin || (is_shut && in->size))
		return;
	assert_int_equal(in->offset, c->got);
	for (uint32_t i = 0; i < in->size; i++)
		assert_int_equal(in->data[i], pattern(c->got + i));
	c->got += in->size;
	c->rcv_nxt += in->size;
	if (in->flags & TCP_FLAG_FIN) {
		c->has_fin = true;
		c->rcv_nxt++;
	}
}

// What is acknowledged has come, and all up to its end; so of each range.
static void check_acks(const struct scene *s, const struct tcp_segment *in)
{
	const struct caller *c = &s->caller;
	uint32_t ack = in->ack - (c->iss + 1);

	for (uint32_t i = 0; i < ack && i < c->length; i++)
		assert_true(s->has[i]);
	for (uint32_t i = 0; i < in->sack_count; i++) {
		uint32_t from = in->sacks[i].from - (c->iss + 1);
		uint32_t to = in->sacks[i].to - (c->iss + 1);
		assert_true(from > ack && from < to && to <= c->length);
		for (uint32_t at = from; at < to; at++)
			assert_true(s->has[at]);
	}
}

static void hear(struct scene *s, const struct tcp_segment *in)
{
	struct caller *c = &s->caller;

	assert_false(in->flags & TCP_FLAG_RST);
	if (in->flags & TCP_FLAG_SYN) {
		assert_int_equal(in->ack, c->iss + 1);
		c->rcv_nxt = c->is_open ? c->rcv_nxt : in->seq + 1;
		c->is_open = c->wants_ack = true;
		return;
	}
	if (s->loss)
		check_acks(s, in);

	uint32_t ahead = in->ack - (c->iss + 1 + (uint32_t)c->una);
	if (ahead && ahead <= c->nxt - c->una) {
		c->una += ahead;
		c->timer = s->now;
		c->fin_acked = c->una == c->length + 1;
	}
	take_stream(s, in);
}

// Sends what its window of eight segments allows, all of it again when nothing moved for 50 ms.
static void speak(struct scene *s)
{
	struct caller *c = &s->caller;
	bool may_end = c->length || c->has_fin; // One that only listens ends after the other.

	if (!c->is_open) {
		if (s->now >= c->timer) {
			say(s, TCP_FLAG_SYN, 0, 0);
			c->timer = s->now + 50 * MS;
		}
		return;
	}
	if (s->now > c->timer + 50 * MS) {
		c->nxt = c->una;
		c->timer = s->now;
	}
	while (c->nxt < c->length && c->nxt < c->una + 8ull * c->mss) {
		uint64_t left = c->length - c->nxt;
		uint32_t size = left < c->mss ? (uint32_t)left : c->mss;
		say(s, TCP_FLAG_ACK, c->nxt, size);
		c->nxt += size;
		c->wants_ack = false;
	}
	if (c->nxt == c->length && may_end) {
		say(s, TCP_FLAG_ACK | TCP_FLAG_FIN, c->nxt, 0);
		c->nxt++;
		c->wants_ack = false;
	}
	if (c->wants_ack)
		say(s, TCP_FLAG_ACK, c->nxt, 0);
	c->wants_ack = false;
}

static void deliver(struct scene *s, struct channel *channel)
{
	for (uint32_t i = 0; i < CHANNEL_MAX; i++) {
		struct packet *packet = &channel->packet[i];
		if (!packet->at || packet->at > s->now)
			continue;
		packet->at = 0;
		if (channel == &s->to_tcp)
			tcp_input(&s->tcp, &packet->segment, s->now);
		else
			hear(s, &packet->segment);
		free(packet->data);
	}
}

static bool is_over(const struct scene *s)
{
	return s->has_ended && s->caller.fin_acked && s->caller.has_fin;
}

static void run(struct scene *s, uint64_t most_ms)
{
	for (uint64_t ms = 0; ms < most_ms && !is_over(s); ms++) {
		s->now += MS;
		speak(s);
		deliver(s, &s->to_tcp);
		tcp_output(&s->tcp, s->now);
		deliver(s, &s->to_caller);
	}
}

static struct scene *make_scene(uint16_t port, uint64_t length, uint32_t segment_max)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->has = calloc(1, 1 << 20);
	assert_non_null(s->has);
	s->now = 1000 * MS;
	s->tcp = (struct tcp){
		.ops = &ops,
		.ctx = s,
		.sink_port = PORT_SINK,
		.source_port = PORT_SOURCE,
		.source_length = port == PORT_SOURCE ? length : 0,
		.mss = 1460,
		.segment_max = segment_max,
		.window = 1 << 20,
		.scale = 7,
		.next_iss = 0xffff0000, // Wraps soon.
	};
	s->caller = (struct caller){
		.flow = {.ip = 1, .port = 1000, .local_port = port},
		.iss = 0xfffff000,
		.length = port == PORT_SINK ? length : 0,
		.mss = 1400,
		.window = 200000,
		.scale = 4,
	};
	return s;
}

static void free_scene(struct scene *s)
{
	for (uint32_t i = 0; i < CHANNEL_MAX; i++) {
		if (s->to_tcp.packet[i].at)
			free(s->to_tcp.packet[i].data);
		if (s->to_caller.packet[i].at)
			free(s->to_caller.packet[i].data);
	}
	free(s->has);
	free(s);
}

static void check_over(const struct scene *s)
{
	assert_true(is_over(s));
	assert_int_equal(s->end, TCP_END_DONE);
	assert_int_equal(s->taken, s->caller.length);
	if (s->caller.flow.local_port == PORT_SOURCE)
		assert_int_equal(s->caller.got, s->tcp.source_length);
}

static void test_streams(void **state)
{
	static const uint64_t lengths[] = {1, 1399, 1400, 1401, 300000};
	static const uint32_t losses[] = {0, 10, 100, 300};

	for (uint32_t i = 0; i < 5 * 4 * 2 * 2; i++) {
		uint16_t port = i & 1 ? PORT_SINK : PORT_SOURCE;
		struct scene *s = make_scene(port, lengths[i / 4 % 5], i & 2 ? 1460 : 64240);
		s->loss = losses[i / 20];
		s->is_full = i / 20;
		run(s, 200000);
		check_over(s);
		free_scene(s);
	}
}

// Without loss a stream goes in large segments, as many as the window and slow start make.
static void test_segments_are_large(void **state)
{
	struct scene *s = make_scene(PORT_SOURCE, 4000000, 64240);

	run(s, 10000);
	check_over(s);
	assert_true(s->largest > 60000);
	assert_int_equal(s->largest % 1400, 0);
	assert_true(s->segments < 4000000 / 1400 / 4);
	free_scene(s);
}

// RFC 793's window alone, for one who scales none.
static void test_no_scaling(void **state)
{
	for (uint16_t port = PORT_SINK; port <= PORT_SOURCE; port++) {
		struct scene *s = make_scene(port, 500000, 64240);
		s->caller.scale = -1;
		s->caller.window = 20000;
		run(s, 100000);
		check_over(s);
		assert_true(s->largest <= 20000);
		free_scene(s);
	}
}

// A window that is shut for longer than all retries take, and opens without a word.
static void test_shut_window(void **state)
{
	struct scene *s = make_scene(PORT_SOURCE, 300000, 64240);

	s->caller.shut_until = s->now + 60000 * MS;
	run(s, 59000);
	assert_false(s->has_ended);
	assert_int_equal(s->caller.got, 0);
	run(s, 20000);
	check_over(s);
	free_scene(s);
}

// Nobody answers any more.
static void test_timeout(void **state)
{
	struct scene *s = make_scene(PORT_SOURCE, TCP_ENDLESS, 64240);

	run(s, 100);
	assert_true(s->caller.got > 0);
	s->loss = 1000;
	run(s, 100000);
	assert_true(s->has_ended);
	assert_int_equal(s->end, TCP_END_TIMEOUT);
	assert_int_equal(tcp_deadline(&s->tcp), UINT64_MAX);
	free_scene(s);
}

// One without end stops when the other side has said its end.
static void test_endless(void **state)
{
	struct scene *s = make_scene(PORT_SOURCE, TCP_ENDLESS, 64240);

	run(s, 300);
	assert_false(s->has_ended);
	s->caller.length = 5; // Says something, and its end.
	run(s, 10000);
	assert_true(is_over(s));
	assert_int_equal(s->end, TCP_END_DONE);
	assert_int_equal(s->taken, 5);
	free_scene(s);
}

static struct tcp_segment answer;
static uint32_t answers;

static bool keep_answer(void *ctx, const struct tcp_segment *segment)
{
	(void)ctx;
	answer = *segment;
	answers++;
	return true;
}

static void count_end(void *ctx, const struct tcp_conn *conn, enum tcp_end how)
{
	struct scene *s = ctx;

	(void)conn;
	s->has_ended = true;
	s->end = how;
}

static void expect_answer(struct tcp *tcp, const struct tcp_segment *in, uint8_t flags)
{
	answers = 0;
	tcp_input(tcp, in, MS);
	tcp_output(tcp, MS);
	assert_int_equal(answers, flags ? 1 : 0);
	if (flags)
		assert_int_equal(answer.flags, flags);
}

// What belongs to nothing, and what comes at the wrong time.
static void test_strangers(void **state)
{
	static const struct tcp_ops keep = {keep_answer, on_receive, count_end};
	struct scene *s = make_scene(PORT_SINK, 0, 1460);
	struct tcp *tcp = &s->tcp;
	struct tcp_segment in = {.flow = s->caller.flow, .seq = 100, .scale = -1};

	tcp->ops = &keep;
	in.flags = TCP_FLAG_ACK;
	in.ack = 77;
	expect_answer(tcp, &in, TCP_FLAG_RST);
	assert_int_equal(answer.seq, 77);
	in.flags = TCP_FLAG_RST;
	expect_answer(tcp, &in, 0);
	in.flags = TCP_FLAG_SYN;
	in.flow.local_port = 3; // Where nobody listens.
	expect_answer(tcp, &in, TCP_FLAG_RST | TCP_FLAG_ACK);
	assert_int_equal(answer.ack, 101);
	in.flow.local_port = 0;
	expect_answer(tcp, &in, TCP_FLAG_RST | TCP_FLAG_ACK);
	in.flow.local_port = PORT_SINK;
	expect_answer(tcp, &in, TCP_FLAG_SYN | TCP_FLAG_ACK);
	assert_int_equal(answer.ack, 101);
	assert_int_equal(answer.scale, -1); // Not asked for.
	uint32_t iss = answer.seq;
	in.flags = TCP_FLAG_ACK; // Of what was never sent.
	in.seq = 101;
	in.ack = iss + 2;
	expect_answer(tcp, &in, TCP_FLAG_RST);
	in.ack = iss + 1;
	expect_answer(tcp, &in, 0);
	in.ack = iss + 9;
	expect_answer(tcp, &in, TCP_FLAG_ACK);
	in.ack = iss + 1;
	in.seq = 100; // Is anybody there?
	expect_answer(tcp, &in, TCP_FLAG_ACK);
	assert_int_equal(answer.ack, 101);
	in.flags = TCP_FLAG_SYN;
	in.seq = 5000;
	expect_answer(tcp, &in, TCP_FLAG_ACK);
	in.flags = TCP_FLAG_RST; // Guessed.
	in.seq = 102;
	expect_answer(tcp, &in, TCP_FLAG_ACK);
	in.seq = 99;
	expect_answer(tcp, &in, 0);
	assert_false(s->has_ended);
	in.seq = 101;
	expect_answer(tcp, &in, 0);
	assert_true(s->has_ended);
	assert_int_equal(s->end, TCP_END_RESET);
	free_scene(s);
}

// More callers than places: the others are refused, and places come free again.
static void test_many(void **state)
{
	static const struct tcp_ops keep = {keep_answer, on_receive, count_end};
	struct scene *s = make_scene(PORT_SINK, 0, 1460);
	struct tcp_segment in = {.flow = s->caller.flow, .flags = TCP_FLAG_SYN, .scale = -1};

	s->tcp.ops = &keep;
	for (uint32_t i = 0; i < TCP_CONNECTIONS_MAX; i++) {
		in.flow.port++;
		expect_answer(&s->tcp, &in, TCP_FLAG_SYN | TCP_FLAG_ACK);
	}
	in.flow.port++;
	expect_answer(&s->tcp, &in, TCP_FLAG_RST | TCP_FLAG_ACK);
	for (uint64_t now = MS; now < 60000 * MS; now += 100 * MS)
		tcp_output(&s->tcp, now); // Nobody goes on with the handshake.
	assert_int_equal(s->end, TCP_END_TIMEOUT);
	expect_answer(&s->tcp, &in, TCP_FLAG_SYN | TCP_FLAG_ACK);
	free_scene(s);
}

// Anything at all, at a connection that is open.
static void test_garbage(void **state)
{
	static const struct tcp_ops keep = {keep_answer, on_receive, count_end};

	for (uint32_t round = 0; round < 200; round++) {
		struct scene *s = make_scene(PORT_SOURCE, 100000, 64240);
		uint8_t data[64] = {0};
		run(s, 5);
		s->tcp.ops = &keep;
		for (uint32_t i = 0; i < 500; i++) {
			struct tcp_segment in = {
				.flow = s->caller.flow,
				.seq = s->caller.rcv_nxt + (uint32_t)(random() % 7) - 3,
				.ack = (uint32_t)(s->caller.iss + random() % 200000),
				.flags = (uint8_t)((random() % 64) & ~TCP_FLAG_RST),
				.window = (uint16_t)random(),
				.mss = (uint16_t)random(),
				.scale = (int)(random() % 256),
				.data = data,
			};
			tcp_input(&s->tcp, &in, s->now += MS);
			tcp_output(&s->tcp, s->now);
		}
		free_scene(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_segments_are_large),
		cmocka_unit_test(test_no_scaling),
		cmocka_unit_test(test_shut_window),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
