// SPDX-License-Identifier: BSD-3-Clause
// See tcp.h. One thread; no memory but struct tcp.
#include "tests/tools/tcp.h"

#include <stddef.h>
#include <string.h>

#define RTO_NS 200000000ull
#define RETRIES_MAX 10u
#define LINGER_NS 1000000000ull
#define MSS_DEFAULT 536u // RFC 879
#define MSS_MIN 48u	 // Linux' least; a device cuts nothing into too many.

#define SCALE_MAX 14 // RFC 7323, 2.3
#define DUP_ACKS 3u  // RFC 5681, 3.2

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint32_t seq_of(const struct tcp_conn *c, uint64_t place)
{
	return c->iss + 1 + (uint32_t)place;
}

// RFC 2018, 4: the range that came last is the first to be told.
static void add_sacks(const struct tcp_conn *c, struct tcp_segment *out)
{
	const struct tcp_ranges *r = &c->received;

	for (uint32_t pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < r->count && out->sack_count < TCP_SACK_MAX; i++) {
			const struct tcp_range *range = &r->range[i];
			bool is_recent = c->recent >= range->from && c->recent < range->to;
			if (is_recent == (pass == 1))
				continue;
			out->sacks[out->sack_count].from = c->irs + 1 + (uint32_t)range->from;
			out->sacks[out->sack_count++].to = c->irs + 1 + (uint32_t)range->to;
		}
	}
}

static bool send_segment(
	struct tcp *tcp,
	struct tcp_conn *c,
	uint8_t flags,
	uint64_t place,
	uint32_t size
)
{
	struct tcp_segment out = {
		.flow = c->flow,
		.seq = flags & TCP_FLAG_SYN ? c->iss : seq_of(c, place),
		.ack = c->rcv_nxt,
		.flags = flags | TCP_FLAG_ACK,
		.mss = (uint16_t)c->mss,
		.scale = -1,
		.offset = place,
		.size = size,
	};
	uint32_t window = c->has_scale ? tcp->window >> tcp->scale : tcp->window;

	if (flags & TCP_FLAG_SYN) { // RFC 7323, 2.2: this one's window is never scaled.
		window = tcp->window;
		out.mss = (uint16_t)tcp->mss;
		out.scale = c->has_scale ? (int)tcp->scale : -1;
		out.sack = c->has_sack;
	}
	if (c->has_sack && !size && !(flags & TCP_FLAG_SYN))
		add_sacks(c, &out);
	out.window = (uint16_t)least(window, UINT16_MAX);
	if (!tcp->ops->send(tcp->ctx, &out))
		return false;
	c->ack_due = false;
	return true;
}

// RFC 793, 3.4: of a segment that belongs to nothing here.
static void refuse(struct tcp *tcp, const struct tcp_segment *s)
{
	struct tcp_segment out = {.flow = s->flow, .flags = TCP_FLAG_RST, .scale = -1};

	if (s->flags & TCP_FLAG_RST)
		return;
	if (s->flags & TCP_FLAG_ACK) {
		out.seq = s->ack;
	} else {
		out.flags |= TCP_FLAG_ACK;
		out.ack = s->seq + s->size + !!(s->flags & TCP_FLAG_SYN) +
			!!(s->flags & TCP_FLAG_FIN);
	}
	(void)tcp->ops->send(tcp->ctx, &out); // Without room it is as if it were lost.
}

static bool is_flow(const struct tcp_conn *c, const struct tcp_flow *flow)
{
	return c->is_used && c->flow.ip == flow->ip && c->flow.port == flow->port &&
		c->flow.local_port == flow->local_port;
}

static struct tcp_conn *find(struct tcp *tcp, const struct tcp_flow *flow)
{
	for (uint32_t i = 0; i < TCP_CONNECTIONS_MAX; i++)
		if (is_flow(&tcp->conn[i], flow))
			return &tcp->conn[i];
	return NULL;
}

