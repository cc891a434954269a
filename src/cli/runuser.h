// SPDX-License-Identifier: BSD-3-Clause
// Whose the device nodes of a container's functions are to be. One thread; docker runs as its child, with signals held.
#pragma once

#include "base/err.h"
#include "cli/runline.h"

#include <jansson.h>

// Where the plan gives devices: finds out as which user the container will run, from --user or else from the image, and has the
// driver make the nodes that user's (ringway.uid). A user's name is looked up in the image. Nothing is done where the image is
// not here (of a dry run). -EINVAL: the image has no such user.
int run_user_settle(const struct run_line *line, json_t *plan, struct rwy_err *err);
