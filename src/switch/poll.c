// SPDX-License-Identifier: BSD-3-Clause
// How queues and workers sleep and wake up. Events carry a port's slot and a pair, never a pointer: the worker looks them up
// in the tables that are published when it is on line again, so an event of a port that is gone finds nothing.
// The worker's functions run on the worker, the control thread's say so.
#include "switch/poll.h"

#include "base/log.h"
#include "switch/count.h"
#include "switch/source.h"

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define EVENTS 64
// Looks in a row while there are more kicks than one look returns.
#define LOOKS_MAX 4
// News about all of a port's queues: they are to be looked up again.
#define NEWS_CHECK (1u << 31)

_Static_assert((POLL_NEWS & (POLL_NEWS - 1)) == 0, "indices of the news wrap");
_Static_assert(VHOST_QUEUE_PAIRS_MAX <= 16, "an id keeps 4 bits of the pair");

static uint32_t make_id(const struct port *port, uint16_t pair)
{
	return (uint32_t)port->slot << 4 | pair;
}

static void post(struct poll_news *news, uint32_t id)
{
	uint32_t head = news->head;

	if (head - __atomic_load_n(&news->tail, __ATOMIC_ACQUIRE) >= POLL_NEWS) {
		__atomic_store_n(&news->lost, true, __ATOMIC_RELEASE);
		return;
	}
	news->id[head % POLL_NEWS] = id;
	__atomic_store_n(&news->head, head + 1, __ATOMIC_RELEASE);
}

// Control thread.
void poll_post(struct worker *worker, const struct port *port, uint16_t pair)
{
	post(&worker->news, make_id(port, pair));
}

// Control thread.
void poll_check(struct worker *worker, const struct port *port)
{
	post(&worker->news, make_id(port, 0) | NEWS_CHECK);
}

// Control thread.
void poll_wake(struct worker *worker)
{
	(void)eventfd_write(worker->wake_fd, 1); // A full counter has woken it already.
}

// Control thread. EPOLLET: every write to an eventfd is an event, so nobody has to read it; and so is every frame that comes
// to a TAP.
int poll_watch(struct worker *worker, const struct port *port, uint16_t pair, int fd)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLET,
		.data.u32 = make_id(port, pair),
	};
	return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

// Control thread.
void poll_unwatch(struct worker *worker, int fd)
{
	if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, fd, NULL))
		log_debug("descriptor %d was not watched", fd);
}

static struct port_queue *find_queue(struct port *port, uint16_t pair)
{
	struct port_path *path = __atomic_load_n(&port->path, __ATOMIC_ACQUIRE);

	for (uint16_t i = 0; path && i < path->rx_count; i++)
		if (path->rx[i].pair == pair)
			return &path->rx[i];
	return NULL;
}

// The queue, when it is live and this worker is in charge of it.
static struct port_queue *find_own(
	struct worker *worker,
	struct port *port,
	uint16_t pair,
	struct port_pair **ret_state
)
{
	struct port_queue *queue = port ? find_queue(port, pair) : NULL;

	if (!queue)
		return NULL;
	uint16_t owner = __atomic_load_n(&port->pair[pair].worker, __ATOMIC_ACQUIRE);
	if (owner != worker->index)
		return NULL;
	*ret_state = &port->pair[pair];
	return queue;
}

static struct port *load_port(const struct worker *worker, uint32_t slot)
{
	return __atomic_load_n(&worker->ports->slot[slot], __ATOMIC_ACQUIRE);
}

static void note_awake(struct worker *worker)
{
	__atomic_store_n(&worker->awake, worker->set.queue_count, __ATOMIC_RELAXED);
}

// Both queues of the pair, behind a takeover.
static void recall(
	struct worker *worker,
	struct port *port,
	struct port_queue *queue,
	struct port_pair *state
)
{
	const struct port_path *path = __atomic_load_n(&port->path, __ATOMIC_ACQUIRE);

	state->recall = false;
	deliver_call(worker, queue);
	for (uint16_t i = 0; path && i < path->tx_count; i++)
		if (path->tx[i].pair == queue->pair)
			deliver_call(worker, &path->tx[i]);
}

// Stale and repeated ids are no harm: a queue is polled for the quiet time.
static void wake_queue(struct worker *worker, uint32_t id)
{
	struct port_pair *state = NULL;
	struct port *port = load_port(worker, id >> 4);
	struct port_queue *queue = find_own(worker, port, id & 0xf, &state);

	if (!queue || __atomic_load_n(&port->fault, __ATOMIC_RELAXED))
		return;
	source_wake(queue);
	if (__builtin_expect(state->recall, 0))
		recall(worker, port, queue, state);
	__atomic_store_n(&state->awake, true, __ATOMIC_RELAXED);
	turns_put(&worker->set, port->slot, queue, state, worker->now);
}

