// SPDX-License-Identifier: BSD-3-Clause
// A service in memory for the API's fuzzer: it judges networks and ports as ringwayd does (daemon/model/), and keeps a few.
#pragma once

#include "daemon/service.h"

#define SERVICE_ROWS 8

struct daemon {
	bool locked;
	uint32_t last_id;
	struct network_info networks[SERVICE_ROWS];
	struct port_info ports[SERVICE_ROWS];
};
