// SPDX-License-Identifier: BSD-3-Clause
// ringwayd: puts the parts together, runs the main loop, and takes them apart in the reverse
// order. Main thread; the HTTP servers and the Docker side have their own.
#include "base/log.h"
#include "base/loop.h"
#include "daemon/api/api.h"
#include "daemon/core/daemon.h"
#include "daemon/docker/docker.h"
#include "daemon/functions/functions.h"
#include "daemon/http/server.h"
#include "daemon/model/cores.h"
#include "daemon/options.h"
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

struct program {
	struct options options;
	char run_dir[PATH_MAX];
	char api_path[PATH_MAX];
	char plugin_path[PATH_MAX];
	struct loop *loop;
	struct daemon *daemon;
	struct docker *docker;
	struct api api;
	struct http_server *server;
	int signal_fd;
	bool end_switch;
};

static void on_signal(void *arg, uint32_t events)
{
	struct program *p = arg;
	struct signalfd_siginfo info;
	if (read(p->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	// SIGINT is a person at a terminal, who expects everything to end.
	p->end_switch = info.ssi_signo == SIGINT;
	log_info("ends on %s", p->end_switch ? "SIGINT, with its switch" : "SIGTERM");
	loop_stop(p->loop);
}

static int watch_signals(struct program *p, struct rwy_err *err)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	// Neither can fail with these arguments; threads inherit the mask.
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signal_fd < 0 || !loop_add_fd(p->loop, p->signal_fd, EPOLLIN, on_signal, p))
		return err_set(err, -errno, "cannot watch signals: %s", strerror(errno));
	return 0;
}

static void on_watchdog(void *arg)
{
	(void)sd_notify(0, "WATCHDOG=1"); // Nobody else to tell.
}

static int watch_watchdog(struct program *p, struct rwy_err *err)
{
	uint64_t usec = 0;
	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	uint64_t half_ms = usec / 2000 ? usec / 2000 : 1;
	if (!loop_add_timer(p->loop, half_ms, half_ms, on_watchdog, NULL))
		return err_set(err, -errno, "cannot watch for systemd: %s", strerror(errno));
	return 0;
}

static int find_run_dir(struct program *p, struct rwy_err *err)
{
	if (mkdir(p->options.run_dir, 0755) && errno != EEXIST)
		return err_set(
			err,
			-errno,
			"cannot make the run directory '%s': %s",
			p->options.run_dir,
			strerror(errno)
		);
	// Sockets are named by this path, also by a later ringwayd with another working directory.
	if (realpath(p->options.run_dir, p->run_dir))
		return 0;
	return err_set(
		err,
		-errno,
		"cannot use the run directory '%s': %s",
		p->options.run_dir,
		strerror(errno)
	);
}

static int find_group(const char *name)
{
	const struct group *group = getgrnam(name);
	if (group)
		return (int)group->gr_gid;
	log_warn("there is no group '%s': only root may use the API", name);
	return -1;
}

static int start_docker(struct program *p, struct rwy_err *err)
{
	const struct docker_config config = {
		.name = p->options.docker_name,
		.plugin_socket = p->plugin_path,
		.engine_socket = p->options.engine_socket,
	};
	if (p->options.no_docker)
		return 0;
	int size = snprintf(
		p->plugin_path,
		sizeof(p->plugin_path),
		"/run/docker/plugins/%s.sock",
		p->options.docker_name
	);
	if (size < 0 || (size_t)size >= sizeof(p->plugin_path))
		return err_set(err, -ENAMETOOLONG, "the driver's name is too long");
	return docker_start(p->daemon, &config, &p->docker, err);
}

static void add_docker(struct program *p, struct http_table *tables, size_t *count)
{
	if (!p->docker) {
		tables[(*count)++] = api_no_docker_routes();
		return;
	}
	p->api.engine = (struct api_engine){
		.docker = p->docker,
		.network_create = docker_network_create,
		.network_remove = docker_network_remove,
		.describe = docker_engine_state,
	};
	tables[(*count)++] = docker_api_routes(p->docker);
}

