// SPDX-License-Identifier: BSD-3-Clause
// Functions of networks for people. One thread.
#pragma once

#include "cli/cli.h"

#include <jansson.h>

// The functions of one network, as GET /v1/networks/NAME tells them. Returns the exit status.
int functions_show(struct cli *cli, json_t *network);
// Those of all networks in the answer of GET /v1/networks: asks for each. Returns the exit status.
int functions_ls(struct cli *cli, json_t *networks, bool json);
