// SPDX-License-Identifier: BSD-3-Clause
// Takes the command line apart: global options, the command, its options and names, by the tables
// of the nouns. Also writes the help, from the same tables. One thread.
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define NOUN_COUNT (sizeof(nouns) / sizeof(nouns[0]))
#define VALUE_BASE 256 // getopt_long's value of the first long option, beyond every letter.

static const struct cli_cmd *const nouns[] = {
	network_cmds,
	port_cmds,
	run_cmds,
	stop_cmds,
	ps_cmds,
	stats_cmds,
	switch_cmds,
	doctor_cmds,
	version_cmds,
};

// Every command has these, and they come after its own.
static const struct cli_opt common_opts[] = {
	{"run-dir", 0, "DIR", "where ringwayd's socket is (also: RINGWAY_RUN_DIR)"},
	{"help", 0, NULL, "show this help"},
};

static void print_opt(FILE *out, const struct cli_opt *opt)
{
	char left[64];
	(void)snprintf(
		left,
		sizeof(left),
		"%s%c%s--%s%s%s",
		opt->letter ? "-" : " ",
		opt->letter ? opt->letter : ' ',
		opt->letter ? ", " : "  ",
		opt->name,
		opt->value ? " " : "",
		opt->value ? opt->value : ""
	);
	(void)fprintf(out, "  %-26s  %s\n", left, opt->help);
}

int cli_help(struct cli *cli, const struct cli_cmd *cmd)
{
	const char *space = cmd->args[0] ? " " : "";
	(void)fprintf(cli->out, "usage: ringway %s%s%s\n\n", cmd->name, space, cmd->args);
	(void)fprintf(cli->out, "%s\n\noptions:\n", cmd->help);
	for (const struct cli_opt *opt = cmd->opts; opt && opt->name; opt++)
		print_opt(cli->out, opt);
	for (size_t i = 0; i < 2; i++)
		print_opt(cli->out, &common_opts[i]);
	if (cmd->more)
		(void)fprintf(cli->out, "\n%s", cmd->more);
	return CLI_OK;
}

static void list_commands(struct cli *cli, const struct cli_cmd *cmds)
{
	for (; cmds->name; cmds++)
		(void)fprintf(cli->out, "  %-16s  %s\n", cmds->name, cmds->help);
}

static int print_overview(struct cli *cli)
{
	(void
	)fputs("usage: ringway [--run-dir DIR] COMMAND ...\n\n"
	       "Networks for DPDK containers and ordinary ones.\n\ncommands:\n",
	       cli->out);
	for (size_t i = 0; i < NOUN_COUNT; i++)
		list_commands(cli, nouns[i]);
	(void
	)fputs("\noptions:\n"
	       "      --run-dir DIR           where ringwayd's socket is (also: RINGWAY_RUN_DIR;\n"
	       "                              default: " CLIENT_RUN_DIR ")\n"
	       "      --version               show the version of this program\n"
	       "      --help                  show this help; also after a command\n",
	       cli->out);
	return CLI_OK;
}

// How many words of argv are this command's name; 0: it is another.
static int match_name(const struct cli_cmd *cmd, int argc, char **argv)
{
	const char *space = strchr(cmd->name, ' ');
	if (!space)
		return strcmp(cmd->name, argv[0]) == 0;
	size_t length = (size_t)(space - cmd->name);
	if (argc < 2 || strlen(argv[0]) != length || strncmp(cmd->name, argv[0], length) != 0)
		return 0;
	return strcmp(space + 1, argv[1]) == 0 ? 2 : 0;
}

static const struct cli_cmd *find_command(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < NOUN_COUNT; i++)
		for (const struct cli_cmd *cmd = nouns[i]; cmd->name; cmd++) {
			int words = match_name(cmd, argc, argv);
			if (words) {
				*ret_words = words;
				return cmd;
			}
		}
	return NULL;
}

static const struct cli_cmd *find_noun(const char *word)
{
	for (size_t i = 0; i < NOUN_COUNT; i++) {
		const char *space = strchr(nouns[i][0].name, ' ');
		size_t length = space ? (size_t)(space - nouns[i][0].name) : 0;
		if (space && strlen(word) == length && strncmp(word, nouns[i][0].name, length) == 0)
			return nouns[i];
	}
	return NULL;
}

