// SPDX-License-Identifier: BSD-3-Clause
// An ordinary DPDK application, with nothing of Ringway in it: sends numbered frames to a peer and checks every
// frame that it receives for length, contents and order. Prints what it saw as one JSON object. One thread
// does everything. exchange_link.c has the port, frame.c the frames, exchange_options.c the command line.
#include "tests/tools/exchange.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_random.h>

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_SIZE 64
#define CONTROLS_MAX 4 // Answers that one turn may queue beside a burst.
#define BLIND_ENDS 10  // How often the end is sent where nobody answers.
#define IDLE_TURNS 1000

struct sender {
	uint32_t run;
	uint64_t queued; // Data frames handed to the link.
	uint64_t acked;
	bool ready;
	bool done;
	uint32_t ends;
	uint64_t next_control; // TSC.
	uint64_t next_burst;   // TSC.
	uint64_t last_ack;     // TSC.
};

struct receiver {
	uint32_t run;
	bool started;
	bool ended;
	bool ack_due;
	uint64_t window;
	uint64_t total; // As the sender said.
	uint64_t last_end;
	uint8_t peer[6];
	struct tally tally;
	uint64_t malformed;
	uint64_t foreign;
};

struct listener {
	struct link_port link;
	uint64_t mine;
	uint64_t other;
	uint64_t broadcast;
	uint64_t multicast;
};

struct exchange {
	struct exchange_options options;
	struct link_port link;
	struct sender send;
	struct receiver recv;
	bool sends;
	bool receives;
	uint64_t hz;
	uint64_t now;	     // TSC, read once a turn.
	uint64_t last_event; // TSC.
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = 1;
}

static bool queue_control(
	struct exchange *x,
	const uint8_t *to,
	enum frame_type type,
	uint32_t run,
	uint64_t number
)
{
	struct frame_head head = {.type = type, .run = run, .number = number};
	memcpy(head.destination, to, sizeof(head.destination));
	memcpy(head.source, x->link.mac, sizeof(head.source));
	return link_queue(&x->link, &head, CONTROL_SIZE);
}

// A hello starts a run. One that comes again is answered again: the answer may have been lost.
static void take_hello(struct exchange *x, const struct frame_head *head)
{
	struct receiver *recv = &x->recv;
	if (!x->receives || (recv->started && head->run != recv->run)) {
		recv->foreign++;
		return;
	}
	recv->started = true;
	recv->run = head->run;
	recv->window = head->number;
	memcpy(recv->peer, head->source, sizeof(recv->peer));
	// When there is no room the peer asks again.
	(void)queue_control(x, head->source, FRAME_READY, head->run, 0);
}

static void take_end(struct exchange *x, const struct frame_head *head)
{
	x->recv.ended = true;
	x->recv.total = head->number;
	x->recv.last_end = x->now;
	// When there is no room the peer asks again.
	(void)queue_control(x, head->source, FRAME_DONE, head->run, 0);
}

static void take_answer(struct exchange *x, const struct frame_head *head)
{
	struct sender *send = &x->send;
	if (!x->sends || head->run != send->run) {
		x->recv.foreign++;
	} else if (head->type == FRAME_READY) {
		send->ready = true;
	} else if (head->type == FRAME_DONE) {
		send->done = true;
	} else if (head->number > send->acked) {
		send->acked = head->number;
		send->last_ack = x->now;
	}
}

static void take_frame(void *arg, const uint8_t *bytes, uint32_t size)
{
	struct exchange *x = arg;
	struct frame_head head;
	const enum frame_verdict verdict = frame_check(bytes, size, x->options.size, &head);
	if (verdict == FRAME_FOREIGN)
		x->recv.foreign++;
	if (verdict == FRAME_MALFORMED)
		x->recv.malformed++;
	if (verdict != FRAME_GOOD)
		return;
	if (memcmp(head.destination, x->link.mac, sizeof(head.destination)) != 0) {
		x->recv.foreign++;
		return;
	}
	x->last_event = x->now;
	if (head.type == FRAME_HELLO) {
		take_hello(x, &head);
	} else if (head.type != FRAME_DATA && head.type != FRAME_END) {
		take_answer(x, &head);
	} else if (!x->recv.started || head.run != x->recv.run) {
		x->recv.foreign++;
	} else if (head.type == FRAME_END) {
		take_end(x, &head);
	} else {
		tally_note(&x->recv.tally, head.number);
		x->recv.ack_due = x->recv.window > 0;
	}
}

