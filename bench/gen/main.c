// SPDX-License-Identifier: BSD-3-Clause
// The generator's command line.
#include "bench/gen/gen.h"

#include <argp.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Exit statuses.
#define EXIT_UNSUPPORTED 3

enum option_key {
	OPTION_QUEUES = 256,
	OPTION_BUSY,
	OPTION_PATTERN,
	OPTION_BOTH_WAYS,
	OPTION_PACKED,
	OPTION_TSO,
	OPTION_ROUND_TRIP,
	OPTION_STEPS,
	OPTION_CPU,
	OPTION_WARM,
	OPTION_RATE,
	OPTION_READ_EVERY,
	OPTION_WAKES,
	OPTION_FLOODER,
	OPTION_GAP,
	OPTION_RX_BUFFER,
};

static const struct argp_option options[] = {
	{"ports", 'p', "FILE", 0, "A line for each port: 'SOCKET MAC' or 'if:INTERFACE MAC'", 0},
	{"size", 's', "BYTES", 0, "Frame size without check sequence (64)", 0},
	{"ring-size", 'r', "N", 0, "Entries of each ring (256)", 0},
	{"queues", OPTION_QUEUES, "N", 0, "Queue pairs of each port (1)", 0},
	{"rx-buffer",
	 OPTION_RX_BUFFER,
	 "BYTES",
	 0,
	 "Bytes of a frame in a receive buffer (2048)",
	 0},
	{"busy", OPTION_BUSY, "N", 0, "Ports that exchange frames, the first ones (all)", 0},
	{"pattern", OPTION_PATTERN, "NAME", 0, "Who sends to whom: pairs, ring, star (pairs)", 0},
	{"both-ways", OPTION_BOTH_WAYS, NULL, 0, "Receivers send as well", 0},
	{"packed", OPTION_PACKED, NULL, 0, "Packed rings", 0},
	{"tso", OPTION_TSO, NULL, 0, "Frames are TCP segments to be segmented", 0},
	{"round-trip", OPTION_ROUND_TRIP, NULL, 0, "paced: receivers send frames back", 0},
	{"rate", OPTION_RATE, "N", 0, "paced: frames/s of all senders together", 0},
	{"read-every", OPTION_READ_EVERY, "N", 0, "paced: look at every Nth frame only (1)", 0},
	{"wakes", OPTION_WAKES, "N", 0, "idle: single frames (100)", 0},
	{"flooder", OPTION_FLOODER, "N", 0, "Port N (from 1) sends to everybody", 0},
	{"flooder", OPTION_FLOODER, "N", 0, "Port N (from 1) sends to everybody", 0},
	{"gap", OPTION_GAP, "MS", 0, "idle: rest before each (20)", 0},
	{"seconds", 't', "S", 0, "Length of the measurement (5)", 0},
	{"warm", OPTION_WARM, "S", 0, "Time before it, under the same load (0.5)", 0},
	{"cpu", OPTION_CPU, "N", 0, "CPU of the generator's thread", 0},
	{"steps",
	 OPTION_STEPS,
	 NULL,
	 0,
	 "Wait for a line on standard input before and after measuring",
	 0},
	{0},
};

struct command {
	struct gen_config config;
	const char *mode;
};

int gen_fail(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("gen: ", stderr); // Nobody to tell.
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	return code;
}

static double parse_number(const char *text, double least, double most, struct argp_state *state)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= least && value <= most))
		argp_error(state, "'%s' is no number from %g to %g", text, least, most);
	return value;
}

static enum gen_pattern parse_pattern(const char *text, struct argp_state *state)
{
	static const char *const names[GEN_PATTERN_COUNT] = {"pairs", "ring", "star"};

	for (int i = 0; i < GEN_PATTERN_COUNT; i++)
		if (!strcmp(text, names[i]))
			return (enum gen_pattern)i;
	argp_error(state, "no pattern '%s': pairs, ring, star", text);
	return GEN_PAIRS;
}