static struct tcp_conn *find_free(struct tcp *tcp)
{
	for (uint32_t i = 0; i < TCP_CONNECTIONS_MAX; i++)
		if (!tcp->conn[i].is_used)
			return &tcp->conn[i];
	return NULL;
}

static void end(struct tcp *tcp, struct tcp_conn *c, enum tcp_end how)
{
	if (!c->is_ended)
		tcp->ops->end(tcp->ctx, c, how);
	c->is_ended = true;
	c->is_used = how == TCP_END_DONE;
}

static void listen_for(struct tcp *tcp, const struct tcp_segment *s, uint64_t now_ns)
{
	uint16_t port = s->flow.local_port;
	bool is_source = port == tcp->source_port;
	struct tcp_conn *c = find_free(tcp);

	if (!port || (!is_source && port != tcp->sink_port) || !c ||
	    (s->flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) != TCP_FLAG_SYN) {
		refuse(tcp, s);
		return;
	}
	*c = (struct tcp_conn){
		.is_used = true,
		.is_source = is_source,
		.flow = s->flow,
		.iss = tcp->next_iss,
		.irs = s->seq,
		.rcv_nxt = s->seq + 1,
		.has_sack = s->sack,
		.has_scale = s->scale >= 0,
		.scale = s->scale < 0 ? 0 : (uint32_t)least((uint32_t)s->scale, SCALE_MAX),
		.length = is_source ? tcp->source_length : TCP_ENDLESS,
		.window = s->window,
		.ssthresh = UINT64_MAX,
		.timer_ns = now_ns + RTO_NS,
		.start_ns = now_ns,
	};
	c->mss = (uint32_t)least(s->mss ? s->mss : MSS_DEFAULT, tcp->mss);
	c->mss = c->mss < MSS_MIN ? MSS_MIN : c->mss;
	c->cwnd = 10ull * c->mss; // RFC 6928
	tcp->next_iss += 0x9e3779b1u;
	c->syn_due = !send_segment(tcp, c, TCP_FLAG_SYN, 0, 0);
}

static void go_back(struct tcp_conn *c)
{
	uint64_t half = (c->max - c->una) / 2;

	c->ssthresh = half > 2ull * c->mss ? half : 2ull * c->mss;
	c->recover = c->max;
	c->nxt = c->una;
	c->dup_acks = 0;
	c->retransmits++;
}

static void grow(struct tcp_conn *c, uint32_t acked)
{
	if (c->cwnd < c->ssthresh)
		c->cwnd += acked; // RFC 5681, 3.1, with RFC 3465's counting of bytes.
	else
		c->cwnd += (uint64_t)c->mss * acked / c->cwnd + 1;
}

// Whether the segment is of this time.
static bool take_ack(struct tcp_conn *c, const struct tcp_segment *s, uint64_t now_ns)
{
	uint32_t ahead = s->ack - seq_of(c, c->una);
	uint64_t window = (uint64_t)s->window << (c->has_scale ? c->scale : 0);

	if (ahead > c->max - c->una) {
		c->ack_due |= (int32_t)ahead > 0; // RFC 793, 3.9: of what was not sent.
		return (int32_t)ahead < 0;
	}
	if (ahead) {
		c->una += ahead;
		c->nxt = c->nxt < c->una ? c->una : c->nxt;
		c->dup_acks = c->retries = 0;
		c->timer_ns = c->max > c->una ? now_ns + RTO_NS : 0;
		grow(c, ahead);
	} else if (!s->size && !(s->flags & TCP_FLAG_FIN) && window == c->window && c->max > c->una) {
		if (++c->dup_acks == DUP_ACKS && c->una >= c->recover) {
			go_back(c);
			c->cwnd = c->ssthresh;
		}
	}
	if (!c->window)
		c->retries = 0; // It is there, and takes nothing now.
	c->window = window;
	return true;
}

