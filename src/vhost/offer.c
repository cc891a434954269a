// SPDX-License-Identifier: BSD-3-Clause
// The virtio features of a port: the list of what is offered, and the specification's rules of what needs what. Pure;
// any thread.
#include "vhost/offer.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

// virtio 1.1, 5.1.3.1, and virtio 1.3 for USO. (MQ and GUEST_ANNOUNCE need the control queue, which vhost-user leaves to the front end: it is
// not among these features.) ECN comes last, since it depends on others of the list.
static const struct need {
	uint64_t feature;
	uint64_t needs; // One of these.
} needs[] = {
	{VHOST_FEATURE_GUEST_TSO4, VHOST_FEATURE_GUEST_CSUM},
	{VHOST_FEATURE_GUEST_TSO6, VHOST_FEATURE_GUEST_CSUM},
	{VHOST_FEATURE_GUEST_UFO, VHOST_FEATURE_GUEST_CSUM},
	{VHOST_FEATURE_GUEST_USO4, VHOST_FEATURE_GUEST_CSUM},
	{VHOST_FEATURE_GUEST_USO6, VHOST_FEATURE_GUEST_CSUM},
	{VHOST_FEATURE_GUEST_ECN, VHOST_FEATURE_GUEST_TSO4 | VHOST_FEATURE_GUEST_TSO6},
};

uint64_t offer_features(const struct vhost_conn_config *config)
{
	uint64_t features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF |
		VHOST_FEATURE_RING_INDIRECT_DESC | VHOST_FEATURE_RING_EVENT_IDX |
		VHOST_FEATURE_RING_PACKED | VHOST_FEATURE_IN_ORDER | VHOST_FEATURE_ANY_LAYOUT |
		VHOST_FEATURE_GUEST_ANNOUNCE | VHOST_FEATURE_PROTOCOL_FEATURES;

	if (config->queue_pairs > 1)
		features |= VHOST_FEATURE_MQ;
	if (config->mtu)
		features |= VHOST_FEATURE_MTU;
	if (config->offloads)
		features |= VHOST_FEATURES_HOST | VHOST_FEATURES_GUEST;
	return features;
}

int offer_check(uint64_t features, uint64_t offered, struct rwy_err *err)
{
	uint64_t alien = features & ~offered;

	if (alien)
		return err_set(err, -EPROTO, "features 0x%" PRIx64 " were not offered", alien);
	return 0;
}

uint64_t offer_settle(uint64_t features)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (!(features & needs[i].needs))
			features &= ~needs[i].feature;
	return features;
}
