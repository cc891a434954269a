// SPDX-License-Identifier: BSD-3-Clause
// What the files of `ringway port` share. One thread.
#pragma once

#include "cli/cli.h"

// ringway port ls. Returns the exit status.
int port_ls(struct cli *cli, const struct cli_args *args);
