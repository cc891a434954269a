// SPDX-License-Identifier: BSD-3-Clause
// How a switch ended, and in which port's service: from the kernel where it was our child, and from the board that it left
// behind (wire/board.h). Main thread.
#include "daemon/switchlink/internal.h"
#include "wire/board.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_fault(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
		signal == SIGABRT || signal == SIGSYS;
}

static uint32_t of_worker(const struct board_worker *worker)
{
	return worker->destination ? worker->destination : worker->source;
}

// Who a switch that was ended because it hung was busy with.
static uint32_t of_hung(const struct board *board)
{
	for (size_t i = 0; i < WIRE_WORKERS_MAX; i++)
		if (board->worker[i].hung && of_worker(&board->worker[i]))
			return of_worker(&board->worker[i]);
	return board->control;
}

// A signal that no handler could note (a system call that is not allowed): the thread is not known, so only who was certainly
// busy counts.
static uint32_t of_unnoted(const struct board *board)
{
	if (board->control)
		return board->control;
	for (size_t i = 0; i < WIRE_WORKERS_MAX; i++)
		if (board->worker[i].destination)
			return board->worker[i].destination;
	return 0;
}

static uint32_t of_noted(const struct board *board)
{
	if (board->thread < 0)
		return board->control;
	return board->thread < WIRE_WORKERS_MAX ? of_worker(&board->worker[board->thread]) : 0;
}

static bool read_board(const struct peer *peer, struct board *ret_board)
{
	struct board board;
	if (peer->board < 0 || pread(peer->board, &board, sizeof(board), 0) != sizeof(board) ||
	    board.magic != BOARD_MAGIC)
		return false;
	*ret_board = board;
	return true;
}

void blame_end(const struct peer *peer, struct link_end *ret_end, bool *ret_killed)
{
	struct board board = {0};
	siginfo_t info = {0};
	// -ECHILD: not our child, but that of an earlier ringwayd or of systemd.
	bool child =
		waitid(P_PIDFD, (id_t)peer->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid;
	bool has_board = read_board(peer, &board);
	int signal = child && info.si_code != CLD_EXITED ? info.si_status : (int)board.signal;
	char text[sizeof(ret_end->text)] = "";
	if (peer->hung)
		(void)snprintf(text, sizeof(text), ": it hung, and was killed");
	else if (child && info.si_code == CLD_EXITED)
		(void)snprintf(text, sizeof(text), ": exit status %d", info.si_status);
	else if (signal > 0 && signal < NSIG)
		(void)snprintf(text, sizeof(text), ": signal %d (%s)", signal, strsignal(signal));
	*ret_killed = !peer->hung && signal == SIGKILL;
	ret_end->blamed = 0;
	(void
	)snprintf(ret_end->text, sizeof(ret_end->text), "switch %u ended%.96s", peer->pid, text);
	if (!has_board)
		return;
	if (board.signal)
		ret_end->blamed = of_noted(&board);
	else if (peer->hung)
		ret_end->blamed = of_hung(&board);
	else if (is_fault(signal))
		ret_end->blamed = of_unnoted(&board);
}
