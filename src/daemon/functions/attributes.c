// SPDX-License-Identifier: BSD-3-Clause
// What a parent's driver holds its virtual functions to (rtnetlink's IFLA_VFINFO_LIST). A change is a request of its own, since
// drivers support some and refuse others, and only so it is known which. Any thread.
#include "daemon/functions/internal.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>

#define REASON_SIZE 160
#define VLAN_MAX 4094 // IEEE 802.1Q 9.6
// RTEXT_FILTER_SKIP_STATS, newer than these headers may be.
#define SKIP_STATS (1U << 3)

// Where a virtual function is held: its parent's interface, and its number there.
struct place {
	const char *address;
	struct function_info parent;
	uint32_t number;
	int ifindex;
	struct nl_sock *socket;
};

static int place_open(
	struct functions *functions,
	const char *address,
	struct place *ret,
	struct rwy_err *err
)
{
	struct function_info info;
	struct rtnl_link *link = NULL;
	int r = functions_get(functions, address, &info, err);
	if (r)
		return r;
	if (!info.is_virtual)
		return err_set(err, -EINVAL, "function %s is no virtual one", info.address);
	*ret = (struct place){.address = address, .number = info.number};
	r = functions_get(functions, info.parent, &ret->parent, err);
	if (r)
		return r;
	if (!ret->parent.interface[0]) {
		(void)err_set(
			err,
			-ENOTSUP,
			"nobody can be asked about function %s: its parent %s has no interface here",
			info.address,
			info.parent
		);
		(void)err_hint(
			err,
			"its driver is '%s': bind the NIC's own",
			ret->parent.driver[0] ? ret->parent.driver : "none"
		);
		return -ENOTSUP;
	}
	ret->socket = netlink_open(-1, -1, err);
	if (!ret->socket)
		return err ? err->code : -EIO;
	r = netlink_get_link(ret->socket, ret->parent.interface, &link, err);
	if (!r) {
		ret->ifindex = rtnl_link_get_ifindex(link);
		rtnl_link_put(link);
		return 0;
	}
	nl_socket_free(ret->socket);
	if (r == -ENODEV)
		return err_set(err, -ENOTSUP, "interface '%s' has gone", ret->parent.interface);
	return r;
}

struct told {
	uint32_t number;
	struct function_attributes *attributes;
	struct function_counters *counters;
};

// The attribute's data, when it is that long and about that function.
static const void *about(struct nlattr *attr, size_t size, uint32_t number)
{
	uint32_t vf;
	if (!attr || nla_len(attr) < (int)size)
		return NULL;
	memcpy(&vf, nla_data(attr), sizeof(vf)); // All of them begin with it.
	return vf == number ? nla_data(attr) : NULL;
}

// A driver that does not tell leaves -1 here.
static int told_switch(struct nlattr *attr, uint32_t number)
{
	const struct ifla_vf_spoofchk *told = about(attr, sizeof(*told), number);
	return told && told->setting <= 1 ? (int)told->setting : -1;
}

static void note_attributes(struct nlattr **vf, uint32_t number, struct function_attributes *ret)
{
	const struct ifla_vf_mac *mac = about(vf[IFLA_VF_MAC], sizeof(*mac), number);
	const struct ifla_vf_vlan *vlan = about(vf[IFLA_VF_VLAN], sizeof(*vlan), number);
	const struct ifla_vf_rate *rate = about(vf[IFLA_VF_RATE], sizeof(*rate), number);
	const struct ifla_vf_link_state *link =
		about(vf[IFLA_VF_LINK_STATE], sizeof(*link), number);
	if (mac) {
		memcpy(ret->mac, mac->mac, MAC_SIZE);
		ret->mac_none = mac_is_zero(ret->mac);
	}
	if (vlan && vlan->vlan < 4096)
		ret->vlan = (int)vlan->vlan;
	if (rate) {
		ret->rate_min = rate->min_tx_rate;
		ret->rate_max = rate->max_tx_rate;
	}
	if (link && link->link_state < FUNCTION_LINK_STATE_COUNT)
		ret->link_state = (int)link->link_state;
	// struct ifla_vf_trust is the same.
	ret->spoof_check = told_switch(vf[IFLA_VF_SPOOFCHK], number);
	ret->trust = told_switch(vf[IFLA_VF_TRUST], number);
}

