// SPDX-License-Identifier: BSD-3-Clause
// ringway-switch: reads its arguments, starts the EAL and the workers, locks itself in, and runs the control
// thread's loop. Started by ringwayd or by systemd with the listening control socket as descriptor 3.
#include "base/log.h"
#include "switch/board.h"
#include "switch/chores.h"
#include "switch/eal.h"
#include "switch/memhold.h"
#include "switch/poll.h"
#include "switch/sandbox.h"
#include "switch/switch.h"
#include "vhost/vhost.h"

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define LISTEN_FD 3 // sd_listen_fds(3): SD_LISTEN_FDS_START.
// As long as a wake-up costs in all: the front end's system call, the sleeping CPU's way back, both threads' caches. Polling
// for that long before sleeping costs twice the best possible at most, whatever the traffic.
#define QUIET_US_DEFAULT 100
#define QUIET_US_MAX 1000000

const char *argp_program_version = "ringway-switch " RINGWAY_VERSION;

struct options {
	const char *cores;
	bool poll_always;
	uint32_t quiet_us;
	bool no_sandbox;
	bool spare;
	enum log_level log_level;
};

enum {
	OPT_CORES = 'c',
	OPT_VERBOSE = 'v',
	OPT_NO_SANDBOX = 256,
	OPT_POLL,
	OPT_QUIET,
	OPT_SPARE
};

static const struct argp_option option_table[] = {
	{"cores",
	 OPT_CORES,
	 "LIST",
	 0,
	 "CPUs of the workers, such as 2-3 or 1,3-5 (default: the last one allowed)",
	 0},
	{"poll",
	 OPT_POLL,
	 "MODE",
	 0,
	 "always: workers never sleep while a queue is live; adaptive (default): quiet queues sleep",
	 0},
	{"quiet",
	 OPT_QUIET,
	 "USEC",
	 0,
	 "How long a queue is quiet before it sleeps (default: 100)",
	 0},
	{"spare",
	 OPT_SPARE,
	 NULL,
	 0,
	 "Descriptor 3 is ringwayd's connection; wait for its word to start, and end with it before that",
	 0},
	{"verbose", OPT_VERBOSE, NULL, 0, "Log more", 0},
	{"no-sandbox",
	 OPT_NO_SANDBOX,
	 NULL,
	 0,
	 "Keep the host's files and all system calls (sanitizers need this)",
	 0},
	{0},
};

static error_t set_poll(struct options *options, const char *text, struct argp_state *state)
{
	if (strcmp(text, "always") != 0 && strcmp(text, "adaptive") != 0) {
		argp_error(
			state, "--poll is always or adaptive, not '%s'", text
		); // Ends the program.
		return EINVAL;
	}
	options->poll_always = strcmp(text, "always") == 0;
	return 0;
}

static error_t set_quiet(struct options *options, const char *text, struct argp_state *state)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || value > QUIET_US_MAX) {
		argp_error(
			state,
			"--quiet takes 0 to %d microseconds, not '%s'",
			QUIET_US_MAX,
			text
		); // Ends the program.
		return EINVAL;
	}
	options->quiet_us = (uint32_t)value;
	return 0;
}

// NOLINTNEXTLINE(readability-non-const-parameter): argp's signature.
static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	switch (key) {
	case OPT_CORES:
		options->cores = arg;
		return 0;
	case OPT_VERBOSE:
		options->log_level = LOG_LEVEL_DEBUG;
		return 0;
	case OPT_POLL:
		return set_poll(options, arg, state);
	case OPT_QUIET:
		return set_quiet(options, arg, state);
	case OPT_SPARE:
		options->spare = true;
		return 0;
	case OPT_NO_SANDBOX:
		options->no_sandbox = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.doc = "Ringway's switch. ringwayd starts it; it is not meant to be run by hand.",
};

// The socket comes as sd_listen_fds(3) describes; nothing else is inherited.
static int inherited_socket(struct rwy_err *err)
{
	const char *count = getenv("LISTEN_FDS");
	const char *pid = getenv("LISTEN_PID");

	if (!count || strcmp(count, "1") != 0 || !pid || strtol(pid, NULL, 10) != getpid()) {
		(void)err_set(err, -EINVAL, "no control socket was handed over");
		return err_hint(err, "start ringwayd, which starts the switch");
	}
	return LISTEN_FD;
}

static int make_workers(
	struct switch_state *sw,
	const struct options *options,
	const struct eal_cores *cores,
	struct rwy_err *err
)
{
	struct worker_config config = {
		.guarded = cores->count > 1,
		.quiet_cycles = options->poll_always ? UINT64_MAX
						     : sw->tsc_hz / 1000000 * options->quiet_us,
		.tsc_hz = sw->tsc_hz,
		.start_tsc = sw->start_tsc,
		.ports = &sw->table,
		.fdb = sw->fdb,
		.stations = sw->stations,
		.qsbr = sw->qsbr,
	};

	sw->fault_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sw->fault_fd < 0)
		return err_set(err, -errno, "cannot make an eventfd: %s", strerror(errno));
	config.fault_fd = sw->fault_fd;
	for (uint32_t i = 0; i < cores->count; i++) {
		config.index = i;
		config.core = cores->cpu[i];
		config.board = &sw->board->worker[i];
		sw->workers[i] = worker_new(&config, err);
		if (!sw->workers[i])
			return -errno;
		sw->worker_count++;
	}
	return 0;
}