// A sender's questions, each repeated until it is answered.
static void send_control(struct exchange *x, enum frame_type type, uint64_t number)
{
	struct sender *send = &x->send;
	if (x->now < send->next_control)
		return;
	send->next_control = x->now + x->hz / 100;
	if (queue_control(x, x->options.peer, type, send->run, number) && type == FRAME_END)
		send->ends++;
	if (send->ends >= BLIND_ENDS && !x->options.handshake)
		send->done = true;
}

// How many data frames may go now.
static uint64_t allowance(struct exchange *x)
{
	struct sender *send = &x->send;
	const struct exchange_options *options = &x->options;
	if (x->now < send->next_burst || link_room(&x->link) < options->burst + CONTROLS_MAX)
		return 0;
	const uint64_t left = options->frames - send->queued;
	uint64_t count = left < options->burst ? left : options->burst;
	if (options->window == 0)
		return count;
	// What is not confirmed for a second was lost: it is not in the air any more.
	if (x->now - send->last_ack > x->hz) {
		send->acked = send->queued;
		send->last_ack = x->now;
	}
	const uint64_t in_air = send->queued > send->acked ? send->queued - send->acked : 0;
	const uint64_t room = in_air < options->window ? options->window - in_air : 0;
	if (count > room)
		count = room;
	return count;
}

static void send_data(struct exchange *x)
{
	struct sender *send = &x->send;
	struct frame_head head = {.type = FRAME_DATA, .run = send->run};
	memcpy(head.destination, x->options.peer, sizeof(head.destination));
	memcpy(head.source, x->link.mac, sizeof(head.source));
	const uint64_t count = allowance(x);
	for (uint64_t i = 0; i < count; i++) {
		head.number = send->queued;
		if (!link_queue(&x->link, &head, x->options.size))
			break;
		send->queued++;
	}
	if (count > 0 && x->options.rate > 0)
		send->next_burst = x->now + count * x->hz / x->options.rate;
}

static void send_step(struct exchange *x)
{
	struct sender *send = &x->send;
	if (send->done)
		return;
	if (!send->ready)
		send_control(x, FRAME_HELLO, x->options.window);
	else if (send->queued < x->options.frames)
		send_data(x);
	else
		send_control(x, FRAME_END, send->queued);
}

static void receive_step(struct exchange *x)
{
	struct receiver *recv = &x->recv;
	if (recv->ack_due &&
	    queue_control(x, recv->peer, FRAME_ACK, recv->run, tally_passed(&recv->tally)))
		recv->ack_due = false;
}

// The end that we confirmed may be asked for again, if the confirmation was lost.
static bool is_finished(const struct exchange *x)
{
	if (x->sends && !x->send.done)
		return false;
	if (!x->receives)
		return true;
	return x->recv.ended && x->now - x->recv.last_end > x->hz / 3;
}

static bool is_idle(const struct exchange *x)
{
	const bool met = (!x->sends || x->send.ready) && (!x->receives || x->recv.started);
	const uint64_t limit = met ? x->options.idle_s : x->options.wait_s;
	return x->now - x->last_event > limit * x->hz;
}

// The peer may be on this very CPU.
static void rest(uint32_t *idle_turns)
{
	if (++*idle_turns < IDLE_TURNS)
		(void)sched_yield(); // Cannot fail on Linux.
	else
		(void)usleep(50); // Waking early does no harm.
}

// Returns 0, or -ETIMEDOUT when the peer never came or fell silent.
static int run_exchange(struct exchange *x)
{
	uint32_t idle_turns = 0;
	x->last_event = x->send.last_ack = x->now = rte_rdtsc();
	while (!stopped) {
		x->now = rte_rdtsc();
		uint32_t moved = link_receive(&x->link, take_frame, x);
		if (x->receives)
			receive_step(x);
		if (x->sends)
			send_step(x);
		const uint16_t sent = link_flush(&x->link);
		// Sending questions to nobody is no progress.
		if (sent > 0 && x->send.ready && x->send.queued < x->options.frames)
			x->last_event = x->now;
		moved += sent;
		if (is_finished(x) && link_is_empty(&x->link))
			return 0;
		if (is_idle(x))
			return -ETIMEDOUT;
		if (moved > 0)
			idle_turns = 0;
		else
			rest(&idle_turns);
	}
	return -EINTR;
}

static void listen_frame(void *arg, const uint8_t *bytes, uint32_t size)
{
	struct listener *listener = arg;
	const uint8_t *mac = listener->link.mac;
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	if (memcmp(bytes, broadcast, sizeof(broadcast)) == 0)
		listener->broadcast++;
	else if (bytes[0] & 1)
		listener->multicast++;
	else if (memcmp(bytes, mac, sizeof(listener->link.mac)) == 0)
		listener->mine++;
	else
		listener->other++;
}

