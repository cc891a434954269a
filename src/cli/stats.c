// SPDX-License-Identifier: BSD-3-Clause
// ringway stats: totals, or rates while one watches. One thread.
#include "base/fields.h"
#include "cli/cli.h"
#include "cli/rates.h"
#include "cli/table.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WIDE_ENOUGH 1024 // For 24 reasons with their counts.
#define INTERVAL_MIN 0.1
#define INTERVAL_MAX 86400.0

struct watch {
	double interval; // Seconds.
	long long count; // Samples still to show; negative: without end.
	bool json;
	bool in_place; // The terminal is redrawn.
};

static int get_stats(struct cli *cli, const struct cli_args *args, json_t **ret_stats)
{
	if (args->name_count == 1)
		return cli_call_name(cli, "GET", "/v1/stats?port=", args->names[0], ret_stats);
	return cli_call(cli, "GET", "/v1/stats", NULL, ret_stats);
}

static void add_total(struct table *table, json_t *port, const char *group, const char *name)
{
	json_t *holder = group ? json_object_get(port, group) : port;
	char text[HUMAN_SIZE];
	human_number((double)json_integer_value(json_object_get(holder, name)), text);
	table_add(table, text);
}

static void add_head(struct table *table, json_t *port)
{
	table_add(table, cli_member(port, "name"));
	table_add(table, cli_member(port, "network"));
	table_add(table, cli_member(port, "state"));
}

static void append_reasons(char text[WIDE_ENOUGH], json_t *drops, const char *whose)
{
	const char *reason;
	json_t *count;
	json_object_foreach(drops, reason, count)
	{
		size_t used = strlen(text);
		char number[HUMAN_SIZE];
		if (json_integer_value(count) <= 0)
			continue;
		human_number((double)json_integer_value(count), number);
		(void)snprintf(
			text + used,
			WIDE_ENOUGH - used,
			"%s%s%s %s",
			used ? ", " : "",
			whose,
			reason,
			number
		);
	}
}

// "full 12, source 3", or nothing. An uplink's own come before its port and are not counted there.
static void add_reasons(struct table *table, json_t *port)
{
	char text[WIDE_ENOUGH] = "";
	json_t *uplink = json_object_get(port, "uplink");
	append_reasons(text, json_object_get(port, "drops"), "");
	append_reasons(text, json_object_get(uplink, "drops"), "uplink ");
	table_add(table, text);
}

static int print_totals(struct cli *cli, json_t *stats)
{
	static const char *const titles[] = {
		"PORT",
		"NETWORK",
		"STATE",
		">RX FRAMES",
		">RX BYTES",
		">TX FRAMES",
		">TX BYTES",
		">DROPPED",
		"WHY",
		NULL,
	};
	_cleanup_table_ struct table *table = table_new(titles);
	json_t *port;
	size_t i;
	json_array_foreach(json_object_get(stats, "ports"), i, port)
	{
		if (!table)
			break;
		add_head(table, port);
		add_total(table, port, "rx", "frames");
		add_total(table, port, "rx", "bytes");
		add_total(table, port, "tx", "frames");
		add_total(table, port, "tx", "bytes");
		add_total(table, port, NULL, "dropped");
		add_reasons(table, port);
	}
	return cli_print_table(cli, table);
}

static void add_number(struct table *table, json_t *object, const char *name)
{
	table_addf(
		table, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(object, name))
	);
}

static int print_worker_totals(struct cli *cli, json_t *stats)
{
	static const char *const titles[] = {
		">WORKER'S CPU", ">QUEUES", ">AWAKE", ">SLEEPS", ">FRAMES", NULL};
	json_t *workers = json_object_get(json_object_get(stats, "switch"), "workers");
	_cleanup_table_ struct table *table = table_new(titles);
	json_t *worker;
	size_t i;
	json_array_foreach(workers, i, worker)
	{
		if (!table)
			break;
		add_number(table, worker, "core");
		add_number(table, worker, "queues");
		add_number(table, worker, "awake");
		add_total(table, worker, NULL, "sleeps");
		add_total(table, worker, NULL, "frames");
	}
	(void)fputc('\n', cli->out);
	return cli_print_table(cli, table);
}

static int show_totals(struct cli *cli, const struct cli_args *args, json_t *stats)
{
	int status = print_totals(cli, stats);
	// Workers serve all ports, so they say little about one.
	if (status == CLI_OK && !args->name_count)
		status = print_worker_totals(cli, stats);
	return status;
}

static void print_workers(struct cli *cli, json_t *before, json_t *after)
{
	json_t *workers = json_object_get(json_object_get(after, "switch"), "workers");
	double cpu = rates_switch_cpu(before, after);
	json_t *worker;
	size_t i;
	if (cpu >= 0)
		(void)fprintf(cli->out, "switch: CPU %.0f %%", cpu);
	else
		(void)fputs("switch: CPU unknown", cli->out);
	json_array_foreach(workers, i, worker)
	{
		double busy = rates_worker_busy(before, after, i);
		json_int_t core = json_integer_value(json_object_get(worker, "core"));
		if (busy >= 0)
			(void)fprintf(
				cli->out,
				", worker on core %" JSON_INTEGER_FORMAT
				" busy %.0f %%, %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
				" queues awake",
				core,
				busy,
				json_integer_value(json_object_get(worker, "awake")),
				json_integer_value(json_object_get(worker, "queues"))
			);
	}
	(void)fputs("; Gbit/s counts frame bytes\n", cli->out);
}

