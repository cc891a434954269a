// SPDX-License-Identifier: BSD-3-Clause
// What `ringway doctor` asks the container engine. One thread.
#pragma once

#include "cli/doctor.h"

#define DOCTOR_ENGINE_SOCKET "/var/run/docker.sock" // ringwayd's default.
#define DOCTOR_PLUGINS "/run/docker/plugins"

// Asks Docker's API for its version and its networks, 5 seconds at most each.
void doctor_ask_engine(struct doctor_engine *engine);
