// SPDX-License-Identifier: BSD-3-Clause
// Which HTTP status and which code of docs/api.md an errno is. No state; any thread.
#include "daemon/http/server.h"

#include <errno.h>

struct http_error {
	int code;
	int status;
	const char *name;
};

static const struct http_error http_errors[] = {
	{EINVAL, 400, "invalid"},
	{EPROTO, 400, "invalid"},
	{ENAMETOOLONG, 400, "invalid"},
	{EPERM, 403, "forbidden"},
	{EACCES, 403, "forbidden"},
	{ENOENT, 404, "not_found"},
	{ENODEV, 404, "not_found"},
	{EBADRQC, 405, "method"},
	{ENOSYS, 501, "unsupported"},
	{EOPNOTSUPP, 501, "unsupported"},
	{EEXIST, 409, "exists"},
	{EADDRINUSE, 409, "exists"},
	{EBUSY, 409, "in_use"},
	{EXDEV, 409, "in_use"}, // A function whose IOMMU group others are in.
	{EMSGSIZE, 413, "too_large"},
	{ENOSPC, 507, "full"},
	{EAGAIN, 503, "unavailable"},
	{ETIMEDOUT, 503, "unavailable"},
	{ECONNREFUSED, 503, "unavailable"},
	{EPIPE, 503, "unavailable"},
};

static const struct http_error *find_error(int code)
{
	static const struct http_error internal = {0, 500, "internal"};
	for (size_t i = 0; i < sizeof(http_errors) / sizeof(http_errors[0]); i++)
		if (http_errors[i].code == -code)
			return &http_errors[i];
	return &internal;
}

int http_status_of(int code)
{
	return find_error(code)->status;
}

const char *http_code_of(int code)
{
	return find_error(code)->name;
}
