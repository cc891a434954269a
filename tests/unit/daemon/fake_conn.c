// SPDX-License-Identifier: BSD-3-Clause
// The fake switch's front ends. One byte is one message:
//
//   p  answered P                          k  + descriptor: noted with ringwayd, answered K
//   f  answered by the first byte of each  d  the descriptors are dropped, answered D
//      descriptor that is kept, and F      n  answered by the count of bytes so far (low byte)
//   u  what is in hand is in doubt, answered U
//   z  from now on ringwayd is not listened to, answered Z
//   s  SIGSEGV in a worker that writes to this port   c  SIGABRT of the control thread   h  a worker hangs here
//   anything else quarantines the port, the end of the connection leaves it waiting.
#include "base/cleanup.h"
#include "base/fdmsg.h"
#include "tests/unit/daemon/fake_switch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define FAKE_MAGIC 0xfa4eu

int memory_take(struct fake_port *port, int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW) ||
	    fstat(fd, &st) || st.st_size != sizeof(struct fake_state))
		return -EINVAL;
	struct fake_state *memory =
		mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	if (memory->magic && memory->magic != FAKE_MAGIC)
		return -EINVAL;
	memory->magic = FAKE_MAGIC;
	port->memory = memory;
	port->memory_fd = fd;
	if (memory->quarantined)
		port->state = WIRE_PORT_QUARANTINED;
	return 0;
}

static void drop_kept(struct fake_port *port, bool tell)
{
	static struct wire_msg event;
	memset(&event, 0, sizeof(event));
	event.op = WIRE_DROP;
	event.args.kept.port = port->spec.port;
	for (int i = 0; i < FAKE_KEPT; i++) {
		if (port->kept[i].fd >= 0)
			event.args.kept.ids[event.args.kept.id_count++].id = port->kept[i].id;
		fd_close(&port->kept[i].fd);
	}
	if (port->memory)
		memset(port->memory->ids, 0, sizeof(port->memory->ids));
	if (tell && peer >= 0)
		(void)wire_send(peer, &event, NULL);
}

void conn_close(struct fake_port *port)
{
	drop_kept(port, false);
	fd_close(&port->conn);
	if (port->memory)
		port->memory->live = port->memory->doubt = 0;
}

int conn_add(struct fake_port *port, int fd)
{
	if (port->state == WIRE_PORT_QUARANTINED)
		return -EPERM;
	if (port->conn >= 0)
		return -EBUSY;
	port->conn = fd;
	if (port->memory) {
		port->memory->live = 1;
		port->memory->doubt = 0;
		memset(port->memory->ids, 0, sizeof(port->memory->ids));
	}
	port->state = WIRE_PORT_CONNECTED;
	send_event(port, "");
	return 0;
}

// Exactly what the port's memory speaks of has come.
static bool is_whole(const struct fake_state *memory, const struct wire_kept *kept)
{
	uint32_t wanted = 0;
	uint32_t found = 0;
	for (int i = 0; i < FAKE_KEPT; i++) {
		wanted += memory->ids[i] != 0;
		for (uint32_t j = 0; j < kept->id_count; j++)
			found += memory->ids[i] != 0 && memory->ids[i] == kept->ids[j].id;
	}
	return wanted == found && found == kept->id_count;
}

int conn_restore(const struct wire_kept *kept, int *fds)
{
	struct fake_port *port = find_port(kept->port);
	if (!port)
		return -ENOENT;
	if (port->state == WIRE_PORT_QUARANTINED)
		return -EPERM;
	if (port->conn >= 0)
		return -EBUSY;
	if (!port->memory || !port->memory->live || port->memory->doubt ||
	    !is_whole(port->memory, kept) || has_prefix(port->spec.name, "doubt"))
		return -EPROTO;
	port->conn = fd_take(&fds[0]);
	for (uint32_t i = 0; i < kept->id_count; i++)
		port->kept[i] = (struct fake_kept){kept->ids[i].id, fd_take(&fds[1 + i])};
	port->state = WIRE_PORT_CONNECTED;
	return 0;
}

