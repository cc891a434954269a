// SPDX-License-Identifier: BSD-3-Clause
// The worker's loop: bursts from the device and from each port in turn; when nothing came for a while, it asks to be
// signalled, looks once more, and sleeps.
#include "uplink/worker.h"

#include "uplink/move.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUIET_US 100 // As long as a wake-up costs in all, as in the switch.
#define EVENTS_MAX 16
// How long a full ring is waited for: as long as the kernel keeps a busy thread from its CPU; AF_PACKET's ring of 2,048
// frames lasts about so long at 1 Gbit/s.
#define FULL_MS 20
#define FULL_PAUSE_NS 20000
// Where nothing tells of the device's frames: how long it is left alone. Longer the longer it is quiet.
#define TIMER_FIRST_NS 50000
#define TIMER_LAST_NS 500000
#define TIMER_LONG_NS 100000000

// Edges are enough: the worker looks at everything before it sleeps again.
static int watch(const struct worker *w, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int worker_init(
	struct worker *worker,
	struct device *device,
	const struct view *view,
	struct rwy_err *err
)
{
	struct worker *w = worker;
	w->device = device;
	w->next = w->using = view;
	w->timer_ns = TIMER_FIRST_NS;
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int r = w->wake_fd < 0 || w->epoll_fd < 0 ? -errno : watch(w, w->wake_fd);
	for (uint32_t i = 0; !r && i < device->fd_count; i++)
		r = watch(w, device->fds[i]);
	if (!r && device->wake == DEVICE_WAKE_INTR)
		r = watch(w, rte_eth_dev_rx_intr_ctl_q_get_fd(device->id, 0));
	return r ? err_set(err, r, "cannot watch the device: %s", strerror(-r)) : 0;
}

static bool is_live(const struct view_port *port)
{
	return port->port && port->id != PORT_NO_ETHDEV;
}

static uint32_t turn(struct worker *w, const struct view *view)
{
	uint32_t moved = 0;
	for (uint16_t q = 0; w->serving && q < w->device->rx_queues; q++)
		moved += move_from_device(w, view, q);
	for (uint32_t slot = 0; slot < UPLINK_PORTS_MAX; slot++)
		if (is_live(&view->ports[slot]))
			moved += move_to_device(w, view, slot);
	return moved;
}

// Whether the switch and the device signal. Neither has a way to fail for queues that are there.
static void set_signals(const struct worker *w, const struct view *view, bool on)
{
	for (uint32_t slot = 0; slot < UPLINK_PORTS_MAX; slot++) {
		if (!is_live(&view->ports[slot]))
			continue;
		(void)(on ? rte_eth_dev_rx_intr_enable(view->ports[slot].id, 0)
			  : rte_eth_dev_rx_intr_disable(view->ports[slot].id, 0));
	}
	if (w->device->wake != DEVICE_WAKE_INTR)
		return;
	(void)(on ? rte_eth_dev_rx_intr_enable(w->device->id, 0)
		  : rte_eth_dev_rx_intr_disable(w->device->id, 0));
}

// A socket's error is told until it is asked for: the interface went down.
static void clear_error(const struct worker *w, int fd)
{
	int error;
	socklen_t size = sizeof(error);
	for (uint32_t i = 0; i < w->device->fd_count; i++)
		if (w->device->fds[i] == fd)
			(void
			)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size); // Cannot fail here.
}

static void wait_for_signal(struct worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec limit = {.tv_nsec = (long)w->timer_ns};
	bool timed = w->device->wake == DEVICE_WAKE_TIMER;
	int n = epoll_pwait2(w->epoll_fd, events, EVENTS_MAX, timed ? &limit : NULL, NULL);
	for (int i = 0; i < n; i++)
		if (events[i].events & EPOLLERR)
			clear_error(w, events[i].data.fd);
}

// One sleep, unless something came meanwhile. True: there is something to do.
static bool nap(struct worker *w, const struct view *view)
{
	set_signals(w, view, true);
	bool busy = turn(w, view) > 0; // What came before the signals were on.
	if (!busy && __atomic_load_n(&w->next, __ATOMIC_ACQUIRE) == view)
		wait_for_signal(w);
	set_signals(w, view, false);
	return busy;
}

// Ports that left are out of the set by themselves: their descriptors are closed after the worker let go of them, and
// nobody else has them but the switch, which does not wait on them.
static void use_view(struct worker *w, const struct view *view)
{
	const struct view *old = w->using;
	for (uint32_t slot = 0; slot < UPLINK_PORTS_MAX; slot++) {
		const struct view_port *was = &old->ports[slot];
		const struct view_port *is = &view->ports[slot];
		w->serving |= is_live(is);
		if (is_live(was) && is_live(is) && is->call_fd == was->call_fd)
			continue;
		if (was->port)
			move_forget(w, slot, was->port);
		// It is there; what cannot be watched, for want of memory, is seen when something else wakes us.
		if (is_live(was))
			(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, was->call_fd, NULL);
		if (is_live(is))
			(void)watch(w, is->call_fd);
	}
	__atomic_store_n(&w->using, view, __ATOMIC_RELEASE);
}

// After a sleep that found nothing: the next may be longer.
static void lengthen(struct worker *w, uint64_t *slept_ns)
{
	*slept_ns += w->timer_ns;
	if (*slept_ns > TIMER_LONG_NS && w->timer_ns < TIMER_LAST_NS)
		w->timer_ns *= 2;
}

int worker_main(void *arg)
{
	struct worker *w = arg;
	const struct timespec full_pause = {.tv_nsec = FULL_PAUSE_NS};
	const uint64_t quiet = rte_get_tsc_hz() / 1000000 * QUIET_US;
	uint64_t busy_at = rte_rdtsc();
	w->patience = rte_get_tsc_hz() / 1000 * FULL_MS;
	uint64_t slept_ns = 0;
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		const struct view *view = __atomic_load_n(&w->next, __ATOMIC_ACQUIRE);
		if (view != w->using)
			use_view(w, view);
		if (turn(w, view)) {
			busy_at = rte_rdtsc();
			w->timer_ns = TIMER_FIRST_NS;
			slept_ns = 0;
			continue;
		}
		if (move_is_waiting(w)) {
			// Nothing tells when a ring has room; whoever empties it may need this CPU.
			(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &full_pause, NULL);
			busy_at = rte_rdtsc();
			continue;
		}
		if (rte_rdtsc() - busy_at < quiet)
			continue;
		if (nap(w, view) || w->device->wake != DEVICE_WAKE_TIMER)
			busy_at = rte_rdtsc();
		else
			lengthen(w, &slept_ns);
	}
	return 0;
}

static void wake(const struct worker *w)
{
	(void)eventfd_write(w->wake_fd, 1); // Fails when it is signalled already.
}

void worker_set_view(struct worker *worker, const struct view *view)
{
	__atomic_store_n(&worker->next, view, __ATOMIC_RELEASE);
	wake(worker);
	while (__atomic_load_n(&worker->using, __ATOMIC_ACQUIRE) != view)
		(void)usleep(50); // A turn of the worker takes a few microseconds.
}

void worker_stop(struct worker *worker)
{
	__atomic_store_n(&worker->stop, true, __ATOMIC_RELEASE);
	wake(worker);
}
