// SPDX-License-Identifier: BSD-3-Clause
// Datagrams as the other end of an uplink's control socket might send them, and the texts that name its device. What is
// taken must be accepted again after it was sent on.
#include "wire/uplink.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_SIZE 512

static void send_on(const struct uplink_msg *msg, bool from_uplink, const int pair[2])
{
	static struct uplink_msg again; // Large.

	// A state of many ports may need more room than its text had; that it does not fit is no bug.
	if (uplink_send(pair[0], msg, NULL))
		return;
	if (uplink_recv(pair[1], from_uplink, MSG_DONTWAIT, &again, NULL))
		abort();
	if (again.op != msg->op || again.id != msg->id || again.is_reply != msg->is_reply ||
	    again.error.code != msg->error.code)
		abort();
}

// A device's text, from a user or a command line.
static void read_device(const uint8_t *data, size_t size)
{
	char text[TEXT_SIZE];
	char address[UPLINK_PCI_SIZE];
	char name[UPLINK_IFACE_SIZE];
	if (size >= sizeof(text))
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (uplink_read_pci(text, address) && strlen(address) != strlen("0000:00:00.0"))
		abort();
	if (uplink_read_iface(text, name) == 0 && (!name[0] || !strstr(text, name)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct uplink_msg msg; // Large.
	int pair[2];

	if (size < 2)
		return 0;
	bool from_uplink = data[0] & 1;
	read_device(data + 1, size - 1);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		abort();
	if (send(pair[0], data + 1, size - 1, MSG_DONTWAIT) > 0 &&
	    uplink_recv(pair[1], from_uplink, MSG_DONTWAIT, &msg, NULL) == 0)
		send_on(&msg, from_uplink, pair);
	(void)close(pair[0]); // Only this function has them.
	(void)close(pair[1]);
	return 0;
}
