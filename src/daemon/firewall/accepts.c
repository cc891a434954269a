// SPDX-License-Identifier: BSD-3-Clause
// Accepts in the rules of iptables. Whoever holds the service's lock. Docker (and others) make FORWARD drop what no rule
// accepts; an accept in a table of our own does not undo that, while our own table's drops hold whatever is accepted
// here. Docker keeps its own bridges apart in rules that come after an accept, so this says what those would.
#include "daemon/firewall/accepts.h"

#include "base/cleanup.h"
#include "daemon/firewall/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RULE_SIZE 224
#define RULE_READ_SIZE 1024
#define RUN_MS 5000
#define WAIT_SECONDS "3" // For another program's lock on the rules.

enum chain {
	CHAIN_FORWARD,
	CHAIN_DOCKER_USER,
	CHAIN_COUNT
};

static const char *const chain_name[CHAIN_COUNT] = {"FORWARD", "DOCKER-USER"};

struct chain_view {
	bool exists;
	bool drops;    // Its policy, or a rule without a condition.
	bool jumped;   // FORWARD looks into it.
	bool ended;    // A rule without a condition ends it; what comes after never counts.
	size_t before; // Rules before that end which stay.
	size_t kept;   // Ours.
};

struct plan {
	const char *tag;
	const char (*interfaces)[FIREWALL_INTERFACE_SIZE];
	size_t interface_count;
	char (*bridges)[FIREWALL_INTERFACE_SIZE]; // Docker's own, where there is DOCKER-USER.
	size_t bridge_count;
	struct chain_view chains[CHAIN_COUNT];
	int chosen; // enum chain, or -1.
	bool *kept; // Of what is wanted, see write_wanted().
	FILE *out;
	bool changed;
};

// Those about Docker's bridges; they come first, since a rule behind an accept never counts.
static size_t count_bridge_rules(const struct plan *plan)
{
	return plan->bridge_count * 2;
}

static size_t count_wanted(const struct plan *plan)
{
	return count_bridge_rules(plan) + plan->interface_count * 2;
}

static void write_bridge_rule(const struct plan *plan, size_t at, char ret_text[RULE_SIZE])
{
	static const char *const form[2] = {
		"-i rwg+ -o %.15s -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"
		" -m comment --comment \"%.60s\" -j DROP",
		"-i %.15s -o rwg+ -m comment --comment \"%.60s\" -j RETURN",
	};
	(void)snprintf(ret_text, RULE_SIZE, form[at % 2], plan->bridges[at / 2], plan->tag);
}