static uint64_t counter(struct nlattr *attr)
{
	return attr && nla_len(attr) == (int)sizeof(uint64_t) ? nla_get_u64(attr) : 0;
}

// The kernel counts as the function does, the switch the other way around. A driver that does not count leaves zeros.
static void note_counters(struct nlattr *stats, struct function_counters *ret)
{
	struct nlattr *of[IFLA_VF_STATS_MAX + 1];
	if (!stats || nla_parse_nested(of, IFLA_VF_STATS_MAX, stats, NULL))
		return;
	ret->rx_frames = counter(of[IFLA_VF_STATS_TX_PACKETS]);
	ret->rx_bytes = counter(of[IFLA_VF_STATS_TX_BYTES]);
	ret->rx_dropped = counter(of[IFLA_VF_STATS_TX_DROPPED]);
	ret->tx_frames = counter(of[IFLA_VF_STATS_RX_PACKETS]);
	ret->tx_bytes = counter(of[IFLA_VF_STATS_RX_BYTES]);
	ret->tx_dropped = counter(of[IFLA_VF_STATS_RX_DROPPED]);
	ret->known = ret->rx_frames || ret->tx_frames || ret->rx_dropped || ret->tx_dropped;
}

static int note_link(struct nl_msg *msg, void *arg)
{
	struct told *told = arg;
	struct nlmsghdr *head = nlmsg_hdr(msg);
	struct nlattr *vf[IFLA_VF_MAX + 1], *one;
	int left;
	if (head->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(head, sizeof(struct ifinfomsg)))
		return NL_OK;
	struct nlattr *list = nlmsg_find_attr(head, sizeof(struct ifinfomsg), IFLA_VFINFO_LIST);
	if (!list)
		return NL_OK;
	nla_for_each_nested(one, list, left)
	{
		if (nla_type(one) != IFLA_VF_INFO || nla_parse_nested(vf, IFLA_VF_MAX, one, NULL) ||
		    !about(vf[IFLA_VF_MAC], sizeof(struct ifla_vf_mac), told->number))
			continue;
		note_attributes(vf, told->number, told->attributes);
		note_counters(vf[IFLA_VF_STATS], told->counters);
	}
	return NL_OK;
}

static int ask_once(const struct place *place, struct told *told, uint32_t filter)
{
	struct ifinfomsg body = {.ifi_index = place->ifindex};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_REQUEST);
	if (!msg)
		return -ENOMEM;
	if (nlmsg_append(msg, &body, sizeof(body), NLMSG_ALIGNTO) ||
	    nla_put_u32(msg, IFLA_EXT_MASK, filter)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return netlink_ask(place->socket, msg, note_link, told);
}

static int ask(
	const struct place *place,
	struct function_attributes *ret,
	struct function_counters *ret_counters,
	struct rwy_err *err
)
{
	static const struct function_attributes keep = FUNCTION_ATTRIBUTES_KEEP;
	struct told told = {.number = place->number, .attributes = ret, .counters = ret_counters};
	*ret = keep;
	*ret_counters = (struct function_counters){0};
	int r = ask_once(place, &told, RTEXT_FILTER_VF);
	// Counters of very many functions do not fit into one message.
	if (r == -EMSGSIZE)
		r = ask_once(place, &told, RTEXT_FILTER_VF | SKIP_STATS);
	if (!r)
		return 0;
	return err_set(
		err,
		r,
		"cannot ask interface '%s' about function %s: %s",
		place->parent.interface,
		place->address,
		strerror(-r)
	);
}