bool poll_arm(struct worker *worker, struct turn_queue *entry, uint64_t now)
{
	struct port_queue *queue = entry->queue;
	bool fault = __atomic_load_n(&queue->port->fault, __ATOMIC_RELAXED);

	entry->last = now;
	if (entry->state->watched_fd < 0 && !fault)
		return false;
	// The front end makes work visible, fences, and looks at the wish to be notified. Here the wish is made visible,
	// then comes a fence, then the look for work: one of the two sees the other's. Seen here, the queue stays;
	// seen there, its kick is an event of the epoll set, which keeps it until it is asked. Of a TAP every frame is an
	// event, so there is no wish: a frame that came before the look is seen by it, also when its event was fetched long
	// ago; the event of one that comes later is kept.
	source_arm(queue);
	if (!fault && source_has_work(queue)) {
		source_wake(queue);
		return false;
	}
	__atomic_store_n(&entry->state->awake, false, __ATOMIC_RELAXED);
	return true;
}

// Queues of the port that are gone leave, the others may be published elsewhere.
static void check_port(struct worker *worker, uint32_t slot)
{
	struct turns *set = &worker->set;
	struct port *port = load_port(worker, slot);

	if (!set->place[slot])
		return;
	struct turn *turn = &set->turn[set->place[slot] - 1];
	for (uint32_t i = turn->count; i-- > 0;) {
		struct turn_queue *entry = &turn->queue[i];
		struct port_queue *queue = find_own(worker, port, entry->pair, &entry->state);
		entry->queue = queue;
		if (!queue)
			turns_take_out(set, turn, i);
	}
}

// More news than there was room for: everything is looked up, and whatever is this worker's is polled.
static void check_all(struct worker *worker)
{
	for (uint32_t slot = 0; slot < WIRE_PORTS_MAX; slot++) {
		check_port(worker, slot);
		struct port *port = load_port(worker, slot);
		for (uint32_t pair = 0; port && pair < port->spec.queues; pair++)
			wake_queue(worker, slot << 4 | pair);
	}
}

void poll_refresh(struct worker *worker)
{
	struct poll_news *news = &worker->news;
	uint32_t head = __atomic_load_n(&news->head, __ATOMIC_ACQUIRE);
	uint32_t tail = news->tail;

	if (__builtin_expect(head == tail && !__atomic_load_n(&news->lost, __ATOMIC_ACQUIRE), 1))
		return;
	worker->now = rte_rdtsc();
	// Taken back first: what is lost from now on sets it again.
	bool lost = __atomic_exchange_n(&news->lost, false, __ATOMIC_ACQUIRE);
	for (; tail != head; tail++) {
		uint32_t id = news->id[tail % POLL_NEWS];
		if (id & NEWS_CHECK)
			check_port(worker, (id & ~NEWS_CHECK) >> 4);
		else
			wake_queue(worker, id);
	}
	if (lost)
		check_all(worker);
	__atomic_store_n(&news->tail, tail, __ATOMIC_RELEASE);
	note_awake(worker);
}

static int wake_kicked(struct worker *worker, const struct epoll_event *events, int count)
{
	for (int i = 0; i < count; i++)
		if (events[i].data.u32 != POLL_ID_WAKE)
			wake_queue(worker, events[i].data.u32);
	return count;
}

void poll_look(struct worker *worker)
{
	struct epoll_event events[EVENTS];
	int count = EVENTS;

	if (__builtin_expect(worker->now < worker->next_look, 1))
		return;
	if (__atomic_load_n(&worker->assigned, __ATOMIC_RELAXED) != worker->set.queue_count) {
		for (int i = 0; i < LOOKS_MAX && count == EVENTS; i++) {
			count = epoll_wait(worker->epoll_fd, events, EVENTS, 0);
			worker->now = rte_rdtsc();
			count = wake_kicked(worker, events, count);
		}
	}
	note_awake(worker);
	worker->next_look = worker->now + worker->look_cycles;
}

void poll_sleep(struct worker *worker)
{
	struct epoll_event events[EVENTS];

	note_awake(worker);
	count_add(&worker->sleeps, 1);
	rte_rcu_qsbr_thread_offline(worker->qsbr, worker->index);
	__atomic_store_n(&worker->asleep, true, __ATOMIC_RELEASE);
	int count = epoll_wait(worker->epoll_fd, events, EVENTS, -1);
	__atomic_store_n(&worker->asleep, false, __ATOMIC_RELEASE);
	rte_rcu_qsbr_thread_online(worker->qsbr, worker->index);
	worker->now = rte_rdtsc();
	(void)wake_kicked(worker, events, count);
	worker->next_look = worker->now + worker->look_cycles;
}