static int refuse_command(struct cli *cli, int argc, char **argv)
{
	const struct cli_cmd *noun = find_noun(argv[0]);
	if (!noun)
		return cli_usage(cli, NULL, "'%s' is no command", argv[0]);
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		(void)fprintf(cli->out, "usage: ringway %s COMMAND ...\n\ncommands:\n", argv[0]);
		list_commands(cli, noun);
		return CLI_OK;
	}
	struct cli_cmd shown = {.name = argv[0]};
	if (argc == 1)
		return cli_usage(cli, &shown, "a command is missing");
	return cli_usage(cli, &shown, "'%s' is no command", argv[1]);
}

struct getopt_tables {
	struct option longs[CLI_OPTS_MAX + 3];
	char shorts[2 * CLI_OPTS_MAX + 2];
	size_t own_count;
};

static void add_opt(struct getopt_tables *tables, const struct cli_opt *opt, size_t index)
{
	int with_value = opt->value && opt->value[0] == '[' ? optional_argument : required_argument;
	tables->longs[index] = (struct option){
		.name = opt->name,
		.has_arg = opt->value ? with_value : no_argument,
		.val = VALUE_BASE + (int)index,
	};
	size_t used = strlen(tables->shorts);
	if (!opt->letter)
		return;
	tables->shorts[used] = opt->letter;
	if (opt->value)
		tables->shorts[used + 1] = ':';
}

static void make_tables(const struct cli_cmd *cmd, struct getopt_tables *tables)
{
	// A leading ':' tells a missing value from an unknown option.
	*tables = (struct getopt_tables){.shorts = ":"};
	const struct cli_opt *opts = cmd->opts;
	while (opts && opts[tables->own_count].name) {
		add_opt(tables, &opts[tables->own_count], tables->own_count);
		tables->own_count++;
	}
	for (size_t i = 0; i < 2; i++)
		add_opt(tables, &common_opts[i], tables->own_count + i);
}

static size_t opt_index(const struct cli_cmd *cmd, int value)
{
	size_t index = 0;
	if (value >= VALUE_BASE)
		return (size_t)(value - VALUE_BASE);
	while (cmd->opts[index].letter != (char)value)
		index++;
	return index;
}

// Says which option getopt_long() did not like.
static int refuse_option(struct cli *cli, const struct cli_cmd *cmd, int found, char **argv)
{
	if (found == ':' && optopt < VALUE_BASE)
		return cli_usage(cli, cmd, "option '-%c' needs a value", optopt);
	if (found == ':')
		return cli_usage(cli, cmd, "option '%s' needs a value", argv[optind - 1]);
	if (optopt >= VALUE_BASE)
		return cli_usage(cli, cmd, "option '%s' takes no value", argv[optind - 1]);
	if (optopt)
		return cli_usage(cli, cmd, "there is no option '-%c'", optopt);
	return cli_usage(cli, cmd, "there is no option '%s'", argv[optind - 1]);
}

static int check_names(struct cli *cli, const struct cli_args *args)
{
	const struct cli_cmd *cmd = args->cmd;
	if (args->name_count < cmd->min_names)
		return cli_usage(
			cli, cmd, "a name is missing: ringway %s %s", cmd->name, cmd->args
		);
	if (args->name_count > cmd->max_names)
		return cli_usage(
			cli, cmd, "'%s' is one word too many", args->names[cmd->max_names]
		);
	return CLI_OK;
}

static bool is_many(const struct cli_opt *opt)
{
	size_t length = opt->value ? strlen(opt->value) : 0;
	return length > 2 && strcmp(opt->value + length - 2, "..") == 0;
}

