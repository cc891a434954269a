// SPDX-License-Identifier: BSD-3-Clause
// The spare's life: a second switch that has been started and has greeted, and sleeps until it is needed. Main thread, under
// the lock. A handover asks for one of another program through link->candidate.
#include "base/log.h"
#include "daemon/switchlink/internal.h"

#include <errno.h>

bool spare_is_wanted(const struct link *link)
{
	return link_is_ready(link) && (!link->config.no_spare || link->handing);
}

void spare_later(struct link *link, uint64_t delay_ms)
{
	// Cannot fail with a valid timer; 0 would stop it.
	(void)loop_set_timer(link->spare_timer, delay_ms ? delay_ms : 1, 0);
}

static void give_up(struct link *link, const struct rwy_err *err)
{
	if (!link->handing)
		return;
	link->spare_error = *err;
	pthread_cond_broadcast(&link->ready_cond);
}

static bool same_form(const struct peer *a, const struct peer *b)
{
	return a->hello.state_form == b->hello.state_form &&
		a->hello.state_size == b->hello.state_size;
}

void spare_greeted(struct link *link)
{
	struct peer *spare = link->spare;
	struct rwy_err err = {0};
	bool other = link_is_ready(link) && !same_form(spare, link->active);
	if (other && link->handing) {
		err_set(&err,
			-EINVAL,
			"it keeps what a port is in form %u, the running switch in form %u",
			spare->hello.state_form,
			link->active->hello.state_form);
		err_hint(
			&err,
			"stop ringwayd with SIGINT, which ends the switch, and start it: front ends have to connect again"
		);
		peer_kill(spare);
		spare->state = PEER_ENDING;
		give_up(link, &err);
		return;
	}
	if (other)
		log_warn(
			"the spare, %s, cannot take over ports of %s: if that ends, front ends have to connect again",
			spare->hello.program,
			link->active->hello.program
		);
	log_info("%s waits as process %u", spare->hello.program, spare->pid);
	link->spare_backoff_ms = 0;
	pthread_cond_broadcast(&link->ready_cond);
}

void spare_ended(struct link *link, bool asked, const char *how)
{
	struct rwy_err err = {0};
	if (asked) {
		spare_later(link, 0);
		return;
	}
	log_warn("the spare is gone: %s", how);
	err_set(&err, -EAGAIN, "the new switch did not become ready: %s", how);
	if (!link->spare_error.code)
		give_up(link, &err);
	supervise_back_off(&link->spare_backoff_ms);
	spare_later(link, link->spare_backoff_ms);
}

void spare_on_timer(void *arg)
{
	struct link *link = arg;
	struct rwy_err err = {0};
	pthread_mutex_lock(link->config.lock);
	struct peer *spare = link->spare;
	struct binary *program = link->candidate.fd >= 0 ? &link->candidate : &link->binary;
	if (!peer_is_free(spare) && spare->serial != program->serial) {
		spare->state = PEER_ENDING;
		peer_kill(spare); // Its end brings us back here.
	} else if (peer_is_free(spare) && spare_is_wanted(link) && !link->spare_error.code) {
		if (peer_start(spare, program, &err)) {
			log_err(&err, "no spare");
			give_up(link, &err);
			supervise_back_off(&link->spare_backoff_ms);
			spare_later(link, link->spare_backoff_ms);
		}
	}
	pthread_mutex_unlock(link->config.lock);
}