static void add_rates(struct table *table, const struct port_rate *rate)
{
	char text[HUMAN_SIZE];
	human_number(rate->rx_frames, text);
	table_add(table, text);
	table_addf(table, "%.3f", rate->rx_gbits);
	human_number(rate->tx_frames, text);
	table_add(table, text);
	table_addf(table, "%.3f", rate->tx_gbits);
	human_number(rate->drops, text);
	table_add(table, text);
}

static int print_rates(struct cli *cli, json_t *before, json_t *after)
{
	static const char *const titles[] = {
		"PORT",
		"NETWORK",
		"STATE",
		">RX FRAMES/S",
		">RX GBIT/S",
		">TX FRAMES/S",
		">TX GBIT/S",
		">DROPS/S",
		NULL,
	};
	_cleanup_table_ struct table *table = table_new(titles);
	json_t *port;
	size_t i;
	json_array_foreach(json_object_get(after, "ports"), i, port)
	{
		struct port_rate rate = rates_port(before, after, port);
		if (!table)
			break;
		add_head(table, port);
		add_rates(table, &rate);
	}
	print_workers(cli, before, after);
	return cli_print_table(cli, table);
}

static void wait_interval(double seconds)
{
	struct timespec left = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - floor(seconds)) * 1e9),
	};
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
}

static int show_sample(struct cli *cli, const struct watch *watch, json_t *before, json_t *after)
{
	// Home and clear: the table may have become smaller.
	if (watch->in_place)
		(void)fputs("\033[H\033[J", cli->out);
	if (watch->json) {
		(void)json_dumpf(after, cli->out, JSON_COMPACT); // A lost pipe shows in the flush.
		(void)fputc('\n', cli->out);
	} else if (print_rates(cli, before, after) != CLI_OK) {
		return CLI_FAILED;
	}
	if (fflush(cli->out) == 0)
		return CLI_OK;
	err_set(&cli->error, -EIO, "cannot write the rates: %s", strerror(errno));
	return cli_fail(cli);
}

static int watch_stats(struct cli *cli, const struct cli_args *args, struct watch watch)
{
	_cleanup_json_ json_t *before = NULL;
	if (get_stats(cli, args, &before))
		return cli_fail(cli);
	for (; watch.count != 0; watch.count -= watch.count > 0) {
		json_t *after = NULL;
		wait_interval(watch.interval);
		if (get_stats(cli, args, &after))
			return cli_fail(cli);
		int status = show_sample(cli, &watch, before, after);
		json_decref(before);
		before = after;
		if (status != CLI_OK)
			return status;
	}
	return CLI_OK;
}

static int parse_watch(struct cli *cli, const struct cli_args *args, struct watch *ret_watch)
{
	struct watch watch = {.interval = 1, .count = -1, .json = cli_value(args, "json")};
	const char *interval = cli_value(args, "interval");
	const char *lone = interval ? "interval" : "count";
	if (!cli_value(args, "watch") && cli_value(args, lone))
		return cli_usage(cli, args->cmd, "--%s goes with --watch", lone);
	char *end = NULL;
	if (interval)
		watch.interval = strtod(interval, &end);
	if (interval &&
	    (end == interval || *end || !(watch.interval >= INTERVAL_MIN) ||
	     watch.interval > INTERVAL_MAX))
		return cli_usage(
			cli,
			args->cmd,
			"--interval must be %.1f to %.0f seconds, not '%s'",
			INTERVAL_MIN,
			INTERVAL_MAX,
			interval
		);
	if (cli_number(cli, args, "count", &watch.count))
		return CLI_USAGE;
	if (cli_value(args, "count") && watch.count < 1)
		return cli_usage(cli, args->cmd, "--count must be at least 1");
	int fd = fileno(cli->out);
	watch.in_place = !watch.json && fd >= 0 && isatty(fd);
	*ret_watch = watch;
	return CLI_OK;
}

static int stats_show(struct cli *cli, const struct cli_args *args)
{
	struct watch watch = {0};
	_cleanup_json_ json_t *stats = NULL;
	int status = parse_watch(cli, args, &watch);
	if (status != CLI_OK)
		return status;
	if (cli_value(args, "watch"))
		return watch_stats(cli, args, watch);
	if (get_stats(cli, args, &stats))
		return cli_fail(cli);
	return watch.json ? cli_print_json(cli, stats) : show_totals(cli, args, stats);
}

static const struct cli_opt stats_opts[] = {
	{"watch", 'w', NULL, "show rates, again and again"},
	{"interval", 'i', "SECONDS", "how long to wait between them (default: 1)"},
	{"count", 'n', "N", "stop after N times"},
	{"json", 0, NULL, "print JSON; with --watch the counters, a line each time"},
	{0},
};

const struct cli_cmd stats_cmds[] = {
	{"stats",
	 "[PORT] [--watch]",
	 "Show the counters of one port or all: rx is what came from it.",
	 stats_opts,
	 0,
	 1,
	 stats_show,
	 false,
	 "Gbit/s counts the bytes of frames: no preamble, gap or check sequence.\n"},
	{0},
};
