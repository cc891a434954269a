// SPDX-License-Identifier: BSD-3-Clause
// The host's side of an instance's networks: what is in force, and what has to follow when that changes. Whoever holds the
// service's lock, in the host's namespace. text.c makes the rules, ruleset.c hands them to the kernel, accepts.c deals
// with iptables, reserve.c keeps ports, sysctl.c sets the host's settings, flows.c ends flows.
#include "daemon/firewall/firewall.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/firewall/accepts.h"
#include "daemon/firewall/flows.h"
#include "daemon/firewall/reserve.h"
#include "daemon/firewall/ruleset.h"
#include "daemon/firewall/sysctl.h"
#include "daemon/firewall/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Accepts that failed, or are none of nftables', are looked at only so often, since that starts programs.
#define SLOW_CHECKS 10

struct interfaces {
	char (*list)[FIREWALL_INTERFACE_SIZE];
	size_t count;
};

struct firewall {
	char table[24];
	char tag[24]; // The comment on rules of ours between those of iptables.
	struct ruleset *ruleset;
	struct reservations reservations;
	char *text;		       // The script in force; NULL: none was set by this process.
	struct ruleset_table in_force; // What it made.
	struct flows_targets targets;
	struct interfaces accepted;
	bool accepts_done;	 // They are as `accepted` says, as far as is known.
	bool accepts_complained; // That they could not be set has been logged.
	bool all_nftables;	 // The rule set's generation tells of all changes.
	uint32_t generation;	 // When all was last found right.
	unsigned int waited;	 // Checks since accepts were last looked at.
};

static void name_instance(struct firewall *firewall, const char *run_dir)
{
	uint32_t hash = 2166136261U; // FNV-1a.
	size_t length = strlen(run_dir);
	while (length > 1 && run_dir[length - 1] == '/')
		length--;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)run_dir[i]) * 16777619U;
	unsigned int digits = (hash ^ hash >> 16) & 0xffff;
	bool usual = length == strlen("/run/ringway") && !strncmp(run_dir, "/run/ringway", length);
	// Both fit.
	if (usual)
		(void)snprintf(firewall->table, sizeof(firewall->table), "ringway");
	else
		(void)snprintf(firewall->table, sizeof(firewall->table), "ringway_%04x", digits);
	(void)snprintf(firewall->tag, sizeof(firewall->tag), "ringway %04x", digits);
}

int firewall_open(const char *run_dir, struct firewall **ret, struct rwy_err *err)
{
	struct firewall *firewall = calloc(1, sizeof(*firewall));
	if (!firewall)
		return err_set(err, -ENOMEM, "cannot set the host's rules: out of memory");
	name_instance(firewall, run_dir);
	int r = ruleset_open(&firewall->ruleset, err);
	if (r) {
		firewall_close(firewall);
		return r;
	}
	firewall->all_nftables = accepts_are_nftables();
	*ret = firewall;
	return 0;
}

void firewall_close(struct firewall *firewall)
{
	if (!firewall)
		return;
	reservations_fini(&firewall->reservations);
	flows_targets_fini(&firewall->targets);
	ruleset_close(firewall->ruleset);
	free(firewall->accepted.list);
	free(firewall->text);
	free(firewall);
}

// Those whose packets others must let pass.
static int list_interfaces(
	const struct firewall_network *networks,
	size_t network_count,
	struct interfaces *ret
)
{
	struct interfaces found = {.list = calloc(network_count + 1, sizeof(*found.list))};
	if (!found.list)
		return -ENOMEM;
	for (size_t i = 0; i < network_count; i++)
		if (!networks[i].internal)
			memcpy(found.list[found.count++], networks[i].interface, sizeof(*found.list)
			);
	*ret = found;
	return 0;
}

static bool interfaces_equal(const struct interfaces *a, const struct interfaces *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->list[i], b->list[i]) != 0)
			return false;
	return true;
}

// The table is in force without them, and containers reach each other and the host: so their failing is no failure of
// what was asked, but is tried again by firewall_check().
static int accept_interfaces(struct firewall *firewall)
{
	struct rwy_err err = {0};
	const struct interfaces *wanted = &firewall->accepted;
	int r = accepts_apply(
		firewall->tag,
		(const char(*)[FIREWALL_INTERFACE_SIZE])wanted->list,
		wanted->count,
		&err
	);
	firewall->accepts_done = r >= 0;
	if (r < 0 && !firewall->accepts_complained)
		log_err(&err, "cannot see to it that iptables lets containers through");
	firewall->accepts_complained = r < 0;
	return r;
}

