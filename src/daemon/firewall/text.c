// SPDX-License-Identifier: BSD-3-Clause
// The nftables script of an instance: sets and maps of what there is, and a fixed number of rules that look there.
// Pure; any thread. firewall.c hands it to the kernel.
#include "daemon/firewall/text.h"

#include "base/cleanup.h"
#include "daemon/firewall/publish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct script {
	FILE *out;
	const struct firewall_network *networks;
	size_t network_count;
	const struct firewall_publish *publishes;
	size_t publish_count;
};

// Elements of a set or map, so far.
struct elements {
	FILE *out;
	bool any;
};

static const char *const family_digit[2] = {"4", "6"};
static const char *const address_type[2] = {"ipv4_addr", "ipv6_addr"};

static bool is_subnet(unsigned int family, const char *text)
{
	char address[FIREWALL_ADDRESS_SIZE];
	size_t length = strcspn(text, "/");
	if (!text[length] || length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	const char *prefix = text + length + 1;
	size_t digits = strspn(prefix, "0123456789");
	return publish_is_address(family, address) && digits && digits <= 3 && !prefix[digits] &&
		strtoul(prefix, NULL, 10) <= (family ? 128 : 32);
}

// What an interface's name may have here: it becomes part of the script, of paths and of command lines.
static bool is_interface(const char *name)
{
	size_t length =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
	return length && length < FIREWALL_INTERFACE_SIZE && !name[length] && name[0] != '-' &&
		name[0] != '.';
}

static int check_network(const struct firewall_network *network, struct rwy_err *err)
{
	if (!is_interface(network->interface))
		return err_set(err, -EINVAL, "cannot make rules for network %u: '%.15s' is no interface's name", network->id, network->interface);
	for (unsigned int family = 0; family < 2; family++)
		if (network->subnet[family][0] && !is_subnet(family, network->subnet[family]))
			return err_set(
				err,
				-EINVAL,
				"cannot make rules for network %u: '%.49s' is no IPv%s subnet",
				network->id,
				network->subnet[family],
				family_digit[family]
			);
	return 0;
}

static void begin_elements(struct elements *elements)
{
	(void)fputs(elements->any ? ",\n\t\t\t" : "\t\telements = {\n\t\t\t", elements->out);
	elements->any = true;
}

static void end_elements(const struct elements *elements)
{
	(void)fputs(elements->any ? "\n\t\t}\n\t}\n" : "\t}\n", elements->out);
}

static void write_interfaces(struct script *script, const char *name, bool internal)
{
	struct elements elements = {.out = script->out};
	(void)fprintf(script->out, "\tset %s {\n\t\ttype ifname\n", name);
	for (size_t i = 0; i < script->network_count; i++) {
		if (internal && !script->networks[i].internal)
			continue;
		begin_elements(&elements);
		(void)fprintf(script->out, "\"%s\"", script->networks[i].interface);
	}
	end_elements(&elements);
}

static void write_same(struct script *script)
{
	struct elements elements = {.out = script->out};
	(void)fputs("\tset same {\n\t\ttype ifname . ifname\n", script->out);
	for (size_t i = 0; i < script->network_count; i++) {
		const char *interface = script->networks[i].interface;
		begin_elements(&elements);
		(void)fprintf(script->out, "\"%s\" . \"%s\"", interface, interface);
	}
	end_elements(&elements);
}

static void write_own(struct script *script, unsigned int family)
{
	struct elements elements = {.out = script->out};
	(void)fprintf(
		script->out,
		"\tset own%s {\n\t\ttype %s . ifname\n\t\tflags interval\n",
		family_digit[family],
		address_type[family]
	);
	for (size_t i = 0; i < script->network_count; i++) {
		const struct firewall_network *network = &script->networks[i];
		if (!network->subnet[family][0])
			continue;
		begin_elements(&elements);
		(void
		)fprintf(script->out, "%s . \"%s\"", network->subnet[family], network->interface);
	}
	end_elements(&elements);
}

static void write_masquerade(struct script *script, unsigned int family)
{
	struct elements elements = {.out = script->out};
	(void)fprintf(
		script->out,
		"\tset masquerade%s {\n\t\ttype %s\n\t\tflags interval\n\t\tauto-merge\n",
		family_digit[family],
		address_type[family]
	);
	for (size_t i = 0; i < script->network_count; i++) {
		const struct firewall_network *network = &script->networks[i];
		if (!network->subnet[family][0] || network->internal || !network->masquerade)
			continue;
		begin_elements(&elements);
		(void)fputs(network->subnet[family], script->out);
	}
	end_elements(&elements);
}

static int write_published(
	struct script *script,
	const struct firewall_publish *publish,
	unsigned int family,
	bool any,
	struct elements *elements
)
{
	struct publish_families families;
	if (!publish_network(publish, script->networks, script->network_count))
		return 0;
	int r = publish_families(publish, &families, NULL);
	if (r || families.any != any || !families.family[family])
		return r;
	uint16_t port = publish->bound ? publish->bound : publish->host_port;
	begin_elements(elements);
	if (!any)
		(void)fprintf(script->out, "%s . ", publish->host_ip);
	(void)fprintf(
		script->out,
		"%s . %u : %s . %u",
		publish_protocol(publish->proto),
		port,
		family ? publish->address6 : publish->address,
		publish->container_port
	);
	return 0;
}

static int write_publish_map(struct script *script, unsigned int family, bool any)
{
	struct elements elements = {.out = script->out};
	(void)fprintf(
		script->out,
		"\tmap %s%s {\n\t\ttype %s%sinet_proto . inet_service : %s . inet_service\n",
		any ? "any" : "one",
		family_digit[family],
		any ? "" : address_type[family],
		any ? "" : " . ",
		address_type[family]
	);
	for (size_t i = 0; i < script->publish_count; i++) {
		int r = write_published(script, &script->publishes[i], family, any, &elements);
		if (r)
			return r;
	}
	end_elements(&elements);
	return 0;
}

// What a container may send to the host at all, before anything else looks at it. route_localnet of a gateway's
// interface would otherwise open the host's loopback addresses to containers; router advertisements and redirects
// would change the host's routes. Of the host, a container of an internal network reaches the gateway's address alone,
// whatever routes it makes for itself.
static const char guard_rules[] =
	"\tchain guard {\n"
	"\t\ttype filter hook prerouting priority raw; policy accept;\n"
	"\t\tiifname != @gateways accept\n"
	"\t\tip daddr 127.0.0.0/8 counter drop comment \"the host's loopback\"\n"
	"\t\ticmp type redirect counter drop comment \"the host's routes\"\n"
	"\t\ticmpv6 type { nd-router-advert, nd-redirect } counter drop"
	" comment \"the host's routes\"\n"
	"\t\tiifname @internal ip daddr != { 224.0.0.0/4, 255.255.255.255 }"
	" ip daddr . iifname != @own4 counter drop comment \"from an internal network\"\n"
	"\t\tiifname @internal ip6 daddr != { fe80::/10, ff00::/8 }"
	" ip6 daddr . iifname != @own6 counter drop comment \"from an internal network\"\n"
	"\t\tip saddr . iifname @own4 accept\n"
	"\t\tip6 saddr . iifname @own6 accept\n"
	"\t\tip saddr 0.0.0.0 ip daddr 255.255.255.255 accept\n"
	"\t\tip6 saddr { ::, fe80::/10 } accept\n"
	"\t\tcounter drop comment \"source address\"\n"
	"\t}\n";

// Packets to 127.0.0.0/8 from another machine are translated by nobody: the kernel drops them after this. ::1 cannot
// leave the loopback interface, and a link-local address cannot be routed.
static const char nat_rules[] =
	"\tchain prerouting {\n"
	"\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
	"\t\tip daddr 127.0.0.0/8 accept\n"
	"\t\tip6 daddr fe80::/10 accept\n"
	"\t\tfib daddr type local jump publish\n"
	"\t}\n"
	"\tchain output {\n"
	"\t\ttype nat hook output priority -100; policy accept;\n"
	"\t\tip6 daddr { ::1, fe80::/10 } accept\n"
	"\t\tfib daddr type local jump publish\n"
	"\t}\n"
	"\tchain publish {\n"
	"\t\tdnat ip to ip daddr . meta l4proto . th dport map @one4\n"
	"\t\tdnat ip to meta l4proto . th dport map @any4\n"
	"\t\tdnat ip6 to ip6 daddr . meta l4proto . th dport map @one6\n"
	"\t\tdnat ip6 to meta l4proto . th dport map @any6\n"
	"\t}\n"
	// A network's own containers reach each other through a published port only if the answer comes
	// back through the host, so their address is replaced too.
	"\tchain postrouting {\n"
	"\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
	"\t\toifname \"lo\" accept\n"
	"\t\tip saddr 127.0.0.0/8 oifname @gateways masquerade\n"
	"\t\tip saddr . oifname @own4 ct status dnat masquerade\n"
	"\t\tip6 saddr . oifname @own6 ct status dnat masquerade\n"
	"\t\tip saddr . oifname @own4 accept\n"
	"\t\tip6 saddr . oifname @own6 accept\n"
	"\t\tip saddr @masquerade4 masquerade\n"
	"\t\tip6 saddr @masquerade6 masquerade\n"
	"\t}\n";

// A packet that conntrack calls invalid is not translated: it would reach its receiver with an address that makes it
// reset the connection.
static const char forward_rules[] =
	"\tchain forward {\n"
	"\t\ttype filter hook forward priority filter; policy accept;\n"
	"\t\tiifname != @gateways oifname != @gateways accept\n"
	"\t\tiifname . oifname @same accept\n"
	"\t\tiifname @internal counter drop comment \"from an internal network\"\n"
	"\t\toifname @internal counter drop comment \"to an internal network\"\n"
	"\t\tct state established,related accept\n"
	"\t\tct state invalid counter drop comment \"invalid\"\n"
	"\t\tct status dnat accept\n"
	"\t\tiifname @gateways oifname @gateways counter drop comment \"other network\"\n"
	"\t\toifname @gateways counter drop comment \"not published\"\n"
	"\t}\n"
	// A redirect would send a container past the host, where nothing is translated.
	"\tchain redirects {\n"
	"\t\ttype filter hook output priority filter; policy accept;\n"
	"\t\toifname @gateways icmp type redirect drop\n"
	"\t\toifname @gateways icmpv6 type nd-redirect drop\n"
	"\t}\n";

static int write_table(struct script *script, const char *table)
{
	(void)fprintf(script->out, "table inet %s {\n", table);
	write_interfaces(script, "gateways", false);
	write_interfaces(script, "internal", true);
	write_same(script);
	for (unsigned int family = 0; family < 2; family++) {
		write_own(script, family);
		write_masquerade(script, family);
		for (unsigned int any = 0; any < 2; any++) {
			int r = write_publish_map(script, family, any);
			if (r)
				return r;
		}
	}
	(void)fputs(guard_rules, script->out);
	(void)fputs(nat_rules, script->out);
	(void)fputs(forward_rules, script->out);
	(void)fputs("}\n", script->out);
	return 0;
}

static int check_all(const struct script *script, struct rwy_err *err)
{
	struct publish_families families;
	for (size_t i = 0; i < script->network_count; i++) {
		int r = check_network(&script->networks[i], err);
		if (r)
			return r;
	}
	for (size_t i = 0; i < script->publish_count; i++) {
		int r = publish_families(&script->publishes[i], &families, err);
		if (r)
			return r;
	}
	return 0;
}

char *firewall_text(
	const char *table,
	const struct firewall_network *networks,
	size_t network_count,
	const struct firewall_publish *publishes,
	size_t publish_count,
	struct rwy_err *err
)
{
	struct script script = {
		.networks = networks,
		.network_count = network_count,
		.publishes = publishes,
		.publish_count = publish_count,
	};
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	if (check_all(&script, err))
		return NULL;
	script.out = open_memstream(&text, &size);
	if (!script.out) {
		err_set(err, -ENOMEM, "cannot make the host's rules: out of memory");
		return NULL;
	}
	// To add it first makes that there is one to delete.
	(void)fprintf(script.out, "add table inet %s\ndelete table inet %s\n", table, table);
	int r = network_count ? write_table(&script, table) : 0;
	// A stream in memory fails for want of memory alone, and says so at its end.
	bool failed = ferror(script.out);
	if (fclose(script.out) || failed || r) {
		err_set(err, r ? r : -ENOMEM, "cannot make the host's rules: out of memory");
		return NULL;
	}
	char *ret = text;
	text = NULL;
	return ret;
}
