// SPDX-License-Identifier: BSD-3-Clause
// A service in memory, with the contract of daemon/service.h and neither store nor switch.
#pragma once

#include "daemon/service.h"

struct daemon *fake_service_new(const char *run_dir);
void fake_service_free(struct daemon *d);

// Makes every row look as old as this: created_ms of ports and places.
void fake_service_age(struct daemon *d, int64_t created_ms);
unsigned int fake_service_networks(struct daemon *d);
unsigned int fake_service_ports(struct daemon *d);
unsigned int fake_service_places(struct daemon *d);
// All functions are on their way back, and there after they have been looked at so often.
void fake_service_return_all(struct daemon *d, unsigned int looks);
// Functions that are kept for a place.
unsigned int fake_service_kept(struct daemon *d);
// Whether the lock is held by anybody.
bool fake_service_is_locked(struct daemon *d);