int functions_get_attributes(
	struct functions *functions,
	const char *address,
	struct function_attributes *ret,
	struct function_counters *ret_counters,
	struct rwy_err *err
)
{
	struct place place = {0};
	struct function_counters counters;
	struct function_attributes attributes;
	int r = place_open(functions, address, &place, err);
	if (r)
		return r;
	r = ask(&place, &attributes, &counters, err);
	nl_socket_free(place.socket);
	if (r)
		return r;
	*ret = attributes;
	if (ret_counters)
		*ret_counters = counters;
	return 0;
}

static struct nl_msg *describe_change(
	const struct place *place,
	int type,
	const void *data,
	int size
)
{
	struct ifinfomsg body = {.ifi_index = place->ifindex};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_SETLINK, NLM_F_REQUEST);
	if (!msg)
		return NULL;
	struct nlattr *list = NULL, *one = NULL;
	if (!nlmsg_append(msg, &body, sizeof(body), NLMSG_ALIGNTO))
		list = nla_nest_start(msg, IFLA_VFINFO_LIST);
	if (list)
		one = nla_nest_start(msg, IFLA_VF_INFO);
	if (!one || nla_put(msg, type, size, data)) {
		nlmsg_free(msg);
		return NULL;
	}
	// They only write the lengths.
	(void)nla_nest_end(msg, one);
	(void)nla_nest_end(msg, list);
	return msg;
}

static void hint_refusal(int type, int r, struct rwy_err *err)
{
	if (type == IFLA_VF_RATE && (r == -EINVAL || r == -ENOLINK))
		(void
		)err_hint(err, "many drivers want the parent's link up, and a rate that it has");
	else if (r == -EOPNOTSUPP)
		(void)err_hint(err, "this driver cannot do it: leave it out");
	else
		(void)err_hint(err, "the kernel's log (dmesg) may say more");
}

static int send_change(
	const struct place *place,
	int type,
	const void *data,
	size_t size,
	const char *what,
	struct rwy_err *err
)
{
	char reason[REASON_SIZE];
	struct nl_msg *msg = describe_change(place, type, data, (int)size);
	if (!msg)
		return err_set(err, -ENOMEM, "cannot describe function %s", place->address);
	int r = netlink_request(place->socket, msg, reason, sizeof(reason));
	if (!r)
		return 0;
	(void)err_set(
		err,
		r,
		"the parent's driver '%s' refuses %s of function %s: %s",
		place->parent.driver,
		what,
		place->address,
		reason
	);
	hint_refusal(type, r, err);
	return r;
}

static int set_mac(
	const struct place *place,
	const struct function_attributes *attributes,
	struct rwy_err *err
)
{
	char text[MAC_TEXT_SIZE], what[48] = "having no MAC address";
	struct ifla_vf_mac mac = {.vf = place->number};
	if (mac_is_zero(attributes->mac) && !attributes->mac_none)
		return 0;
	if (!mac_is_zero(attributes->mac)) {
		mac_format(attributes->mac, text);
		(void)snprintf(what, sizeof(what), "the MAC address %s", text); // It fits.
	}
	memcpy(mac.mac, attributes->mac, MAC_SIZE);
	return send_change(place, IFLA_VF_MAC, &mac, sizeof(mac), what, err);
}

static int set_vlan(
	const struct place *place,
	const struct function_attributes *wanted,
	const struct function_attributes *now,
	struct rwy_err *err
)
{
	char what[48];
	const struct ifla_vf_vlan vlan = {.vf = place->number, .vlan = (uint32_t)wanted->vlan};
	if (wanted->vlan < 0 || wanted->vlan == now->vlan)
		return 0;
	if (wanted->vlan > VLAN_MAX) // Some drivers take it.
		return err_set(
			err, -EINVAL, "%d is no VLAN: there are 1 to %d", wanted->vlan, VLAN_MAX
		);
	(void)snprintf(what, sizeof(what), "VLAN %d", wanted->vlan); // It fits.
	return send_change(place, IFLA_VF_VLAN, &vlan, sizeof(vlan), what, err);
}