// The rule at this place among those that are wanted: two of each bridge, then what comes in and what goes out by each
// interface. What goes to a bridge is there by an answer or a published port, or comes from no network of ours. What
// comes from a bridge is Docker's to let out: it keeps its internal networks in.
static void write_wanted(const struct plan *plan, size_t at, char ret_text[RULE_SIZE])
{
	if (at < count_bridge_rules(plan)) {
		write_bridge_rule(plan, at, ret_text);
		return;
	}
	at -= count_bridge_rules(plan);
	// It fits: names have 15 characters.
	(void)snprintf(
		ret_text,
		RULE_SIZE,
		"-%c %.15s -m comment --comment \"%.60s\" -j ACCEPT",
		at % 2 ? 'o' : 'i',
		plan->interfaces[at / 2],
		plan->tag
	);
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

// The chain of "-A CHAIN rule", and the rule; -1: another line.
static int parse_rule(const char *line, char *ret_rule, size_t size)
{
	for (int chain = 0; chain < CHAIN_COUNT; chain++) {
		size_t length = strlen(chain_name[chain]);
		if (!begins(line, "-A ") || !begins(line + 3, chain_name[chain]) ||
		    line[3 + length] != ' ')
			continue;
		const char *rule = line + 4 + length;
		// What is cut is longer than any rule that is compared below.
		(void)snprintf(ret_rule, size, "%.*s", (int)strcspn(rule, "\n"), rule);
		return chain;
	}
	return -1;
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');
	return end ? end + 1 : line + strlen(line);
}

static bool is_tagged(const struct plan *plan, const char *rule)
{
	char mark[RULE_SIZE];
	(void)snprintf(mark, sizeof(mark), "--comment \"%.60s\" ", plan->tag); // It fits.
	return strstr(rule, mark);
}

static bool ends_chain(const char *rule)
{
	return begins(rule, "-j DROP") || begins(rule, "-j REJECT") ||
		strcmp(rule, "-j RETURN") == 0 || strcmp(rule, "-j ACCEPT") == 0;
}

static void view_rule(struct plan *plan, int chain, const char *rule)
{
	struct chain_view *view = &plan->chains[chain];
	bool drops = begins(rule, "-j DROP") || begins(rule, "-j REJECT");
	if (chain == CHAIN_FORWARD && strcmp(rule, "-j DOCKER-USER") == 0 && !view->ended)
		plan->chains[CHAIN_DOCKER_USER].jumped = true;
	if (view->ended || is_tagged(plan, rule))
		return;
	if (ends_chain(rule)) {
		view->ended = true;
		view->drops = drops || (view->drops && strcmp(rule, "-j ACCEPT") != 0);
	} else {
		view->before++;
	}
}

// The bridge that a rule of Docker's in one of its chains is about, when it is about what goes there.
static void view_bridge(struct plan *plan, const char *line)
{
	const char *end = line + strcspn(line, "\n");
	const char *out = strstr(line, " -o ");
	if (!begins(line, "-A DOCKER-") || begins(line, "-A DOCKER-USER ") || !out || out >= end ||
	    out[-1] == '!')
		return;
	size_t length = strcspn(out + 4, " \n");
	char *name = plan->bridges[plan->bridge_count];
	if (!length || length >= FIREWALL_INTERFACE_SIZE)
		return;
	memcpy(name, out + 4, length);
	name[length] = '\0';
	for (size_t i = 0; i < plan->bridge_count; i++)
		if (strcmp(plan->bridges[i], name) == 0)
			return;
	plan->bridge_count++;
}

static void view_bridges(struct plan *plan, const char *listing)
{
	if (!plan->interface_count || plan->chosen != CHAIN_DOCKER_USER)
		return;
	for (const char *line = listing; *line; line = next_line(line))
		view_bridge(plan, line);
}

static void view_all(struct plan *plan, const char *listing)
{
	char rule[RULE_READ_SIZE];
	for (const char *line = listing; *line; line = next_line(line)) {
		int chain = parse_rule(line, rule, sizeof(rule));
		if (chain >= 0)
			view_rule(plan, chain, rule);
		else if (begins(line, "-N DOCKER-USER\n"))
			plan->chains[CHAIN_DOCKER_USER].exists = true;
		else if (begins(line, "-P FORWARD DROP\n"))
			plan->chains[CHAIN_FORWARD].drops = true;
	}
	plan->chosen = -1;
	if (plan->chains[CHAIN_DOCKER_USER].exists && plan->chains[CHAIN_DOCKER_USER].jumped)
		plan->chosen = CHAIN_DOCKER_USER;
	else if (plan->chains[CHAIN_FORWARD].drops)
		plan->chosen = CHAIN_FORWARD;
}

// Whether this rule of ours is one that is wanted, and the first of its kind. No bridge's may come after an accept.
static bool keep_rule(struct plan *plan, int chain, const char *rule)
{
	char wanted[RULE_SIZE];
	for (size_t i = 0; i < count_wanted(plan); i++) {
		write_wanted(plan, i, wanted);
		if (strcmp(rule, wanted) != 0 || plan->kept[i])
			continue;
		plan->kept[i] = true;
		return i >= count_bridge_rules(plan) ||
			plan->chains[chain].kept < count_bridge_rules(plan);
	}
	return false;
}

// Whether each of our rules is wanted, once, and lies where it counts; and whether what is missing can come behind them.
static bool all_fit(struct plan *plan, const char *listing)
{
	char rule[RULE_READ_SIZE];
	bool ended[CHAIN_COUNT] = {false};
	for (const char *line = listing; *line; line = next_line(line)) {
		int chain = parse_rule(line, rule, sizeof(rule));
		if (chain < 0)
			continue;
		if (!is_tagged(plan, rule))
			ended[chain] = ended[chain] || ends_chain(rule);
		else if (chain != plan->chosen || ended[chain] || !keep_rule(plan, chain, rule))
			return false;
		else
			plan->chains[chain].kept++;
	}
	for (size_t i = 0; i < count_bridge_rules(plan); i++)
		if (!plan->kept[i])
			return false;
	return true;
}

// A rule is removed by its words, and the first that has them goes: so all of ours go when one has to.
static void remove_rules(struct plan *plan, const char *listing)
{
	char rule[RULE_READ_SIZE];
	if (all_fit(plan, listing)) {
		if (plan->chosen >= 0)
			plan->chains[plan->chosen].before += plan->chains[plan->chosen].kept;
		return;
	}
	memset(plan->kept, 0, count_wanted(plan) * sizeof(*plan->kept));
	for (const char *line = listing; *line; line = next_line(line)) {
		int chain = parse_rule(line, rule, sizeof(rule));
		if (chain >= 0 && is_tagged(plan, rule))
			(void)fprintf(plan->out, "-D %s %s\n", chain_name[chain], rule);
	}
	plan->changed = true;
}

static void add_rules(struct plan *plan)
{
	char rule[RULE_SIZE];
	if (plan->chosen < 0)
		return;
	struct chain_view *view = &plan->chains[plan->chosen];
	for (size_t i = 0; i < count_wanted(plan); i++) {
		if (plan->kept[i])
			continue;
		write_wanted(plan, i, rule);
		if (view->ended)
			(void)fprintf(
				plan->out,
				"-I %s %zu %s\n",
				chain_name[plan->chosen],
				++view->before,
				rule
			);
		else
			(void)fprintf(plan->out, "-A %s %s\n", chain_name[plan->chosen], rule);
		plan->changed = true;
	}
}

static size_t count_lines(const char *listing)
{
	size_t lines = 0;
	for (const char *line = listing; *line; line = next_line(line))
		lines++;
	return lines;
}

int accepts_plan(
	const char *listing,
	const char *tag,
	const char (*interfaces)[FIREWALL_INTERFACE_SIZE],
	size_t interface_count,
	char **ret_script
)
{
	struct plan plan = {
		.tag = tag, .interfaces = interfaces, .interface_count = interface_count};
	_cleanup_free_ char *script = NULL;
	size_t lines = count_lines(listing); // No more bridges than that.
	_cleanup_free_ bool *kept = calloc((interface_count + lines + 1) * 2, sizeof(*kept));
	_cleanup_free_ void *bridges = calloc(lines + 1, sizeof(*plan.bridges));
	size_t size;
	plan.kept = kept;
	plan.bridges = bridges;
	plan.out = open_memstream(&script, &size);
	if (!kept || !bridges || !plan.out) {
		if (plan.out)
			(void)fclose(plan.out); // Nothing was written.
		return -ENOMEM;
	}
	(void)fputs("*filter\n", plan.out);
	view_all(&plan, listing);
	view_bridges(&plan, listing);
	remove_rules(&plan, listing);
	add_rules(&plan);
	(void)fputs("COMMIT\n", plan.out);
	bool failed = ferror(plan.out);
	if (fclose(plan.out) || failed)
		return -ENOMEM;
	*ret_script = plan.changed ? script : NULL;
	if (plan.changed)
		script = NULL;
	return 0;
}

// The program's path; false: the machine has none.
static bool find_program(const char *name, char ret_path[64])
{
	static const char *const directories[] = {
		"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"};
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		(void)snprintf(ret_path, 64, "%s/%s", directories[i], name); // It fits.
		if (access(ret_path, X_OK) == 0)
			return true;
	}
	return false;
}

