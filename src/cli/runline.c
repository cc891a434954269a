// SPDX-License-Identifier: BSD-3-Clause
// Takes the words after `ringway run` apart as docker's own parser would (pflag, not interspersed), and
// gives docker's back. What --network says is read in runnet.c, the options' table is in runopts.c.
// Pure, but for the environment that `-e LD_PRELOAD` names.
#include "cli/runline.h"

#include "cli/runnet.h"
#include "cli/runopts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// As Go's strconv.ParseBool, which docker uses. NULL: the option stood alone, so it is meant.
static bool is_true(const char *value)
{
	static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True"};
	for (size_t i = 0; value && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value, words[i]) == 0)
			return true;
	return !value;
}

static int keep_option(struct run_line *line, const struct run_option *option, struct rwy_err *err)
{
	struct run_option *grown =
		reallocarray(line->options, line->option_count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, -ENOMEM, "cannot read the command line: no memory");
	line->options = grown;
	line->options[line->option_count++] = *option;
	return 0;
}

// Whether -e names LD_PRELOAD, which is joined with Ringway's own.
static bool take_preload(struct run_line *line, const char *value)
{
	static const char name[] = "LD_PRELOAD";
	size_t length = sizeof(name) - 1;
	if (strncmp(value, name, length) != 0 || (value[length] && value[length] != '='))
		return false;
	line->preload = value[length] ? value + length + 1 : getenv(name);
	return true;
}

// Notes what an option of docker's means to us; it is passed on as well.
static void note(struct run_line *line, enum run_word word, struct run_option *option)
{
	const char *value = option->value;
	switch (word) {
	case RUN_WORD_NAME:
		line->name = value;
		break;
	case RUN_WORD_DETACH:
		line->detach = is_true(value);
		option->no_create = true;
		break;
	case RUN_WORD_DETACH_KEYS:
		line->detach_keys = value;
		option->no_create = true;
		break;
	case RUN_WORD_SIG_PROXY:
		option->no_create = true;
		break;
	case RUN_WORD_INTERACTIVE:
		line->interactive = is_true(value);
		break;
	case RUN_WORD_PLATFORM:
		line->platform = value;
		break;
	case RUN_WORD_PULL:
		line->pull = value;
		break;
	case RUN_WORD_PUBLISH:
		line->publishes = true;
		break;
	case RUN_WORD_USER:
		line->user = value;
		break;
	case RUN_WORD_CPUS:
		line->cpus = value;
		break;
	case RUN_WORD_ULIMIT:
		line->has_memlock = line->has_memlock || strncmp(value, "memlock=", 8) == 0;
		break;
	default: // Docker's alone.
		break;
	}
}

// 1: the option is Ringway's, 0: it is docker's (too), or a negative errno.
static int apply(
	struct run_line *line,
	const struct run_known *known,
	struct run_option *option,
	struct rwy_err *err
)
{
	const char *value = option->value;
	enum run_word word = known ? known->word : RUN_WORD_PASS;
	switch (word) {
	case RUN_WORD_NETWORK:
		return run_network_add(line, value, err) ? err->code : 1;
	case RUN_WORD_QUEUES:
		line->queues = value;
		return 1;
	case RUN_WORD_VFS:
		line->vfs = value;
		return 1;
	case RUN_WORD_DRY_RUN:
		line->dry_run = is_true(value);
		return 1;
	case RUN_WORD_RUN_DIR:
		line->run_dir = value;
		return 1;
	case RUN_WORD_HELP:
		line->help = is_true(value);
		return 1;
	case RUN_WORD_IP:
		line->ip = value;
		return 1;
	case RUN_WORD_MAC:
		line->mac = value;
		return 1;
	case RUN_WORD_ENV:
		return take_preload(line, value);
	default:
		note(line, word, option);
		return 0;
	}
}

static int take(
	struct run_line *line,
	const struct run_known *known,
	struct run_option *option,
	struct rwy_err *err
)
{
	int r = apply(line, known, option, err);
	return r ? r : keep_option(line, option, err);
}

