// SPDX-License-Identifier: BSD-3-Clause
// Sleep and wake-up of receive queues and of workers. A worker polls the queues in its `turns`; a queue that was quiet for
// a while is armed (its front end is asked to notify) and waits in the worker's epoll set; a worker without a queue to poll
// blocks there. docs/workers.md says why no wake-up is lost.
#pragma once

#include "switch/worker.h"

// The control thread's side. The worker learns the news right after its next quiescent state, and sees then what was
// published before them.

// The worker is in charge of a receive queue that it did not poll before, or not with this ring: poll it from now on.
void poll_post(struct worker *worker, const struct port *port, uint16_t pair);
// Queues of this port were taken away from the worker, or are published anew: look them up again. What it polled before is
// safe to free after the grace period that follows.
void poll_check(struct worker *worker, const struct port *port);
// Wakes the worker if it sleeps.
void poll_wake(struct worker *worker);
// Watches a queue's kick descriptor for the worker, from now on until poll_unwatch(). 0 or a negative errno: the queue cannot
// sleep then.
int poll_watch(struct worker *worker, const struct port *port, uint16_t pair, int fd);
void poll_unwatch(struct worker *worker, int fd);

// The worker's side.

// The control thread's news. Once a turn, right after a quiescent state.
void poll_refresh(struct worker *worker);
// Looks for kicks of sleeping queues without waiting, when it is time.
void poll_look(struct worker *worker);
// Blocks until a queue is kicked or the control thread calls. Off line to RCU meanwhile.
void poll_sleep(struct worker *worker);
// turn_ops' sleep: arms the queue. False: it has work.
bool poll_arm(struct worker *worker, struct turn_queue *queue, uint64_t now);