static int apply_family(
	const char *const programs[2],
	const char *tag,
	const char (*interfaces)[FIREWALL_INTERFACE_SIZE],
	size_t interface_count,
	struct rwy_err *err
)
{
	char lister[64];
	char restorer[64];
	_cleanup_free_ char *listing = NULL;
	_cleanup_free_ char *script = NULL;
	_cleanup_free_ char *said = NULL;
	if (!find_program(programs[0], lister) || !find_program(programs[1], restorer))
		return 0;
	const char *const list[] = {lister, "-w", WAIT_SECONDS, "-S", NULL};
	const char *const restore[] = {restorer, "-w", WAIT_SECONDS, "--noflush", NULL};
	int r = command_run(list, NULL, RUN_MS, &listing, err);
	if (r)
		return r;
	r = accepts_plan(listing, tag, interfaces, interface_count, &script);
	if (r)
		return err_set(err, r, "cannot make rules for %s: out of memory", lister);
	if (!script)
		return 0;
	r = command_run(restore, script, RUN_MS, &said, err);
	return r ? r : 1;
}

int accepts_apply(
	const char *tag,
	const char (*interfaces)[FIREWALL_INTERFACE_SIZE],
	size_t interface_count,
	struct rwy_err *err
)
{
	static const char *const programs[2][2] = {
		{"iptables", "iptables-restore"}, {"ip6tables", "ip6tables-restore"}};
	int changed = 0;
	int failed = 0;
	// One family's rules may be in a state that the other's are not.
	for (unsigned int family = 0; family < 2; family++) {
		int r = apply_family(programs[family], tag, interfaces, interface_count, err);
		if (r < 0)
			failed = r;
		else
			changed += r;
	}
	return failed ? failed : changed;
}

bool accepts_are_nftables(void)
{
	char path[64];
	_cleanup_free_ char *said = NULL;
	if (!find_program("iptables", path))
		return true;
	const char *const version[] = {path, "--version", NULL};
	return !command_run(version, NULL, RUN_MS, &said, NULL) && strstr(said, "nf_tables");
}
