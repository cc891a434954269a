// SPDX-License-Identifier: BSD-3-Clause
// Which virtio features are offered, and which sets of them hold together. Pure; any thread.
#pragma once

#include "base/err.h"
#include "vhost/vhost.h"

#include <stdint.h>

// VHOST_FEATURE_* of a port with this configuration.
uint64_t offer_features(const struct vhost_conn_config *config);

// Judges what a front end accepted: 0, or -EPROTO for a feature that was not offered (virtio 1.1, 2.2.1).
int offer_check(uint64_t features, uint64_t offered, struct rwy_err *err);

// What holds of the accepted features. Front ends in the field accept offloads without what the specification wants
// beside them (virtio 1.1, 5.1.3.1): DPDK's virtio-user takes HOST_TSO4 without CSUM for an application that asks for
// TSO alone, and Linux in QEMU takes whatever its options leave. They keep their ports: frames that need GUEST_CSUM go
// to nobody without it; what a HOST_* front end asks for names its checksum in every header, whether CSUM is there or not.
uint64_t offer_settle(uint64_t features);
