// SPDX-License-Identifier: BSD-3-Clause
// What the files of switchlink/ share: link.c (requests), connect.c (sockets), peer.c (one process and its connection),
// supervise.c (the switch's life), spare.c (the spare's), handover.c (from one to the other, planned), binary.c (what they
// are started from), blame.c (how they ended). Under the lock of the config.
#pragma once

#include "daemon/switchlink/link.h"

#include <limits.h>
#include <signal.h>

#define LINK_REQUEST_MS 2000
#define LINK_BEAT_MS 250
#define LINK_MISSES_MAX 4      // Heartbeats without a sign of life.
#define LINK_GREETING_TICKS 40 // Heartbeats until a switch that does not greet is given up.
#define LINK_ENDING_TICKS 8    // Until one that was asked to end is made to.
#define LINK_BACKOFF_FIRST_MS 100
#define LINK_BACKOFF_LAST_MS 5000
// A switch that lives shorter makes the next one wait; one that somebody killed, much shorter.
#define LINK_QUICK_MS 1000
#define LINK_QUICK_KILLED_MS 50
#define LINK_SPARE_MS 20000 // How long a handover waits for its new switch.
// Requests without an answer at a time: their answers fit into a socket's buffer, so that a switch never waits for us to read
// while we wait for it to read.
#define LINK_FLIGHT_MAX 64
#define LINK_PEERS 3

// What switches are started from.
struct binary {
	char path[PATH_MAX];
	int fd; // -1: opened when it is needed first.
	uint64_t device, inode;
	uint32_t serial; // 1, 2, .. in order of opening.
};

enum peer_state {
	PEER_NONE,     // No connection.
	PEER_GREETING, // Connected, hello sent.
	PEER_READY,
	PEER_ENDING, // It was asked to end, or made to; what it says is no longer of interest.
	PEER_STATE_COUNT
};

// A switch's process, as far as we know it, and the connection with it.
struct peer {
	struct link *link;
	enum peer_state state;
	int sock;
	struct loop_source *sock_source;
	int pidfd; // -1: not known yet.
	struct loop_source *pidfd_source;
	int board; // wire/board.h; -1: it has none.
	uint32_t pid;
	uint32_t serial; // Of the program it was started from; 0: somebody else started it.
	struct wire_hello hello;
	bool started;	   // Told to, since it greeted, or before.
	bool prepared;	   // Has been told everything.
	bool hung;	   // Ended by us, because it showed no sign of life.
	uint64_t since_ms; // It was started, or found.
	bool ran;	   // It was told to begin, and did.
	// Heartbeat: whether the last beat's ping came back with progress, and how many did not.
	bool alive;
	uint64_t turns;
	uint32_t misses;
};

struct flight {
	uint32_t id; // 0: free.
	uint32_t ref;
	link_answer *answer;
	void *arg;
};

struct link {
	struct link_config config;
	char spare_path
		[PATH_MAX]; // Where a switch listens that took over from one whose socket is not ours.
	struct peer peers[LINK_PEERS];
	struct peer *active; // The one that moves frames, or is to.
	struct peer *spare;
	struct peer *old;    // Asked to end, after a handover.
	struct peer *target; // Requests go to.
	int listen_fd; // The control socket for the next switch; -1: not ours, so that somebody else's may be there.
	bool found; // The active one was started by somebody else.
	struct loop_source *beat;
	struct loop_source *retry;
	struct loop_source *spare_timer;
	pthread_cond_t ready_cond;
	uint64_t backoff_ms;
	uint64_t spare_backoff_ms;
	uint32_t next_id;
	struct flight flights[LINK_FLIGHT_MAX];
	uint32_t flying;
	bool doubt;
	bool handing;		    // A handover waits or goes on.
	struct binary binary;	    // What switches are started from.
	struct binary candidate;    // A handover wants a spare of it; fd -1: none does.
	struct rwy_err spare_error; // Why there is no spare, while a handover waits for one.
	uint32_t serials;
	uint32_t ends; // Switches that ended unasked since the last one was ready.
	uint32_t restarts, handovers;
	uint64_t down_us, last_gap_us;
	struct wire_msg request;  // link_msg().
	struct wire_msg incoming; // What comes while nobody waits for it.
};

