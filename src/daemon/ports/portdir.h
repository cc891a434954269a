// SPDX-License-Identifier: BSD-3-Clause
// RUN_DIR and its ports: RUN_DIR (0755) / ports (0700, so that nobody on the host reaches a port
// that is not mounted into his container) / PLACE (0755) / NAME.sock (0666). One thread at a
// time.
#pragma once

#include "base/err.h"
#include "daemon/service.h"

#include <stdbool.h>

struct portdir {
	char run_dir[PATH_TEXT_SIZE];
	int run_fd; // Locked: one ringwayd a run dir.
	int ports_fd;
};

// Makes the directories as needed. -EBUSY: another ringwayd has run_dir. -ENAMETOOLONG: no socket
// would fit in it. ret_portdir is finished by portdir_fini() in every case.
int portdir_init(const char *run_dir, struct portdir *ret_portdir, struct rwy_err *err);
// Lets go; files stay.
void portdir_fini(struct portdir *portdir);

// PLACE/NAME.sock as a path. -ENAMETOOLONG: longer than a socket's may be.
int portdir_path(
	const struct portdir *portdir,
	const char *place,
	const char *name,
	char ret_path[PATH_TEXT_SIZE],
	struct rwy_err *err
);

// Makes PLACE; one that is there is used.
int portdir_make_place(const struct portdir *portdir, const char *place, struct rwy_err *err);
// Removes PLACE and the files in it. Nothing happens when it is not there.
void portdir_remove_place(const struct portdir *portdir, const char *place);

// Listens on PLACE/NAME.sock, which replaces a dead one. The non-blocking descriptor or a
// negative errno.
int portdir_listen(
	const struct portdir *portdir,
	const char *place,
	const char *name,
	struct rwy_err *err
);
// Whether the socket at PLACE/NAME.sock is this one: not gone, and not another of the same name.
bool portdir_is_socket(
	const struct portdir *portdir,
	const char *place,
	const char *name,
	int listener
);
void portdir_remove_socket(const struct portdir *portdir, const char *place, const char *name);

// Calls keep for each place; those it answers false for are removed.
void portdir_sweep(
	const struct portdir *portdir,
	bool (*keep)(void *arg, const char *place),
	void *arg
);
// Makes ports/ anew where it was removed.
int portdir_renew(struct portdir *portdir, struct rwy_err *err);
// Whether the run directory is still at its path.
bool portdir_is_there(const struct portdir *portdir);
// Removes ports/ when it is empty.
void portdir_remove(const struct portdir *portdir);
