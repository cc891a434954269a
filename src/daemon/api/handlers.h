// SPDX-License-Identifier: BSD-3-Clause
// The handlers that api.c's table names. HTTP server's threads.
#pragma once

#include "daemon/api/api.h"

http_handler api_version;
http_handler api_stats;

http_handler api_networks_list;
http_handler api_networks_create;
http_handler api_networks_get;
http_handler api_networks_remove;

http_handler api_switch_get;
http_handler api_switch_restart;

http_handler api_ports_list;
http_handler api_ports_create;
http_handler api_ports_get;
http_handler api_ports_change;
http_handler api_ports_remove;
