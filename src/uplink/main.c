// SPDX-License-Identifier: BSD-3-Clause
// ringway-uplink: opens one device and moves its frames to and from the ports of the switch that ringwayd names. ringwayd
// starts it with a listening control socket.
#include "base/log.h"
#include "uplink/control.h"
#include "uplink/eal.h"
#include "uplink/privileges.h"
#include "uplink/sandbox.h"

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

const char *argp_program_version = "ringway-uplink " RINGWAY_VERSION;

#define MTU_DEFAULT 1500
#define MTU_MAX 65499

struct options {
	const char *device;
	int control_fd;
	uint32_t mtu;
	int core;
	enum log_level log_level;
};

enum {
	OPT_CORE = 'c',
	OPT_VERBOSE = 'v',
	OPT_DEVICE = 256,
	OPT_CONTROL_FD,
	OPT_MTU
};

static const struct argp_option option_table[] = {
	{"device",
	 OPT_DEVICE,
	 "DEVARGS",
	 0,
	 "DPDK's arguments of the device, such as net_af_packet0,iface=eth1",
	 0},
	{"control-fd", OPT_CONTROL_FD, "N", 0, "The listening control socket, a descriptor", 0},
	{"mtu", OPT_MTU, "BYTES", 0, "The largest MTU of its networks (default: 1500)", 0},
	{"core", OPT_CORE, "CPU", 0, "The CPU of the worker (default: any)", 0},
	{"verbose", OPT_VERBOSE, NULL, 0, "Log more", 0},
	{0},
};

// Ends the program where text is no number from 0 to max.
static int read_number(const char *name, const char *text, long max, const struct argp_state *state)
{
	char *end;
	long value = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || value > max)
		argp_error(state, "--%s takes 0 to %ld, not '%s'", name, max, text);
	return (int)value;
}

// NOLINTNEXTLINE(readability-non-const-parameter): argp's signature.
static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	switch (key) {
	case OPT_DEVICE:
		options->device = arg;
		return 0;
	case OPT_CONTROL_FD:
		options->control_fd = read_number("control-fd", arg, 1 << 20, state);
		return 0;
	case OPT_MTU:
		options->mtu = (uint32_t)read_number("mtu", arg, MTU_MAX, state);
		return 0;
	case OPT_CORE:
		options->core = read_number("core", arg, 1 << 16, state);
		return 0;
	case OPT_VERBOSE:
		options->log_level = LOG_LEVEL_DEBUG;
		return 0;
	case ARGP_KEY_END:
		if (!options->device || options->control_fd < 0)
			argp_error(
				state, "--device and --control-fd are needed; ringwayd gives them"
			);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.doc = "Ringway's uplink: one network device. ringwayd starts it; it is not meant to be run by hand.",
};

struct program {
	struct options options;
	struct device device;
	struct worker worker;
	struct control control;
	int signal_fd;
};

static void on_signal(void *arg, uint32_t events)
{
	loop_stop(arg);
}

// Before any thread exists, so that all inherit the mask.
static int watch_signals(struct program *p, struct rwy_err *err)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	// Neither can fail with these arguments. virtio-user writes to sockets that may be closed.
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	p->control.loop = loop_new();
	p->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!p->control.loop || p->signal_fd < 0 ||
	    !loop_add_fd(p->control.loop, p->signal_fd, EPOLLIN, on_signal, p->control.loop))
		return err_set(err, -errno, "cannot watch signals: %s", strerror(errno));
	return 0;
}

static int run_worker(void *arg)
{
	struct program *p = arg;
	return worker_main(&p->worker);
}

static int start(struct program *p, struct rwy_err *err)
{
	const struct options *o = &p->options;
	int r = watch_signals(p, err);
	if (!r)
		r = privileges_limit(o->device, err);
	if (!r)
		r = eal_start(
			device_is_pci(o->device), o->core, o->log_level == LOG_LEVEL_DEBUG, err
		);
	if (!r)
		r = device_open(o->device, o->mtu, &p->device, err);
	p->control.device = &p->device;
	p->control.worker = &p->worker;
	p->control.listen_fd = o->control_fd;
	if (!r)
		r = control_start(&p->control, err);
	if (!r)
		r = worker_init(&p->worker, &p->device, &p->control.views[0], err);
	if (!r)
		r = privileges_drop(o->device, err);
	if (!r)
		r = sandbox_filter(o->device, err);
	if (!r && rte_eal_remote_launch(run_worker, p, EAL_WORKER_LCORE))
		r = err_set(err, -EBUSY, "cannot start the worker");
	return r;
}

int main(int argc, char **argv)
{
	static struct program program; // Large.
	struct program *p = &program;
	struct rwy_err err = {0};

	p->options = (struct options
	){.control_fd = -1, .core = -1, .mtu = MTU_DEFAULT, .log_level = LOG_LEVEL_INFO};
	argp_err_exit_status = 2; // As getopt programs do.
	argp_parse(&argp, argc, argv, 0, NULL, &p->options);
	log_init("ringway-uplink", p->options.log_level);
	int r = start(p, &err);
	if (r) {
		log_err(&err, "cannot use device '%s'", p->options.device);
		control_report_failure(p->options.control_fd, &err);
		return 1;
	}
	log_info("ready: '%s' (%s), MTU %u", p->device.args, p->device.driver, p->device.mtu);
	r = loop_run(p->control.loop);
	if (r)
		log_error("the event loop failed: %s", strerror(-r));
	worker_stop(&p->worker);
	(void)rte_eal_wait_lcore(EAL_WORKER_LCORE); // Its result is always 0.
	control_stop(&p->control);
	device_close(&p->device);
	return r || p->control.gone ? 1 : 0;
}
