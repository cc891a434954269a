// SPDX-License-Identifier: BSD-3-Clause
// Judges source addresses. Runs on a worker; reads published tables only. What cannot be seen is refused where the port is pinned,
// and where it could be a neighbour's claim.
#include "switch/spoof.h"

#include "packet/head.h"
#include "switch/fdb.h"
#include "switch/stations.h"
#include "switch/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t none[16];

// RFC 4291, 2.5.6 and appendix A: the link-local address of a MAC address, as a modified EUI-64.
static void make_link_local(const uint8_t mac[MAC_SIZE], uint8_t ret_ip[16])
{
	const uint8_t ip[16] = {
		0xfe,
		0x80,
		0,
		0,
		0,
		0,
		0,
		0,
		mac[0] ^ 2,
		mac[1],
		mac[2],
		0xff,
		0xfe,
		mac[3],
		mac[4],
		mac[5]};
	memcpy(ret_ip, ip, sizeof(ip));
}

int spoof_init(struct spoof_check *check, const struct wire_port *spec)
{
	*check = (struct spoof_check){.mode = SPOOF_CHECK_CLAIMS, .learning = spec->learning};
	if (spec->allow_spoof || spec->kind == WIRE_PORT_TAP)
		check->mode =
			SPOOF_CHECK_NONE; // What comes from a TAP, the kernel's program has judged.
	if (check->mode == SPOOF_CHECK_NONE || !spec->pin_address)
		return 0;
	check->mode = SPOOF_CHECK_PINS;
	check->pins = true;
	if (spec->ip[0] && inet_pton(AF_INET, spec->ip, check->ip) != 1)
		return -EINVAL;
	if (spec->ip6[0] && inet_pton(AF_INET6, spec->ip6, check->ip6) != 1)
		return -EINVAL;
	check->has_ip = spec->ip[0];
	check->has_ip6 = spec->ip6[0];
	make_link_local(spec->mac, check->link_local);
	return 0;
}

static bool is_own4(const struct spoof_check *check, const uint8_t *ip)
{
	return check->has_ip && memcmp(ip, check->ip, 4) == 0;
}

static bool is_own6(const struct spoof_check *check, const uint8_t *ip)
{
	return (check->has_ip6 && memcmp(ip, check->ip6, 16) == 0) ||
		memcmp(ip, check->link_local, 16) == 0;
}

static enum drop_reason judge_arp(const struct spoof_check *check, const struct source *source)
{
	// Behind a learning port there are hosts with addresses of their own.
	if (!source->is_whole || (source->has_other_mac && !check->learning))
		return DROP_ARP;
	bool lacks = source->may_lack && memcmp(source->ip, none, 4) == 0;
	return lacks || is_own4(check, source->ip) ? DROP_COUNT : DROP_ARP;
}

static enum drop_reason judge_nd(const struct spoof_check *check, const struct source *source)
{
	bool lacks = source->may_lack && memcmp(source->ip, none, 16) == 0;
	bool asks = source->type == SOURCE_ND_SOLICITATION;

	if (!lacks && !is_own6(check, source->ip))
		return DROP_SOURCE_IP;
	if (source->has_other_mac && (!check->learning || !source->is_whole))
		return DROP_ND;
	if (source->type == SOURCE_ND_ROUTER_ADVERTISEMENT || source->type == SOURCE_ND_REDIRECT)
		return DROP_ND;
	// An address is also claimed by asking for it from nowhere: duplicate address detection (RFC 4862, 5.4).
	if (source->type == SOURCE_ND_ADVERTISEMENT || (asks && lacks))
		return is_own6(check, source->target) ? DROP_COUNT : DROP_ND;
	return DROP_COUNT;
}

static enum drop_reason judge_pinned(const struct spoof_check *check, const struct source *source)
{
	bool is_good;

	switch (source->kind) {
	case SOURCE_OTHER:
		return DROP_COUNT;
	case SOURCE_IPV4:
		is_good = is_own4(check, source->ip) ||
			(source->may_lack && memcmp(source->ip, none, 4) == 0);
		return is_good ? DROP_COUNT : DROP_SOURCE_IP;
	case SOURCE_IPV6:
		is_good = is_own6(check, source->ip) ||
			(source->may_lack && memcmp(source->ip, none, 16) == 0);
		return is_good ? DROP_COUNT : DROP_SOURCE_IP;
	case SOURCE_ARP:
		return judge_arp(check, source);
	case SOURCE_ND:
		return judge_nd(check, source);
	case SOURCE_HIDDEN_ND:
		return DROP_ND;
	case SOURCE_SNAP:
	case SOURCE_SHORT:
	case SOURCE_HIDDEN:
		break;
	}
	return DROP_SOURCE_IP;
}

// Whether an address is another's than the one's that sends from `mac`.
static bool is_others(
	struct worker *worker,
	const struct port *port,
	int family,
	const uint8_t *ip,
	const uint8_t *mac
)
{
	uint16_t slot = port->network->slot;
	const uint8_t *owner = stations_find(worker->stations, slot, family, ip);
	uint8_t eui[MAC_SIZE];

	if (owner)
		return memcmp(owner, mac, MAC_SIZE) != 0;
	if (family != AF_INET6 || ip[0] != 0xfe || ip[1] != 0x80 || ip[11] != 0xff ||
	    ip[12] != 0xfe)
		return false;
	// What a port has by its MAC address nobody needs to have told.
	memcpy(eui, ip + 8, 3);
	memcpy(eui + 3, ip + 13, 3);
	eui[0] ^= 2;
	const struct fdb_entry *entry = fdb_lookup(worker->fdb, &worker->cache, fdb_key(slot, eui));
	return entry && entry->pinned && memcmp(eui, mac, MAC_SIZE) != 0;
}

static enum drop_reason judge_claims(
	struct worker *worker,
	const struct port *port,
	const struct source *source,
	const uint8_t *mac
)
{
	switch (source->kind) {
	case SOURCE_ARP:
		return is_others(worker, port, AF_INET, source->ip, mac) ? DROP_ARP : DROP_COUNT;
	case SOURCE_ND:
		if (is_others(worker, port, AF_INET6, source->ip, mac))
			return DROP_ND;
		if (source->type == SOURCE_ND_ADVERTISEMENT &&
		    is_others(worker, port, AF_INET6, source->target, mac))
			return DROP_ND;
		return DROP_COUNT;
	case SOURCE_HIDDEN_ND:
		return DROP_ND;
	case SOURCE_HIDDEN:
		return DROP_SOURCE_IP;
	default:
		return DROP_COUNT;
	}
}

// Gives the frame a private head that shows more of it. What it is judged by is what is delivered.
static void look_further(struct worker *worker, struct frame *frame)
{
	uint8_t *head = worker->look[frame - worker->burst.frame];

	frame->head_size = (uint16_t)head_copy(frame, head, SOURCE_HEAD_MAX);
	frame->head = head;
}

enum drop_reason spoof_judge(struct worker *worker, const struct port *port, struct frame *frame)
{
	struct source source;

	if (source_needs_more(frame))
		look_further(worker, frame);
	source_parse(frame->head, frame->head_size, &source);
	if (port->check.pins)
		return judge_pinned(&port->check, &source);
	return judge_claims(worker, port, &source, frame->head + MAC_SIZE);
}