static int set_switch(const struct place *place, int type, int wanted, int now, struct rwy_err *err)
{
	char what[48];
	// struct ifla_vf_trust is the same.
	const struct ifla_vf_spoofchk value = {.vf = place->number, .setting = (uint32_t)wanted};
	if (wanted < 0 || wanted == now)
		return 0;
	(void)snprintf( // It fits.
		what,
		sizeof(what),
		"%s %s",
		type == IFLA_VF_TRUST ? "trust" : "the spoof check",
		wanted ? "on" : "off"
	);
	return send_change(place, type, &value, sizeof(value), what, err);
}

static int set_link_state(
	const struct place *place,
	const struct function_attributes *wanted,
	const struct function_attributes *now,
	struct rwy_err *err
)
{
	static const char *const text[] = {"auto", "enable", "disable"};
	char what[48];
	const struct ifla_vf_link_state state = {
		.vf = place->number, .link_state = (uint32_t)wanted->link_state};
	if (wanted->link_state < 0 || wanted->link_state == now->link_state)
		return 0;
	(void)snprintf( // It fits.
		what,
		sizeof(what),
		"the link state '%s'",
		wanted->link_state < FUNCTION_LINK_STATE_COUNT ? text[wanted->link_state] : "?"
	);
	return send_change(place, IFLA_VF_LINK_STATE, &state, sizeof(state), what, err);
}

// Both limits are one request; one that is not given stays.
static int set_rate(
	const struct place *place,
	const struct function_attributes *wanted,
	const struct function_attributes *now,
	struct rwy_err *err
)
{
	char what[80];
	int64_t min = wanted->rate_min < 0 ? now->rate_min : wanted->rate_min;
	int64_t max = wanted->rate_max < 0 ? now->rate_max : wanted->rate_max;
	if ((wanted->rate_min < 0 && wanted->rate_max < 0) ||
	    (min == now->rate_min && max == now->rate_max))
		return 0;
	min = min < 0 ? 0 : min;
	max = max < 0 ? 0 : max;
	if (min > UINT32_MAX || max > UINT32_MAX)
		return err_set(err, -EINVAL, "no function has a rate of that many Mbit/s");
	const struct ifla_vf_rate rate = {
		.vf = place->number, .min_tx_rate = (uint32_t)min, .max_tx_rate = (uint32_t)max};
	(void)snprintf( // It fits.
		what,
		sizeof(what),
		"a rate of %u to %u Mbit/s (0: no limit)",
		rate.min_tx_rate,
		rate.max_tx_rate
	);
	return send_change(place, IFLA_VF_RATE, &rate, sizeof(rate), what, err);
}

int functions_set_attributes(
	struct functions *functions,
	const char *address,
	const struct function_attributes *attributes,
	struct rwy_err *err
)
{
	struct place place = {0};
	struct function_attributes now;
	struct function_counters counters;
	int r = place_open(functions, address, &place, err);
	if (r)
		return r;
	r = ask(&place, &now, &counters, err);
	// Always: one that the function chose itself gets to be its parent's choice.
	if (!r)
		r = set_mac(&place, attributes, err);
	if (!r)
		r = set_vlan(&place, attributes, &now, err);
	if (!r)
		r = set_switch(
			&place, IFLA_VF_SPOOFCHK, attributes->spoof_check, now.spoof_check, err
		);
	if (!r)
		r = set_switch(&place, IFLA_VF_TRUST, attributes->trust, now.trust, err);
	if (!r)
		r = set_link_state(&place, attributes, &now, err);
	if (!r)
		r = set_rate(&place, attributes, &now, err);
	nl_socket_free(place.socket);
	return r;
}