// FIN counts when all before it has come.
static void advance_received(struct tcp_conn *c)
{
	bool is_all = c->knows_end && c->received.next == c->end;

	c->rcv_nxt = c->irs + 1 + (uint32_t)c->received.next + is_all;
	if (!is_all || c->has_fin)
		return;
	c->has_fin = true;
	if (c->length == TCP_ENDLESS)
		c->length = c->max;
}

// The new bytes of a segment that begins at `place`.
static void take_bytes(
	struct tcp *tcp,
	struct tcp_conn *c,
	const struct tcp_segment *s,
	uint64_t place
)
{
	uint64_t end = place + s->size;
	uint64_t from = place > c->received.next ? place : c->received.next;

	if (s->flags & TCP_FLAG_FIN && !c->knows_end) {
		c->knows_end = true;
		c->end = end;
	}
	if (c->knows_end)
		end = least(end, c->end);
	if (from >= end || !tcp_ranges_add(&c->received, from, end))
		return;
	c->recent = from;
	tcp->ops->receive(tcp->ctx, c, from, s->data + (from - place), (uint32_t)(end - from));
}

static void take_data(struct tcp *tcp, struct tcp_conn *c, const struct tcp_segment *s)
{
	int32_t ahead = (int32_t)(s->seq - c->rcv_nxt);
	uint64_t next = c->received.next + c->has_fin;

	if (!s->size && !(s->flags & TCP_FLAG_FIN)) {
		c->ack_due |= ahead == -1; // RFC 1122, 4.2.3.6: it asks whether we are there.
		return;
	}
	c->ack_due = true;
	if (ahead >= 0 ? (uint32_t)ahead >= tcp->window : (uint64_t) - (int64_t)ahead > next)
		return; // Beyond the window, or before the stream.
	take_bytes(tcp, c, s, next + (uint64_t)(int64_t)ahead);
	advance_received(c);
	if (ahead) // Says at once what is missing.
		(void)send_segment(tcp, c, 0, c->nxt, 0);
}

// RFC 5961, 3 and 4: one that is not exactly right is asked about.
static void take_reset(struct tcp *tcp, struct tcp_conn *c, const struct tcp_segment *s)
{
	if (s->seq == c->rcv_nxt)
		end(tcp, c, TCP_END_RESET);
	else if (s->seq - c->rcv_nxt < tcp->window)
		c->ack_due = true;
}

static void check_done(struct tcp *tcp, struct tcp_conn *c, uint64_t now_ns)
{
	if (!c->has_fin || c->una <= c->length || c->is_ended)
		return;
	c->timer_ns = now_ns + LINGER_NS;
	end(tcp, c, TCP_END_DONE);
}

static void take_segment(
	struct tcp *tcp,
	struct tcp_conn *c,
	const struct tcp_segment *s,
	uint64_t now_ns
)
{
	if (s->flags & TCP_FLAG_RST) {
		take_reset(tcp, c, s);
		return;
	}
	if (s->flags & TCP_FLAG_SYN) { // Ours may have been lost; or it is of another time.
		if (!c->is_open && s->seq + 1 == c->rcv_nxt)
			c->syn_due = true;
		else
			c->ack_due = true;
		return;
	}
	if (!(s->flags & TCP_FLAG_ACK))
		return;
	if (!c->is_open && s->ack != c->iss + 1) {
		refuse(tcp, s);
		return;
	}
	if (!c->is_open)
		c->timer_ns = c->retries = 0;
	c->is_open = true;
	memcpy(c->flow.mac, s->flow.mac, sizeof(c->flow.mac));
	if (!c->is_ended && !take_ack(c, s, now_ns))
		return;
	take_data(tcp, c, s);
	check_done(tcp, c, now_ns);
}

void tcp_input(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns)
{
	struct tcp_conn *c = find(tcp, &segment->flow);

	if (c && c->is_ended && (segment->flags & TCP_FLAG_SYN)) {
		c->is_used = false; // A new one from the same port.
		c = NULL;
	}
	if (c)
		take_segment(tcp, c, segment, now_ns);
	else
		listen_for(tcp, segment, now_ns);
}