// --name, --name=value or --name value. Returns how many words it took or a negative errno.
static int take_long(struct run_line *line, char **words, struct rwy_err *err)
{
	const char *name = words[0] + 2;
	int length = (int)strcspn(name, "=");
	const struct run_known *known = run_known_name(name, length);
	struct run_option option = {.name = name, .boolean = known && known->boolean};
	int used = 1;
	if (name[length] == '=') {
		option.value = name + length + 1;
		option.attached = true;
	} else if (!option.boolean) {
		option.value = words[1];
		used = 2;
		if (!words[1])
			return err_set(err, -EINVAL, "option '%s' needs a value", words[0]);
	}
	int r = take(line, known, &option, err);
	return r < 0 ? r : used;
}

// One letter of -itd, -e X, -eX, -e=X. Sets *ret_rest to the letters that are left.
static int take_letter(
	struct run_line *line,
	const char *at,
	const char *next,
	const char **ret_rest,
	struct rwy_err *err
)
{
	const struct run_known *known = run_known_letter(*at);
	struct run_option option = {.letter = *at, .boolean = known && known->boolean};
	bool first = at[-1] == '-';
	option.joined =
		!first && line->option_count > 0 && line->options[line->option_count - 1].letter;
	*ret_rest = "";
	int used = 1;
	if (at[1] == '=' && at[2]) {
		option.value = at + 2;
	} else if (option.boolean) {
		*ret_rest = at + 1;
	} else if (at[1]) {
		option.value = at + 1;
	} else {
		option.value = next;
		used = 2;
		if (!next)
			return err_set(err, -EINVAL, "option '-%c' needs a value", *at);
	}
	int r = take(line, known, &option, err);
	return r < 0 ? r : used;
}

static int take_cluster(struct run_line *line, char **words, struct rwy_err *err)
{
	const char *at = words[0] + 1;
	int used = 1;
	while (*at && used > 0)
		used = take_letter(line, at, words[1], &at, err);
	return used;
}

static int take_words(struct run_line *line, char **words, struct rwy_err *err)
{
	while (*words && (*words)[0] == '-' && (*words)[1] && !line->help) {
		if (strcmp(*words, "--") == 0) {
			words++;
			break;
		}
		int used = (*words)[1] == '-' ? take_long(line, words, err)
					      : take_cluster(line, words, err);
		if (used < 0)
			return used;
		words += used;
	}
	line->image = words;
	return 0;
}

int run_line_parse(struct run_line *line, char **argv, struct rwy_err *err)
{
	*line = (struct run_line){0};
	int r = take_words(line, argv, err);
	if (r || line->help)
		return r;
	if (line->network_count == 0)
		return err_set(err, -EINVAL, "--network is missing");
	if (!line->image[0] || !line->image[0][0])
		return err_set(err, -EINVAL, "an image is missing");
	return run_network_finish(line, err);
}

void run_line_fini(struct run_line *line)
{
	for (size_t i = 0; i < line->network_count; i++)
		run_network_fini(&line->networks[i]);
	free(line->options);
	*line = (struct run_line){0};
}

static void add_long(const struct run_option *option, struct strv *words)
{
	// The name of an attached one goes on to its value.
	strv_addf(words, "--%s", option->name);
	if (option->value && !option->attached)
		strv_add(words, option->value);
}

static void add_letter(const struct run_option *option, bool join, struct strv *words)
{
	char text[3] = {'-', option->letter, '\0'};
	if (join)
		strv_append(words, text + 1);
	else
		strv_add(words, text);
	if (option->value && option->boolean) {
		strv_append(words, "=");
		strv_append(words, option->value);
	} else if (option->value) {
		strv_add(words, option->value);
	}
}

void run_line_options(const struct run_line *line, bool create, struct strv *ret_words)
{
	bool open = false; // The last word is a cluster of flags that the next letter may join.
	for (size_t i = 0; i < line->option_count; i++) {
		const struct run_option *option = &line->options[i];
		bool skipped = create && option->no_create;
		open = open && option->joined;
		if (skipped)
			continue;
		if (option->name)
			add_long(option, ret_words);
		else
			add_letter(option, open, ret_words);
		open = option->letter && !option->value;
	}
}