static int start_api(struct program *p, struct rwy_err *err)
{
	struct http_table tables[2];
	size_t count = 0;
	int size = snprintf(p->api_path, sizeof(p->api_path), "%s/api.sock", p->run_dir);
	if (size < 0 || (size_t)size >= sizeof(p->api_path))
		return err_set(err, -ENAMETOOLONG, "the run directory's name is too long");
	int fd = http_listen(p->api_path, 0660, find_group(p->options.group), err);
	if (fd < 0)
		return fd;
	p->api.daemon = p->daemon;
	tables[count++] = api_routes(&p->api);
	add_docker(p, tables, &count);
	struct http_config config = {.listen_fd = fd, .tables = tables, .table_count = count};
	return http_server_start(&config, &p->server, err);
}

static int start_daemon(struct program *p, struct rwy_err *err)
{
	const struct options *o = &p->options;
	struct daemon_config config = {
		.run_dir = p->run_dir,
		.state_dir = o->state_dir,
		.preload = o->preload,
		.uplink_binary = o->uplink_binary,
		.workers = o->switch_cores ? (uint32_t)cores_count(o->switch_cores, NULL) : 1,
		.no_kernel_ports = o->no_kernel_ports,
		.no_spare = o->no_spare,
		.spawn =
			{.binary = o->switch_binary,
			 .cores = o->switch_cores,
			 .poll = o->switch_poll,
			 .quiet = o->switch_quiet,
			 .user = o->switch_user},
		.loop = p->loop,
	};
	return daemon_start(&config, &p->daemon, err);
}

// Every port has a few descriptors, and each of its rings three: the usual soft limit is for programs that use select(2).
static void raise_fd_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warn("cannot raise the limit of descriptors: %s", strerror(errno));
}

static int start(struct program *p, struct rwy_err *err)
{
	if (geteuid() != 0) {
		err_set(err, -EPERM, "it needs root's rights for sockets and namespaces");
		return err_hint(err, "run it as root");
	}
	(void)umask(022); // Modes are set where it matters.
	raise_fd_limit();
	p->loop = loop_new();
	if (!p->loop)
		return err_set(err, -errno, "cannot make the event loop: %s", strerror(errno));
	int r = watch_signals(p, err);
	if (!r)
		r = watch_watchdog(p, err);
	if (!r)
		r = find_run_dir(p, err);
	if (!r) {
		functions_load_vfio("/sys"); // Afterwards it may load nothing.
		r = privileges_drop(err);
	}
	if (!r)
		r = start_daemon(p, err);
	if (!r)
		r = start_docker(p, err);
	return r ? r : start_api(p, err);
}

static void stop(struct program *p)
{
	// No new request first, then those who make requests of their own, then what they use.
	http_server_stop(p->server);
	if (p->server)
		(void)unlink(p->api_path); // May be gone.
	docker_stop(p->docker);
	daemon_stop(p->daemon, p->end_switch);
	loop_free(p->loop);
	if (p->signal_fd >= 0)
		(void)close(p->signal_fd); // Nothing to do about a failing close here.
}

int main(int argc, char **argv)
{
	static struct program program = {.signal_fd = -1};
	struct program *p = &program;
	struct rwy_err err = {0};

	options_parse(argc, argv, &p->options);
	log_init("ringwayd", p->options.log_level);
	int r = start(p, &err);
	if (r) {
		log_err(&err, "cannot start");
		stop(p);
		return EXIT_FAILURE;
	}
	log_info("ringwayd " RINGWAY_VERSION " serves '%s'", p->api_path);
	(void)sd_notify(0, "READY=1"); // Without systemd there is nobody to tell.
	r = loop_run(p->loop);
	(void)sd_notify(0, "STOPPING=1");
	if (r)
		log_error("the main loop ended: %s", strerror(-r));
	stop(p);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