// Bytes that the next segment may have; 0: none now.
static uint32_t next_size(const struct tcp *tcp, const struct tcp_conn *c)
{
	uint64_t end = c->una + least(c->window, c->cwnd);
	uint64_t left = c->length - c->nxt;
	uint64_t room = end > c->nxt ? end - c->nxt : 0;
	uint32_t mss = c->mss ? c->mss : MSS_MIN; // Never 0 of one that is open.
	uint64_t most = tcp->segment_max > tcp->mss ? tcp->segment_max : mss;
	uint64_t size = least(least(room, left), most);

	if (size == left)
		return (uint32_t)size;
	if (size < mss) // RFC 813: small ones only when nothing else brings the window back.
		return c->nxt == c->una ? (uint32_t)size : 0;
	return (uint32_t)(size - size % mss);
}

static void advance(struct tcp_conn *c, uint32_t size, uint64_t now_ns)
{
	c->nxt += size;
	c->max = c->max < c->nxt ? c->nxt : c->max;
	if (!c->timer_ns)
		c->timer_ns = now_ns + RTO_NS;
}

static void send_stream(struct tcp *tcp, struct tcp_conn *c, uint64_t now_ns)
{
	while (c->is_source && c->nxt < c->length) {
		uint32_t size = next_size(tcp, c);
		if (!size || !send_segment(tcp, c, TCP_FLAG_PSH, c->nxt, size))
			break;
		advance(c, size, now_ns);
	}
	if (c->nxt == c->length && send_segment(tcp, c, TCP_FLAG_FIN, c->nxt, 0))
		advance(c, 1, now_ns);
	// A window that opens may be lost: the timer looks whether it did (RFC 1122, 4.2.2.17).
	if (!c->timer_ns && c->is_source && c->nxt < c->length && !c->window)
		c->timer_ns = now_ns + RTO_NS;
}

static void expire(struct tcp *tcp, struct tcp_conn *c, uint64_t now_ns)
{
	bool is_probe = c->is_open && !c->window && c->una < c->length;

	if (c->is_ended) {
		c->is_used = false;
		return;
	}
	if (c->is_open && !is_probe && c->max == c->una) {
		c->timer_ns = 0; // The window opened meanwhile.
		return;
	}
	if (c->retries++ == RETRIES_MAX) {
		end(tcp, c, TCP_END_TIMEOUT);
		return;
	}

	c->timer_ns = now_ns + (RTO_NS << (c->retries < 4 ? c->retries : 4));
	if (!c->is_open) {
		c->syn_due = true;
		return;
	}
	go_back(c);
	c->cwnd = c->mss;
	if (is_probe && send_segment(tcp, c, 0, c->una, 1))
		advance(c, 1, now_ns);
}

void tcp_output(struct tcp *tcp, uint64_t now_ns)
{
	for (uint32_t i = 0; i < TCP_CONNECTIONS_MAX; i++) {
		struct tcp_conn *c = &tcp->conn[i];
		if (!c->is_used)
			continue;
		if (c->timer_ns && now_ns >= c->timer_ns)
			expire(tcp, c, now_ns);
		if (c->is_used && !c->is_open && c->syn_due)
			c->syn_due = !send_segment(tcp, c, TCP_FLAG_SYN, 0, 0);
		if (!c->is_used || !c->is_open)
			continue;
		if (!c->is_ended)
			send_stream(tcp, c, now_ns);
		if (c->ack_due)
			(void
			)send_segment(tcp, c, 0, c->nxt, 0); // Stays due where there is no room.
	}
}

uint64_t tcp_deadline(const struct tcp *tcp)
{
	uint64_t deadline = UINT64_MAX;

	for (uint32_t i = 0; i < TCP_CONNECTIONS_MAX; i++)
		if (tcp->conn[i].is_used && tcp->conn[i].timer_ns)
			deadline = least(deadline, tcp->conn[i].timer_ns);
	return deadline;
}
