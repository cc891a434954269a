// SPDX-License-Identifier: BSD-3-Clause
// Maps ports' state memories. Control thread.
#include "switch/portstate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static int check_file(int fd, struct rwy_err *err)
{
	struct stat stat;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &stat) == 0 &&
	    (uint64_t)stat.st_size == sizeof(struct port_state))
		return 0;
	return err_set(err, -EINVAL, "its state memory is none of this switch's");
}

// Written by a switch alone, but by one that may have gone wrong.
static int check_content(struct port_state *state, struct rwy_err *err)
{
	if (state->form != 0 && state->form != PORT_STATE_FORM)
		return err_set(
			err,
			-EINVAL,
			"its state memory has form 0x%x, this switch's have 0x%x",
			state->form,
			PORT_STATE_FORM
		);
	state->form = PORT_STATE_FORM;
	state->reason[sizeof(state->reason) - 1] = '\0';
	if (state->learned_count > FDB_LEARNED_PER_PORT)
		state->learned_count = 0;
	return 0;
}

int portstate_map(int fd, struct port_state **ret_state, struct rwy_err *err)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	int r = fd < 0 ? 0 : check_file(fd, err);
	if (r)
		return r;
	void *at =
		mmap(NULL, sizeof(**ret_state), PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0
		);
	if (at == MAP_FAILED)
		return err_set(err, -errno, "cannot map its state memory: %s", strerror(errno));
	r = check_content(at, err);
	if (r)
		portstate_unmap(at);
	else
		*ret_state = at;
	return r;
}

void portstate_unmap(struct port_state *state)
{
	if (state)
		(void)munmap(state, sizeof(*state)); // Cannot fail for a mapping of ours.
}

void portstate_note_quarantine(struct port_state *state, const char *reason)
{
	if (reason)
		(void
		)snprintf(state->reason, sizeof(state->reason), "%s", reason); // Cut if too long.
	__atomic_store_n(&state->quarantined, reason != NULL, __ATOMIC_RELEASE);
}

size_t portstate_used(const struct port_state *state)
{
	return offsetof(struct port_state, learned) +
		sizeof(state->learned[0]) * state->learned_count;
}
