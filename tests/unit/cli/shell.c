// SPDX-License-Identifier: BSD-3-Clause
// Runs ringway's command line inside a test.
#include "tests/unit/cli/shell.h"

#include "base/cleanup.h"
#include "cli/cli.h"
#include "tests/lib/unit.h"

#include <string.h>

#define WORDS_MAX 64

static void check_one_line(const char *line, const char *text)
{
	const char *newline = strchr(text, '\n');
	if (text[0] && (!newline || newline[1]))
		fail_msg("%s: standard error is not one line: %s", line, text);
}

void shell_run(struct shell *shell, const char *line)
{
	char program[] = "ringway";
	char *words[WORDS_MAX] = {program};
	int count = 1;
	size_t out_size = 0;
	size_t err_size = 0;
	shell_fini(shell);
	_cleanup_free_ char *text = strdup(line);
	assert_non_null(text);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[count++] = strcmp(word, "''") == 0 ? word + 2 : word;
	FILE *out = open_memstream(&shell->out, &out_size);
	FILE *err = open_memstream(&shell->err, &err_size);
	assert_non_null(out);
	assert_non_null(err);
	shell->status = cli_main(count, words, out, err);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(fclose(err), 0);
	check_one_line(line, shell->err);
}

void shell_fini(struct shell *shell)
{
	free(shell->out);
	free(shell->err);
	*shell = (struct shell){0};
}