void port_fds(const struct fake_port *port, struct wire_msg *reply)
{
	struct wire_kept *kept = &reply->args.kept;
	kept->port = port->spec.port;
	kept->has_state = port->memory != NULL;
	kept->has_conn = port->conn >= 0;
	if (kept->has_state)
		reply->fds[reply->fd_count++] = port->memory_fd;
	if (kept->has_conn)
		reply->fds[reply->fd_count++] = port->conn;
	for (uint32_t i = 0; i < port->queue_count; i++) {
		kept->ids[kept->id_count++].id = i + 1;
		reply->fds[reply->fd_count++] = port->queue_fds[i];
	}
	for (int i = 0; i < FAKE_KEPT && !port->queue_count; i++) {
		if (port->kept[i].fd < 0)
			continue;
		kept->ids[kept->id_count++].id = port->kept[i].id;
		reply->fds[reply->fd_count++] = port->kept[i].fd;
	}
}

static void keep(struct fake_port *port, int fd)
{
	static struct wire_msg event;
	int place = 0;
	while (place < FAKE_KEPT - 1 && port->kept[place].fd >= 0)
		place++;
	fd_close(&port->kept[place].fd);
	port->kept[place] = (struct fake_kept){++port->memory->last_id, fd};
	port->memory->ids[place] = port->kept[place].id;
	memset(&event, 0, sizeof(event));
	event.op = WIRE_KEEP;
	event.args.kept.port = port->spec.port;
	event.args.kept.ids[event.args.kept.id_count++].id = port->kept[place].id;
	event.fds[event.fd_count++] = fd;
	if (peer >= 0)
		(void)wire_send(peer, &event, NULL);
}

static void answer(const struct fake_port *port, char byte)
{
	(void)send(port->conn, &byte, 1, MSG_NOSIGNAL); // The end of the connection follows.
}

static void answer_kept(const struct fake_port *port)
{
	char byte;
	for (int i = 0; i < FAKE_KEPT; i++)
		if (port->kept[i].fd >= 0 && pread(port->kept[i].fd, &byte, 1, 0) == 1)
			answer(port, byte);
	answer(port, 'F');
}

// As the switch's handler of faults does.
static void fault(const struct fake_port *port, int number, int thread)
{
	if (thread < 0)
		board->control = port->spec.port;
	else
		board->worker[thread].destination = port->spec.port;
	board->thread = thread;
	board->signal = (uint32_t)number;
	(void)raise(number);
}

static void quarantine(struct fake_port *port)
{
	conn_close(port);
	port->state = WIRE_PORT_QUARANTINED;
	if (port->memory)
		port->memory->quarantined = 1;
	send_event(port, "fake garbage");
}

static void handle(struct fake_port *port, char byte, int *fd)
{
	if (port->memory)
		port->memory->counter++;
	switch (byte) {
	case 'p':
		answer(port, 'P');
		break;
	case 'k':
		keep(port, fd_take(fd));
		answer(port, 'K');
		break;
	case 'f':
		answer_kept(port);
		break;
	case 'd':
		drop_kept(port, true);
		answer(port, 'D');
		break;
	case 'n':
		answer(port, (char)port->memory->counter);
		break;
	case 'u':
		port->memory->doubt = 1;
		answer(port, 'U');
		break;
	case 'z':
		deaf = true;
		answer(port, 'Z');
		break;
	case 's':
		fault(port, SIGSEGV, 1);
		break;
	case 'c':
		fault(port, SIGABRT, -1);
		break;
	case 'h':
		stuck = true;
		board->worker[2].hung = 1;
		board->worker[2].source = port->spec.port;
		break;
	default:
		quarantine(port);
	}
}

void on_conn(struct fake_port *port)
{
	char byte = 0;
	_cleanup_close_ int fd = -1;
	struct fdmsg_buf buf = {.data = &byte, .data_size = 1, .fds = &fd, .fd_max = 1};
	ssize_t size = fdmsg_recv(port->conn, &buf, MSG_DONTWAIT);
	if (size == -EAGAIN)
		return;
	if (size == 1) {
		handle(port, byte, &fd);
		return;
	}
	conn_close(port);
	port->state = WIRE_PORT_WAITING;
	send_event(port, "");
}
