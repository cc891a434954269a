// SPDX-License-Identifier: BSD-3-Clause
// Stations: addresses of a network that ringwayd knows, and where they are. Those behind a TAP are pinned to it in the MAC table;
// where their IP addresses are known, workers find the MAC address that belongs to one. The control thread changes them,
// workers look up under RCU.
#pragma once

#include "base/err.h"
#include "switch/fdb.h"
#include "switch/port.h"
#include "wire/wire.h"

#include <stdint.h>

#define STATIONS_MAX FDB_ENTRIES_MAX

struct rte_rcu_qsbr;
struct stations;

// NULL without memory. Both outlive it.
struct stations *stations_new(struct rte_rcu_qsbr *qsbr, struct fdb *fdb);
// No worker runs any more. Accepts NULL.
void stations_free(struct stations *stations);

// Control thread. Adds a station at port, or replaces what there is of its address at this port. -EINVAL: no unicast address,
// or no IP address where one is given. -EEXIST: the address is pinned by another port. -ENOSPC, -ENOMEM. On failure nothing
// changed.
int stations_add(
	struct stations *stations,
	const struct wire_station *spec,
	struct port *port,
	struct rwy_err *err
);
// Control thread. Removes the station of this address on the network with this slot. False: there is none.
bool stations_remove(struct stations *stations, uint16_t slot, const uint8_t mac[MAC_SIZE]);
// Control thread. Removes those of another epoch.
void stations_sweep(struct stations *stations, uint32_t epoch);
// Control thread. Removes those at the port.
void stations_forget_port(struct stations *stations, const struct port *port);
uint32_t stations_count(const struct stations *stations);

// Workers, and the control thread. The MAC address that an IP address of the network with this slot (struct network) belongs to, or NULL.
// family: AF_INET, of whose address ip has 4 bytes, or AF_INET6, 16. Valid until the next quiescent state.
const uint8_t *stations_find(
	const struct stations *stations,
	uint16_t slot,
	int family,
	const uint8_t *ip
);
