// SPDX-License-Identifier: BSD-3-Clause
// Which virtio features are offered, and which sets of them hold together. Pure; any thread.
#pragma once

#include "base/err.h"
#include "vhost/vhost.h"

#include <stdint.h>

// VHOST_FEATURE_* of a port with this configuration.
uint64_t offer_features(const struct vhost_conn_config *config);

// Judges what a front end accepted: 0, or -EPROTO for a feature that was not offered or that lacks another one which it
// needs (virtio 1.1, 2.2.1 and 5.1.3.1).
int offer_check(uint64_t features, uint64_t offered, struct rwy_err *err);