static int make_tables(struct switch_state *sw, struct rwy_err *err)
{
	size_t size = rte_rcu_qsbr_get_memsize(WIRE_WORKERS_MAX);
	sw->qsbr = rte_zmalloc("qsbr", size, RTE_CACHE_LINE_SIZE);
	if (!sw->qsbr || rte_rcu_qsbr_init(sw->qsbr, WIRE_WORKERS_MAX))
		return err_set(err, -ENOMEM, "cannot make the RCU state: out of memory");
	sw->tsc_hz = rte_get_tsc_hz();
	sw->start_tsc = sw->balanced_tsc = rte_rdtsc();
	sw->fdb = fdb_new(sw->qsbr, err);
	if (!sw->fdb)
		return -ENOMEM;
	sw->stations = stations_new(sw->qsbr, sw->fdb);
	if (!sw->stations)
		return err_set(err, -ENOMEM, "cannot make the table of stations: out of memory");
	return 0;
}

static void on_signal(void *arg, uint32_t events)
{
	struct switch_state *sw = arg;
	loop_stop(sw->loop);
}

static int watch_signals(struct switch_state *sw, const sigset_t *signals, struct rwy_err *err)
{
	int fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || !loop_add_fd(sw->loop, fd, EPOLLIN, on_signal, sw))
		return err_set(err, -errno, "cannot watch signals: %s", strerror(errno));
	return 0;
}

static uint64_t boottime_ns(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_BOOTTIME, &now); // Cannot fail for this clock.
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int start(struct switch_state *sw, const struct options *options, struct rwy_err *err)
{
	struct eal_cores cores = {0};
	sigset_t signals;

	// Before any thread exists, so that all inherit the mask and signals come by descriptor.
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL); // Cannot fail with these arguments.
	sw->fds_limit = sandbox_raise_limits();
	int r = sandbox_enter(!options->no_sandbox, err);
	if (r)
		return r;
	sw->start_ns = boottime_ns();
	sw->spare = options->spare;
	int socket = inherited_socket(err);
	if (socket < 0)
		return socket;
	sw->board = board_new(&sw->board_fd, err);
	r = sw->board ? eal_parse_cores(options->cores, &cores, err) : -ENOMEM; // err says more.
	if (r == 0)
		r = eal_start(&cores, err);
	if (r == 0)
		r = make_tables(sw, err);
	if (r == 0)
		r = make_workers(sw, options, &cores, err);
	if (r)
		return r;
	sw->loop = loop_new();
	if (!sw->loop)
		return err_set(err, -errno, "cannot make the event loop: %s", strerror(errno));
	r = vhost_guard_memory();
	if (r)
		return err_set(err, r, "cannot guard guest memory: %s", strerror(-r));
	r = watch_signals(sw, &signals, err);
	if (r == 0)
		r = chores_init(sw, err);
	if (r == 0)
		r = control_start(sw, socket, err);
	return r;
}

static int lock_in(struct switch_state *sw, const struct options *options, struct rwy_err *err)
{
	for (uint32_t i = 0; i < sw->worker_count; i++)
		if (rte_eal_remote_launch(worker_main, sw->workers[i], EAL_WORKER_LCORE + i))
			return err_set(err, -EBUSY, "cannot start worker %u", i);
	int r = watchdog_start(&sw->watchdog, sw->workers, sw->worker_count, err);
	if (r)
		return r;
	// jansson reads /dev/urandom for its hash tables at first use, which the filter forbids.
	json_object_seed(0);
	struct rwy_err why = {0};
	if (memhold_start(&why))
		log_warn("%s: another switch takes over later than it could", why.msg);
	return options->no_sandbox ? 0 : sandbox_lock(err);
}

// In the order that lets nothing look at what is gone: ports, then the workers.
static void stop(struct switch_state *sw)
{
	control_stop(sw);
	// The ports' memories are another switch's after a release, so nothing of them is touched.
	while (sw->ports && sw->running)
		(void)table_remove_port(sw, sw->ports->spec.port, NULL); // It exists.
	for (uint32_t i = 0; i < sw->worker_count; i++) {
		__atomic_store_n(&sw->workers[i]->stop, true, __ATOMIC_RELEASE);
		poll_wake(sw->workers[i]); // It sleeps: it has no queue.
		(void)rte_eal_wait_lcore(EAL_WORKER_LCORE + i);
	}
	watchdog_stop(&sw->watchdog);
	while (sw->networks && sw->running)
		(void)table_remove_network(sw, sw->networks->spec.network, NULL); // It has no port.
	loop_free(sw->loop);
}

int main(int argc, char **argv)
{
	static struct switch_state sw; // Large.
	struct options options = {
		.cores = "", .quiet_us = QUIET_US_DEFAULT, .log_level = LOG_LEVEL_INFO};
	struct rwy_err err = {0};

	argp_err_exit_status = 2; // As getopt programs do.
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	log_init("ringway-switch", options.log_level);
	int r = start(&sw, &options, &err);
	if (r == 0)
		r = lock_in(&sw, &options, &err);
	if (r) {
		log_err(&err, "cannot start");
		return 1;
	}
	for (uint32_t i = 0; i < sw.worker_count; i++)
		log_info(
			"ready: worker on CPU %u%s",
			sw.workers[i]->core,
			sw.workers[i]->batch ? "" : ", which writes to TAPs without io_uring"
		);
	r = loop_run(sw.loop);
	if (r)
		log_error("the event loop failed: %s", strerror(-r));
	stop(&sw);
	return r ? 1 : 0;
}