static int take_value(struct cli *cli, struct cli_args *args, size_t index, const char *value)
{
	char *joined = NULL;
	const char *before = args->values[index];
	if (!before || !is_many(&args->cmd->opts[index])) {
		args->values[index] = value;
		return 0;
	}
	if (asprintf(&joined, "%s %s", before, value) < 0)
		return err_set(&cli->error, -ENOMEM, "cannot read the command line: no memory");
	free(args->joined[index]);
	args->values[index] = args->joined[index] = joined;
	return 0;
}

// A flag that "on" or "off" may follow; getopt_long() itself takes what stands behind '=' alone.
static const char *take_following(const struct cli_cmd *cmd, size_t index, char **argv)
{
	const char *value = cmd->opts[index].value;
	const char *next = argv[optind];
	if (!value || value[0] != '[' || !next)
		return "";
	if (strcmp(next, "on") != 0 && strcmp(next, "off") != 0)
		return "";
	optind++;
	return next;
}

// argv[0] is the last word of the command's name.
static int parse_and_run(struct cli *cli, struct cli_args *args, int argc, char **argv)
{
	const struct cli_cmd *cmd = args->cmd;
	struct getopt_tables tables;
	int found;

	if (cmd->raw) {
		args->names = argv + 1;
		args->name_count = argc - 1;
		return cmd->run(cli, args);
	}
	make_tables(cmd, &tables);
	optind = 0; // The GNU way to start anew.
	opterr = 0;
	while ((found = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		if (found == '?' || found == ':')
			return refuse_option(cli, cmd, found, argv);
		size_t index = opt_index(cmd, found);
		if (index == tables.own_count + 1)
			return cli_help(cli, cmd);
		if (index == tables.own_count) {
			cli->run_dir = optarg;
			continue;
		}
		if (take_value(
			    cli, args, index, optarg ? optarg : take_following(cmd, index, argv)
		    ))
			return cli_fail(cli);
	}
	args->names = argv + optind;
	args->name_count = argc - optind;
	int status = check_names(cli, args);
	return status ? status : cmd->run(cli, args);
}

static int run_command(struct cli *cli, const struct cli_cmd *cmd, int argc, char **argv)
{
	struct cli_args args = {.cmd = cmd};
	int status = parse_and_run(cli, &args, argc, argv);
	for (size_t i = 0; i < CLI_OPTS_MAX; i++)
		free(args.joined[i]);
	return status;
}

// Takes the options before the command. Returns how many words they are, or a negative exit status
// minus one when there is nothing more to do.
static int take_global_options(struct cli *cli, int argc, char **argv)
{
	int at = 1;
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
			return -1 - print_overview(cli);
		if (strcmp(argv[at], "--version") == 0) {
			(void)fprintf(cli->out, "ringway %s\n", RINGWAY_VERSION);
			return -1 - CLI_OK;
		}
		if (strncmp(argv[at], "--run-dir=", 10) == 0)
			cli->run_dir = argv[at] + 10;
		else if (strcmp(argv[at], "--run-dir") != 0)
			return -1 - cli_usage(cli, NULL, "there is no option '%s'", argv[at]);
		else if (at + 1 == argc)
			return -1 - cli_usage(cli, NULL, "option '--run-dir' needs a value");
		else
			cli->run_dir = argv[++at];
	}
	return at;
}

static int choose_command(struct cli *cli, int argc, char **argv)
{
	int at = take_global_options(cli, argc, argv);
	if (at < 0)
		return -1 - at;
	if (at == argc)
		return cli_usage(cli, NULL, "a command is missing");
	int words = 0;
	const struct cli_cmd *cmd = find_command(argc - at, argv + at, &words);
	if (!cmd)
		return refuse_command(cli, argc - at, argv + at);
	at += words - 1;
	return run_command(cli, cmd, argc - at, argv + at);
}

int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
	struct cli cli = {.out = out, .err = err};
	cli.run_dir = getenv("RINGWAY_RUN_DIR");
	if (!cli.run_dir || !cli.run_dir[0])
		cli.run_dir = CLIENT_RUN_DIR;
	int status = choose_command(&cli, argc, argv);
	client_free(cli.client);
	if (fflush(out) == 0 || status != CLI_OK)
		return status;
	(void)fputs("ringway: cannot write to standard output\n", err);
	return CLI_FAILED;
}