static int put_in_force(struct firewall *firewall, const char *text, struct rwy_err *err)
{
	int r = ruleset_apply(firewall->ruleset, text, err);
	if (r)
		return r;
	// Not knowing how it looks makes the next firewall_check() put it there once more, which harms nobody.
	if (ruleset_look(firewall->ruleset, firewall->table, &firewall->in_force))
		firewall->in_force = (struct ruleset_table){0};
	return 0;
}

// Everything that follows from the table, once it is in force.
static void follow(
	struct firewall *firewall,
	struct interfaces *interfaces,
	struct flows_targets *targets
)
{
	if (!firewall->accepts_done || !interfaces_equal(&firewall->accepted, interfaces)) {
		free(firewall->accepted.list);
		firewall->accepted = *interfaces;
		*interfaces = (struct interfaces){0};
		(void)accept_interfaces(firewall); // Logged, and tried again.
	}
	int r = flows_cut(&firewall->targets, targets);
	if (r)
		log_warn("cannot end flows of ports that changed: %s", strerror(-r));
	flows_targets_fini(&firewall->targets);
	firewall->targets = *targets;
	*targets = (struct flows_targets){0};
}

int firewall_set(
	struct firewall *firewall,
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count,
	struct rwy_err *err
)
{
	struct interfaces interfaces = {0};
	struct flows_targets targets = {0};
	_cleanup_free_ char *text = firewall_text(
		firewall->table, networks, network_count, publishes, publish_count, err
	);
	if (!text)
		return err && err->code ? err->code : -EINVAL;
	int r = list_interfaces(networks, network_count, &interfaces);
	if (!r)
		r = flows_targets_make(networks, network_count, publishes, publish_count, &targets);
	if (r)
		err_set(err, r, "cannot set the host's rules: out of memory");
	// The same again would do nothing but set its counters to zero.
	if (!r && (!firewall->text || strcmp(firewall->text, text) != 0)) {
		r = put_in_force(firewall, text, err);
		if (!r) {
			free(firewall->text);
			firewall->text = text;
			text = NULL;
		}
	}
	if (!r) {
		// After the table: it guards what this opens.
		sysctl_apply(networks, network_count, publishes, publish_count);
		follow(firewall, &interfaces, &targets);
	}
	free(interfaces.list);
	flows_targets_fini(&targets);
	return r;
}

static bool is_in_force(const struct firewall *firewall, const struct ruleset_table *now)
{
	const struct ruleset_table *then = &firewall->in_force;
	return now->exists == then->exists && now->handle == then->handle &&
		now->rules == then->rules;
}

int firewall_check(struct firewall *firewall, struct rwy_err *err)
{
	uint32_t generation;
	struct ruleset_table now;
	bool restored = false;
	if (!firewall->text)
		return 0;
	// Read before anything is looked at: a change after it has another one.
	int r = ruleset_generation(firewall->ruleset, &generation);
	if (r)
		return err_set(err, r, "cannot look at the host's rules: %s", strerror(-r));
	bool told = firewall->all_nftables && firewall->accepts_done;
	if (generation == firewall->generation && (told || ++firewall->waited < SLOW_CHECKS))
		return 0;
	firewall->waited = 0;
	r = ruleset_look(firewall->ruleset, firewall->table, &now);
	if (r)
		return err_set(err, r, "cannot look at the host's rules: %s", strerror(-r));
	if (!is_in_force(firewall, &now)) {
		r = put_in_force(firewall, firewall->text, err);
		if (r)
			return r;
		restored = true;
		err_set(err, -ENOENT, "put back the table '%s'", firewall->table);
	}
	int changed = accept_interfaces(firewall);
	if (changed > 0)
		err_set(err, -ENOENT, "put back rules of iptables for containers");
	firewall->generation = generation;
	return restored || changed > 0;
}

int firewall_reserve(struct firewall *firewall, struct firewall_publish *io, struct rwy_err *err)
{
	return reservations_add(&firewall->reservations, io, err);
}

void firewall_release(struct firewall *firewall, uint32_t port_id)
{
	reservations_remove(&firewall->reservations, port_id);
}
