// SPDX-License-Identifier: BSD-3-Clause
// A planned handover: the new switch is ready and told everything before the old one lets go. The thread of whoever asks for
// it, never the main one, which starts the new switch meanwhile; under the lock.
//
//   spare ready -> freeze old -> prepare new -> release old -> start new -> stop old
//
// Until the release whatever fails leaves the old one going on. A switch that does not answer is ended: the main thread goes on
// from there as after a crash. Once the new one was asked to start, the old one never goes on.
#include "base/log.h"
#include "daemon/switchlink/internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static int no_switch(struct rwy_err *err)
{
	err_set(err, -EAGAIN, "no switch runs now");
	return err_hint(err, "it is being started; try again in a moment, or read ringwayd's log");
}

// The program that the new switch is to be of: path, or what is now where the running one's is. Sets link->candidate unless
// that is what the spare is started from anyway.
static int choose_binary(struct link *link, const char *path, struct rwy_err *err)
{
	struct binary program = {.fd = -1};
	const char *wanted = path ? path : link->binary.path;
	int r = binary_open(link, wanted, path != NULL, &program, err);
	if (r)
		return path ? r : 0; // The running one's file is still open.
	if (program.device == link->binary.device && program.inode == link->binary.inode)
		binary_close(&program);
	else
		link->candidate = program;
	return 0;
}

// The spare that is wanted is there, the switch runs, and there is room to leave it behind.
static bool can_begin(const struct link *link)
{
	uint32_t serial = link->candidate.fd >= 0 ? link->candidate.serial : link->binary.serial;
	return link->spare->state == PEER_READY && link->spare->serial == serial &&
		link_is_ready(link) && peer_is_free(link->old);
}

// Waits until the main thread has the spare that is wanted.
static int await_spare(struct link *link, struct rwy_err *err)
{
	struct timespec until = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &until); // Cannot fail for this clock.
	until.tv_sec += LINK_SPARE_MS / 1000;
	spare_later(link, 0);
	while (!link->spare_error.code && !can_begin(link))
		if (pthread_cond_timedwait(&link->ready_cond, link->config.lock, &until))
			return err_set(
				err,
				-EAGAIN,
				"the new switch did not become ready in %d s",
				LINK_SPARE_MS / 1000
			);
	if (link->spare_error.code && err)
		*err = link->spare_error;
	return link->spare_error.code;
}

// The old one does not answer: the main thread sees its end, and runs the spare.
static int end_old(struct link *link, const char *what, struct rwy_err *err)
{
	log_error(
		"switch %u does not answer a request to %s: it is ended", link->active->pid, what
	);
	link->active->hung = true;
	peer_kill(link->active);
	return err_set(err, -EAGAIN, "the old switch did not answer, and was ended");
}

static int freeze(struct link *link, struct rwy_err *err)
{
	int r = link_ask(link, link->active, link_msg(link, WIRE_FREEZE), err);
	return r == -EAGAIN ? end_old(link, "freeze", err) : r;
}

// The old one goes on as if nothing had been.
static void thaw(struct link *link)
{
	struct rwy_err err = {0};
	if (link_ask(link, link->active, link_msg(link, WIRE_START), &err) == 0)
		return;
	log_err(&err, "switch %u does not go on: it is ended", link->active->pid);
	peer_kill(link->active);
}

static void end_spare(struct link *link)
{
	link->spare->state = PEER_ENDING;
	peer_kill(link->spare);
}

static int prepare(struct link *link, struct rwy_err *err)
{
	link->target = link->spare;
	int r = link->config.ops->prepare(link->config.arg, err);
	if (!r)
		r = supervise_listen(link, err);
	link->target = link->active;
	link->spare->prepared = !r;
	if (!r)
		return 0;
	link_ground(link);
	end_spare(link);
	thaw(link);
	return r;
}

static int run_new(struct link *link, struct rwy_err *err)
{
	int r = supervise_run(link, link->spare, err);
	if (!r)
		return 0;
	// It may have begun, so the old one cannot go on: both end, and what the new one noted counts.
	log_error("switch %u does not start: both are ended", link->spare->pid);
	link->target = link->spare;
	end_spare(link);
	peer_await_end(link->spare, 0);
	peer_drain(link->spare);
	link->target = link->active;
	peer_kill(link->active);
	return r;
}

// The new one runs. The old one is left to end by itself.
static void retire_old(struct link *link)
{
	struct peer *old = link->active;
	struct peer *free = link->old;
	(void)link_post(old, link_msg(link, WIRE_STOP)); // Or it is made to, in a while.
	old->state = PEER_ENDING;
	old->misses = 0;
	link->active = link->target = link->spare;
	link->old = old;
	link->spare = free;
	if (link->candidate.fd >= 0) {
		binary_close(&link->binary);
		link->binary = link->candidate;
		link->candidate.fd = -1;
	}
}

static int hand_over(struct link *link, struct link_handover *ret, struct rwy_err *err)
{
	int r = freeze(link, err);
	if (!r)
		r = prepare(link, err);
	if (r)
		return r;
	uint64_t released_us = link_now_us();
	if (link_ask(link, link->active, link_msg(link, WIRE_RELEASE), err))
		return end_old(link, "let go", err);
	r = run_new(link, err);
	if (r)
		return r;
	link->last_gap_us = link_now_us() - released_us;
	link->handovers++;
	retire_old(link);
	log_info(
		"%s has taken over as process %u: %llu us without frames",
		link->active->hello.program,
		link->active->pid,
		(unsigned long long)link->last_gap_us
	);
	*ret = (struct link_handover){.gap_us = link->last_gap_us, .pid = link->active->pid};
	return 0;
}

int link_handover(
	struct link *link,
	const char *path,
	struct link_handover *ret,
	struct rwy_err *err
)
{
	if (link->handing)
		return err_set(err, -EBUSY, "another handover is under way");
	if (!link_is_ready(link))
		return no_switch(err);
	int r = choose_binary(link, path, err);
	if (r)
		return r;
	link->handing = true;
	link->spare_error = (struct rwy_err){0};
	r = await_spare(link, err);
	if (!r)
		r = hand_over(link, ret, err);
	link->handing = false;
	link->spare_error = (struct rwy_err){0};
	binary_close(&link->candidate);
	link->doubt = true; // States may have changed meanwhile.
	spare_later(link, 0);
	return r;
}
