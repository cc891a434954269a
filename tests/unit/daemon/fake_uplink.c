// SPDX-License-Identifier: BSD-3-Clause
// A ringway-uplink without a device: answers on its control socket as the real one does. net_broken: it cannot open its
// device; a port of VLAN 13 is refused; one of VLAN 14 never joins.
#include "wire/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_FD 3

static struct uplink_state_msg state = {.driver = "net_fake", .link = true, .mbps = 100};
static struct uplink_msg msg;

static void add(struct uplink_msg *reply)
{
	const struct uplink_port_msg spec = reply->args.port;
	if (spec.vlan == 13) {
		(void)err_set(&reply->error, -ENOSPC, "no room for VLAN 13");
		return;
	}
	struct uplink_port_state *port = &state.ports[state.port_count++];
	*port = (struct uplink_port_state){.spec = spec, .joined = spec.vlan != 14};
	port->rx_frames = spec.vlan;
	if (spec.vlan == 14)
		(void)snprintf(port->reason, sizeof(port->reason), "nobody listens"); // It fits.
}

static void del(struct uplink_msg *reply)
{
	for (uint32_t i = 0; i < state.port_count; i++)
		if (state.ports[i].spec.port == reply->args.ref.port) {
			state.ports[i] = state.ports[--state.port_count];
			return;
		}
	(void)err_set(&reply->error, -ENOENT, "no such port");
}

// False: it is over.
static bool answer(int sock, bool broken)
{
	bool more = msg.op != UPLINK_STOP;
	msg.is_reply = true;
	if (msg.op == UPLINK_HELLO && broken) {
		(void)err_set(&msg.error, -ENODEV, "cannot open the device");
		more = false;
	} else if (msg.op == UPLINK_HELLO) {
		msg.args.hello.pid = (uint32_t)getpid();
	} else if (msg.op == UPLINK_STATE) {
		msg.args.state = state;
	} else if (msg.op == UPLINK_PORT_ADD) {
		add(&msg);
	} else if (msg.op == UPLINK_PORT_DEL) {
		del(&msg);
	}
	return !uplink_send(sock, &msg, NULL) && more;
}

int main(int argc, char **argv)
{
	bool broken = false;
	for (int i = 1; i < argc; i++)
		broken |= strcmp(argv[i], "net_broken0") == 0;
	for (;;) {
		int sock = accept(LISTEN_FD, NULL, NULL);
		if (sock < 0)
			return 1;
		while (!uplink_recv(sock, false, 0, &msg, NULL))
			if (!answer(sock, broken))
				return broken;
		(void)close(sock);
	}
}
