// SPDX-License-Identifier: BSD-3-Clause
// The board's memory, and the handlers that note a fault on whatever thread it hits. What was to happen then happens
// still: the handler before ours, or the process' end.
#include "switch/board.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static struct board *board; // One a process: the handlers need it.
static struct sigaction before[FAULTS];
static _Thread_local int thread_number = BOARD_CONTROL;

// Only stores and system calls: async-signal-safe. A fault comes again when this returns, and then meets the handler that
// was there before; what was sent (kill(2), abort(3)) is sent once more.
static void on_fault(int signal_number, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	// What another process sent may come to any thread, so that thread is not to blame.
	if (info->si_code != SI_USER) {
		board->thread = thread_number;
		__atomic_store_n(&board->signal, (uint32_t)signal_number, __ATOMIC_RELEASE);
	}
	for (size_t i = 0; i < FAULTS; i++)
		if (faults[i] == signal_number)
			(void)sigaction(signal_number, &before[i], NULL); // Was valid when it came.
	if (info->si_code <= 0)
		(void)raise(signal_number); // Delivered when this handler returns.
	errno = saved_errno;
}

static int catch_faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	(void)sigemptyset(&action.sa_mask); // Cannot fail on a valid set.
	for (size_t i = 0; i < FAULTS; i++)
		if (sigaction(faults[i], &action, &before[i]))
			return -errno;
	return 0;
}

struct board *board_new(int *ret_fd, struct rwy_err *err)
{
	_cleanup_close_ int fd = memfd_create("board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *at = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(*board)) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0)
		at = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		(void)err_set(err, -errno, "cannot make the board: %s", strerror(errno));
		return NULL;
	}
	board = at;
	board->magic = BOARD_MAGIC;
	int r = catch_faults();
	if (r) {
		(void)munmap(at, sizeof(*board)); // Cannot fail for a mapping of ours.
		(void)err_set(err, r, "cannot catch faults: %s", strerror(-r));
		return NULL;
	}
	*ret_fd = fd_take(&fd);
	return board;
}

void board_thread(int thread)
{
	thread_number = thread;
}