static void print_mac(const uint8_t mac[6])
{
	printf("\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\",",
	       mac[0],
	       mac[1],
	       mac[2],
	       mac[3],
	       mac[4],
	       mac[5]);
}

static void print_listener(const struct listener *listener)
{
	printf("{\"end\":\"complete\",");
	print_mac(listener->link.mac);
	printf("\"mine\":%" PRIu64 ",\"other\":%" PRIu64 ",\"broadcast\":%" PRIu64
	       ",\"multicast\":%" PRIu64 "}\n",
	       listener->mine,
	       listener->other,
	       listener->broadcast,
	       listener->multicast);
}

// Says when it listens, so that what is to be heard can be sent after.
static void listen_all(struct listener *listeners, const struct exchange_options *options)
{
	const uint64_t end = rte_rdtsc() + options->idle_s * rte_get_tsc_hz();
	fprintf(stderr, "exchange: listening\n");
	while (!stopped && rte_rdtsc() < end) {
		uint32_t moved = 0;
		for (uint16_t i = 0; i < options->ports; i++)
			moved += link_receive(&listeners[i].link, listen_frame, &listeners[i]);
		if (moved == 0)
			(void)usleep(500); // Waking early does no harm.
	}
	for (uint16_t i = 0; i < options->ports; i++)
		print_listener(&listeners[i]);
}

static int run_listen(const struct exchange_options *options)
{
	static struct listener listeners[LINKS_MAX];
	int r = 0;
	for (uint16_t i = 0; r == 0 && i < options->ports; i++)
		r = link_open(&listeners[i].link, (uint16_t)(options->port + i), options);
	if (r == 0)
		listen_all(listeners, options);
	for (uint16_t i = 0; i < options->ports; i++)
		link_close(&listeners[i].link);
	return r == 0 ? 0 : 1;
}

// Receive queues on which frames came.
static unsigned int queues_used(const struct link_port *link)
{
	unsigned int count = 0;
	for (uint16_t i = 0; i < link->queues; i++)
		count += link->received[i] > 0;
	return count;
}

static void print_result(const struct exchange *x, int result)
{
	const struct receiver *recv = &x->recv;
	const char *end = result == 0 ? "complete" : result == -EINTR ? "stopped" : "timeout";
	printf("{\"end\":\"%s\",", end);
	print_mac(x->link.mac);
	const uint64_t expected = recv->ended ? recv->total : tally_highest(&recv->tally);
	printf("\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"malformed\":%" PRIu64 ",\"misordered\":%" PRIu64 ",\"duplicated\":%" PRIu64
	       ",\"foreign\":%" PRIu64 ",\"queues\":%u}\n",
	       x->send.queued,
	       recv->tally.received,
	       expected > recv->tally.received ? expected - recv->tally.received : 0,
	       recv->malformed + recv->tally.beyond,
	       recv->tally.misordered,
	       recv->tally.duplicated,
	       recv->foreign,
	       queues_used(&x->link));
}

// A peer that did not hear the end gets no answer any more: it had a third of a second for that.
static void linger(const struct exchange *x)
{
	(void)fflush(stdout); // The reader of the result waits for it.
	for (uint32_t i = 0; i < x->options.linger_s && !stopped; i++)
		(void)sleep(1); // A signal ends it.
}

static int run(struct exchange *x)
{
	int r = link_open(&x->link, x->options.port, &x->options);
	if (r == 0)
		r = tally_init(&x->recv.tally, x->options.frames, x->options.queues);
	if (r < 0) {
		link_close(&x->link);
		return 1;
	}
	x->hz = rte_get_tsc_hz();
	x->sends = x->options.mode == MODE_SEND || x->options.mode == MODE_BOTH;
	x->receives = x->options.mode == MODE_RECV || x->options.mode == MODE_BOTH;
	x->send.run = (uint32_t)rte_rand();
	x->send.ready = !x->options.handshake;
	r = run_exchange(x);
	print_result(x, r);
	linger(x);
	link_close(&x->link);
	tally_fini(&x->recv.tally);
	return r == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct exchange exchange;
	const int used = rte_eal_init(argc, argv);
	if (used < 0) {
		fprintf(stderr, "exchange: EAL does not start: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	if (exchange_parse(argc - used, argv + used, &exchange.options) < 0)
		return 2;
	(void)signal(SIGINT, on_signal); // Both signals are valid.
	(void)signal(SIGTERM, on_signal);
	const bool listens = exchange.options.mode == MODE_LISTEN;
	const int status = listens ? run_listen(&exchange.options) : run(&exchange);
	(void)rte_eal_cleanup(); // The process ends.
	return status;
}
