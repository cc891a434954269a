// SPDX-License-Identifier: BSD-3-Clause
// Published ports in one line. No state; any thread.
#include "cli/published.h"

#include "base/fields.h"
#include "cli/cli.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// So many ports of the host in a row that lead to as many in a row.
struct range {
	const char *ip, *proto; // The list's.
	json_int_t host, container, count;
};

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	int r = strcmp(x->proto, y->proto);
	if (!r)
		r = strcmp(x->ip, y->ip);
	return r ? r : (x->host > y->host) - (x->host < y->host);
}

static bool follows(const struct range *range, const struct range *next)
{
	return strcmp(next->proto, range->proto) == 0 && strcmp(next->ip, range->ip) == 0 &&
		next->host == range->host + range->count &&
		next->container == range->container + range->count;
}

// Returns how many are left.
static size_t join(struct range *ranges, size_t count)
{
	size_t last = 0;
	for (size_t i = 1; i < count; i++) {
		if (follows(&ranges[last], &ranges[i]))
			ranges[last].count++;
		else
			ranges[++last] = ranges[i];
	}
	return count ? last + 1 : 0;
}

static void print_ports(FILE *out, json_int_t first, json_int_t count)
{
	(void
	)fprintf(out, "%" JSON_INTEGER_FORMAT, first); // Memory that is short shows at the end.
	if (count > 1)
		(void)fprintf(out, "-%" JSON_INTEGER_FORMAT, first + count - 1);
}

static void print_range(FILE *out, const struct range *range)
{
	bool is_ipv6 = strchr(range->ip, ':');
	if (range->ip[0])
		(void)fprintf(out, is_ipv6 ? "[%s]:" : "%s:", range->ip);
	print_ports(out, range->host, range->count);
	(void)fputs("->", out);
	print_ports(out, range->container, range->count);
	(void)fprintf(out, "/%s", range->proto);
}

char *published_text(const json_t *list)
{
	size_t count = json_array_size(list);
	struct range *ranges = calloc(count + 1, sizeof(*ranges));
	char *text = NULL;
	size_t size;
	FILE *out = ranges ? open_memstream(&text, &size) : NULL;
	for (size_t i = 0; out && i < count; i++) {
		json_t *entry = json_array_get(list, i);
		ranges[i] = (struct range){
			.ip = cli_member(entry, "host_ip"),
			.proto = cli_member(entry, "proto"),
			.host = json_integer_value(json_object_get(entry, "host_port")),
			.container = json_integer_value(json_object_get(entry, "container_port")),
			.count = 1,
		};
	}
	if (out && count)
		qsort(ranges, count, sizeof(*ranges), compare_ranges);
	count = out ? join(ranges, count) : 0;
	for (size_t i = 0; i < count; i++) {
		if (i)
			(void)fputc(',', out);
		print_range(out, &ranges[i]);
	}
	free(ranges);
	if (out && fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