// Options that are only there or not.
static bool set_flag(struct gen_config *config, int key)
{
	switch (key) {
	case OPTION_BOTH_WAYS:
		config->both_ways = true;
		return true;
	case OPTION_PACKED:
		config->packed = true;
		return true;
	case OPTION_TSO:
		config->tso = true;
		return true;
	case OPTION_ROUND_TRIP:
		config->round_trip = true;
		return true;
	case OPTION_STEPS:
		config->steps = true;
		return true;
	default:
		return false;
	}
}

static bool set_count(struct gen_config *config, int key, const char *arg, struct argp_state *state)
{
	switch (key) {
	case 's':
		config->frame_size =
			(uint32_t)parse_number(arg, GEN_FRAME_MIN, GEN_FRAME_MAX, state);
		return true;
	case 'r':
		config->ring_size = (uint32_t)parse_number(arg, 4, 32768, state);
		return true;
	case OPTION_QUEUES:
		config->queue_pairs = (uint32_t)parse_number(arg, 1, 16, state);
		return true;
	case OPTION_RX_BUFFER:
		config->rx_buffer = (uint32_t)parse_number(arg, 256, 1 << 20, state);
		return true;
	case OPTION_BUSY:
		config->busy = (uint32_t)parse_number(arg, 2, 65535, state);
		return true;
	case OPTION_READ_EVERY:
		config->read_every = (uint32_t)parse_number(arg, 1, 1e9, state);
		return true;
	case OPTION_WAKES:
		config->wakes = (uint32_t)parse_number(arg, 1, 1e6, state);
		return true;
	default:
		return false;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command *command = state->input;
	struct gen_config *config = &command->config;

	if (set_flag(config, key) || set_count(config, key, arg, state))
		return 0;
	switch (key) {
	case 'p':
		config->ports_path = arg;
		return 0;
	case 't':
		config->seconds = parse_number(arg, 0.01, 1e6, state);
		return 0;
	case OPTION_WARM:
		config->warm_seconds = parse_number(arg, 0, 1e6, state);
		return 0;
	case OPTION_RATE:
		config->rate = parse_number(arg, 1, 1e9, state);
		return 0;
	case OPTION_FLOODER:
		config->flooder = (uint32_t)parse_number(arg, 1, 65535, state);
		return 0;
	case OPTION_GAP:
		config->gap_ms = parse_number(arg, 0, 1e6, state);
		return 0;
	case OPTION_CPU:
		config->cpu = (int)parse_number(arg, 0, CPU_SETSIZE - 1, state);
		return 0;
	case OPTION_PATTERN:
		config->pattern = parse_pattern(arg, state);
		return 0;
	case ARGP_KEY_ARG:
		if (command->mode)
			argp_usage(state);
		command->mode = arg;
		return 0;
	case ARGP_KEY_END:
		if (!command->mode || !config->ports_path)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return gen_fail(-errno, "cannot run on CPU %d: %s", cpu, strerror(errno));
	return 0;
}

static int run(struct gen *gen, int (*mode)(struct gen *gen))
{
	int r = pin(gen->config.cpu);

	if (!r)
		r = ports_read(gen);
	if (!r)
		r = ports_open(gen);
	gen->hz = cycles_hz();
	if (!r)
		r = mode(gen);
	ports_close(gen);
	return r;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct gen *gen);
	} modes[] = {{"throughput", mode_throughput}, {"paced", mode_paced}, {"idle", mode_idle}};
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "throughput|paced|idle",
		.doc = "Generates frames for a switch and measures what it delivers; prints JSON.",
	};
	struct command command = {
		.config =
			{
				.frame_size = GEN_FRAME_MIN,
				.ring_size = 256,
				.queue_pairs = 1,
				.rx_buffer = 2048,
				.cpu = -1,
				.seconds = 5,
				.warm_seconds = 0.5,
				.rate = 1000,
				.read_every = 1,
				.wakes = 100,
				.gap_ms = 20,
			},
	};

	argp_err_exit_status = 2;
	(void)argp_parse(&argp, argc, argv, 0, NULL, &command); // Exits by itself.
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(command.mode, modes[i].name) != 0)
			continue;
		struct gen gen = {.config = command.config};
		int r = run(&gen, modes[i].run);
		return r == -ENOTSUP ? EXIT_UNSUPPORTED : r != 0;
	}
	(void)gen_fail(0, "no mode '%s': throughput, paced, idle", command.mode);
	return 2;
}