uint64_t link_now_ms(void);
uint64_t link_now_us(void);

// link.c
// Handles a message that no request waits for: event, pong, answer of link_queue(), late reply.
void link_dispatch(struct peer *peer, struct wire_msg *msg);
// Sends a request without waiting. 0 or a negative errno.
int link_post(struct peer *peer, struct wire_msg *msg);
// link_request() with a peer of one's choice.
int link_ask(struct link *link, struct peer *peer, struct wire_msg *msg, struct rwy_err *err);
// Forgets whatever is unanswered.
void link_ground(struct link *link);

// connect.c
// Connects to the socket's path with credentials on. The socket or a negative errno.
int link_connect(const char *path);
// A pair of sockets: ours, as link_connect()'s, and the switch's.
int link_pair(int ret_socks[2]);
// Binds and listens on it, replacing a dead one. The socket or a negative errno.
int link_listen(const char *path, struct rwy_err *err);
// The pid of the process that sent the message waiting on sock, from the kernel; 0: not known.
uint32_t link_peer_pid(int sock);
// Whether any process listens on path.
bool link_is_listened(const char *path);

// peer.c. Main thread, but for those that close nothing: peer_kill(), peer_drain(), peer_await_end().
void peer_init(struct peer *peer, struct link *link);
// Closes and forgets everything of it.
void peer_reset(struct peer *peer);
bool peer_is_free(const struct peer *peer);
// Takes sock, and says hello.
int peer_greet(struct peer *peer, int sock);
int peer_watch(struct peer *peer, uint32_t pid);
void peer_kill(const struct peer *peer);
// Ends the connection, not the process.
void peer_hang_up(struct peer *peer);
// Handles everything that it sent before it ended.
void peer_drain(struct peer *peer);
// Waits for the end of its process, and makes sure; 0: at once.
void peer_await_end(struct peer *peer, int patience_ms);
// Starts a process of program, and greets it.
int peer_start(struct peer *peer, struct binary *program, struct rwy_err *err);

// supervise.c
void supervise_greeted(struct peer *peer);	// Its hello is good.
void supervise_hung_up(struct peer *peer);	// Its connection ended.
void supervise_ended(struct peer *peer);	// Its process ended.
void supervise_back_off(uint64_t *io_delay_ms); // The next delay.
// Makes the prepared, or yet unprepared, peer the one that runs. 0 or a negative errno.
int supervise_run(struct link *link, struct peer *peer, struct rwy_err *err);
// What the next switch is to listen on: sets listen_fd.
int supervise_listen(struct link *link, struct rwy_err *err);

// spare.c. Main thread.
bool spare_is_wanted(const struct link *link);
void spare_later(struct link *link, uint64_t delay_ms); // Any thread.
void spare_on_timer(void *arg);
void spare_greeted(struct link *link);
void spare_ended(struct link *link, bool asked, const char *how);

// binary.c
// Opens the program at path once, for all that are started from it. `check`: -EINVAL unless it is an absolute path to an
// executable of root's that nobody else can write to. Errors are one line each.
int binary_open(
	struct link *link,
	const char *path,
	bool check,
	struct binary *ret_binary,
	struct rwy_err *err
);
void binary_close(struct binary *program);
// Until something else is asked for, the next switches are what the one that was found is, whatever its path has by now.
void binary_of_process(struct link *link, uint32_t pid);

// blame.c
// How peer's process ended; waits for nothing. Before peer is reset.
void blame_end(const struct peer *peer, struct link_end *ret_end, bool *ret_killed);
