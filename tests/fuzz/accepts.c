// SPDX-License-Identifier: BSD-3-Clause
// Listings of iptables, and the rules that follow from them. What is told is done to a model of the two chains: every
// removal finds its rule, no rule of others changes, and then there is nothing more to do.
#include "daemon/firewall/accepts.h"

#include <stdlib.h>
#include <string.h>

#define RULES_READ 64  // Of a listing, at most.
#define RULES_MAX 4096 // With what is added: some for each bridge that a listing names.
#define LINE_MAX_SIZE 256
#define TAG "ringway ab12"

struct chain {
	const char *name;
	char rules[RULES_MAX][LINE_MAX_SIZE];
	size_t count;
};

struct model {
	char head[4096]; // What is no rule of either chain.
	struct chain chains[2];
};

static const char interfaces[2][FIREWALL_INTERFACE_SIZE] = {"rwg1-ab12", "rwg2-ab12"};

static void insert(struct chain *chain, size_t at, const char *rule)
{
	if (chain->count == RULES_MAX || at > chain->count)
		abort();
	memmove(chain->rules[at + 1], chain->rules[at], (chain->count - at) * LINE_MAX_SIZE);
	memset(chain->rules[at], 0, LINE_MAX_SIZE);
	memcpy(chain->rules[at], rule, strlen(rule));
	chain->count++;
}

static void delete (struct chain *chain, const char *rule)
{
	for (size_t i = 0; i < chain->count; i++) {
		if (strcmp(chain->rules[i], rule) != 0)
			continue;
		chain->count--;
		memmove(chain->rules[i], chain->rules[i + 1], (chain->count - i) * LINE_MAX_SIZE);
		return;
	}
	abort();
}

// The chain of a line that says OPTION CHAIN, and what follows.
static struct chain *match(struct model *model, const char *option, char *line, char **ret_rest)
{
	if (strncmp(line, option, 3) != 0)
		return NULL;
	for (int i = 0; i < 2; i++) {
		size_t length = strlen(model->chains[i].name);
		if (strncmp(line + 3, model->chains[i].name, length) == 0 &&
		    line[3 + length] == ' ') {
			*ret_rest = line + 4 + length;
			return &model->chains[i];
		}
	}
	return NULL;
}

static void apply(struct model *model, char *line)
{
	char *rest;
	struct chain *chain = match(model, "-D ", line, &rest);
	if (chain) {
		delete (chain, rest);
		return;
	}
	chain = match(model, "-I ", line, &rest);
	if (chain) {
		size_t at = strtoul(rest, &rest, 10);
		if (!at || *rest != ' ')
			abort();
		insert(chain, at - 1, rest + 1);
		return;
	}
	chain = match(model, "-A ", line, &rest);
	if (chain)
		insert(chain, chain->count, rest);
	else if (strcmp(line, "*filter") != 0 && strcmp(line, "COMMIT") != 0)
		abort();
}

// False: more than the model holds.
static bool read_listing(struct model *model, char *text)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *rest;
		struct chain *chain = match(model, "-A ", line, &rest);
		if (strlen(line) >= LINE_MAX_SIZE)
			return false;
		if (chain) {
			if (chain->count == RULES_READ)
				return false;
			insert(chain, chain->count, rest);
		} else {
			if (strlen(model->head) + strlen(line) + 2 > sizeof(model->head))
				return false;
			strcat(strcat(model->head, line), "\n");
		}
	}
	return true;
}

static char *list(const struct model *model, bool ours)
{
	static char text[sizeof(model->head) + sizeof(model->chains) * 2];
	strcpy(text, model->head);
	for (int i = 0; i < 2; i++)
		for (size_t n = 0; n < model->chains[i].count; n++) {
			const char *rule = model->chains[i].rules[n];
			if (!ours && strstr(rule, "--comment \"" TAG "\" "))
				continue;
			strcat(strcat(strcat(text, "-A "), model->chains[i].name), " ");
			strcat(strcat(text, rule), "\n");
		}
	return strdup(text);
}

static char *plan(const char *listing, size_t count)
{
	char *script = NULL;
	if (accepts_plan(listing, TAG, interfaces, count, &script))
		abort();
	return script;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model model; // Large.
	if (!size || size > sizeof(model.head))
		return 0;
	model.head[0] = '\0';
	model.chains[0].name = "FORWARD";
	model.chains[1].name = "DOCKER-USER";
	model.chains[0].count = model.chains[1].count = 0;
	size_t count = data[0] % 3;
	char *text = strndup((const char *)data, size);
	// As it is, and as the model would list it: a rule may stand anywhere in what is read.
	free(plan(text, count));
	if (read_listing(&model, text)) {
		char *others = list(&model, false);
		char *before = list(&model, true);
		char *script = plan(before, count);
		for (char *line = script ? strtok(script, "\n") : NULL; line;
		     line = strtok(NULL, "\n"))
			apply(&model, line);
		char *others_after = list(&model, false);
		char *after = list(&model, true);
		if (strcmp(others, others_after) != 0 || plan(after, count))
			abort();
		free(others);
		free(before);
		free(script);
		free(others_after);
		free(after);
	}
	free(text);
	return 0;
}
