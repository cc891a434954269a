// SPDX-License-Identifier: BSD-3-Clause
// The API's objects of docs/api.md as JSON. Pure; any thread.
#pragma once

#include "daemon/service.h"

#include <jansson.h>

// The caller's; NULL without memory.
json_t *api_network_json(const struct network_info *info);
json_t *api_port_json(const struct port_info *info);
json_t *api_function_json(const struct service_function *function);
json_t *api_published_json(const struct port_publish *list, size_t count);

// Members of functions. -ENOMEM.
int api_add_network_functions(json_t *object, const struct network_functions *functions);
int api_add_port_function(json_t *object, const struct port_info *info);
// Reads them, and takes them out of the body. -EINVAL.
int api_read_network_functions(
	json_t *io_body,
	struct network_functions *ret_functions,
	struct rwy_err *err
);
int api_read_port_function(json_t *io_body, struct port_spec *spec, struct rwy_err *err);

#define API_TIME_SIZE 24
// Seconds since the epoch as "2026-01-31T12:00:00Z".
void api_format_time(int64_t seconds, char ret_text[API_TIME_SIZE]);
