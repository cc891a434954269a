// SPDX-License-Identifier: BSD-3-Clause
// The table of EAL options and the choice made from it. Uses no C library; called once, by the thread
// that starts EAL. preload.c brings the arguments here and the choice to EAL.
#include "plugins/preload/args.h"

enum option_value {
	VALUE_NONE,
	VALUE_REQUIRED, // "--name=value" or "--name" "value"
	VALUE_OPTIONAL, // "--name" or "--name=value"
};

struct option {
	const char *name; // Long name; NULL when there is only the letter.
	char letter;
	enum option_value value;
	uint32_t topic;
	uint32_t yields_to; // Ours is left out when the application gave one of these topics.
};

#define MEMORY (ARGS_KIND | ARGS_SECONDARY)
#define AMOUNT (MEMORY | ARGS_AMOUNT | ARGS_SOCKET)

// Every option that takes a value is here, so that a value is never taken for an option.
static const struct option options[] = {
	{"vdev", 0, VALUE_REQUIRED, ARGS_VDEV, ARGS_VDEV | ARGS_SECONDARY},
	{"file-prefix", 0, VALUE_REQUIRED, ARGS_PREFIX, ARGS_PREFIX},

	// An application that only says how much keeps our kind: "-m 512" still starts without hugepages.
	{NULL, 'm', VALUE_REQUIRED, ARGS_AMOUNT, AMOUNT},
	{"socket-mem", 0, VALUE_REQUIRED, ARGS_SOCKET, AMOUNT},
	{"socket-limit", 0, VALUE_REQUIRED, ARGS_SOCKET, AMOUNT},

	// One that says which kind gets none of ours: EAL refuses most mixtures.
	{"no-huge", 0, VALUE_NONE, ARGS_KIND, MEMORY | ARGS_SOCKET},
	{"in-memory", 0, VALUE_NONE, ARGS_KIND, MEMORY},
	{"single-file-segments", 0, VALUE_NONE, ARGS_KIND, MEMORY},
	{"legacy-mem", 0, VALUE_NONE, ARGS_KIND, MEMORY},
	{"match-allocations", 0, VALUE_NONE, ARGS_KIND, MEMORY},
	{"huge-unlink", 0, VALUE_OPTIONAL, ARGS_KIND, MEMORY},
	{"huge-dir", 0, VALUE_REQUIRED, ARGS_KIND, MEMORY},
	{"no-shconf", 0, VALUE_NONE, ARGS_SHCONF, ARGS_SHCONF | MEMORY},
	{"iova-mode", 0, VALUE_REQUIRED, ARGS_IOVA, ARGS_IOVA | ARGS_SECONDARY},
	{"proc-type", 0, VALUE_REQUIRED, 0, 0}, // ARGS_SECONDARY by its value.

	{"no-pci", 0, VALUE_NONE, ARGS_PCI, ARGS_PCI},
	{"allow", 'a', VALUE_REQUIRED, ARGS_PCI, ARGS_PCI},
	{"block", 'b', VALUE_REQUIRED, ARGS_PCI, ARGS_PCI},
	{"pci-whitelist", 'w', VALUE_REQUIRED, ARGS_PCI, ARGS_PCI}, // DPDK 20.08 and older.
	{"pci-blacklist", 0, VALUE_REQUIRED, ARGS_PCI, ARGS_PCI},

	{"no-telemetry", 0, VALUE_NONE, ARGS_TELEMETRY, ARGS_TELEMETRY},
	{"telemetry", 0, VALUE_NONE, ARGS_TELEMETRY, ARGS_TELEMETRY},

	{"lcores", 'l', VALUE_REQUIRED, ARGS_CORES, ARGS_CORES},
	{"main-lcore", 0, VALUE_REQUIRED, ARGS_CORES, ARGS_CORES},
	{"master-lcore", 0, VALUE_REQUIRED, ARGS_CORES, ARGS_CORES},
	{NULL, 'c', VALUE_REQUIRED, ARGS_CORES, ARGS_CORES},
	{NULL, 's', VALUE_REQUIRED, ARGS_CORES, ARGS_CORES},
	{NULL, 'S', VALUE_REQUIRED, ARGS_CORES, ARGS_CORES},

	{"base-virtaddr", 0, VALUE_REQUIRED, 0, 0},
	{"force-max-simd-bitwidth", 0, VALUE_REQUIRED, 0, 0},
	{"huge-worker-stack", 0, VALUE_OPTIONAL, 0, 0},
	{"log-level", 0, VALUE_REQUIRED, 0, 0},
	{"mbuf-pool-ops-name", 0, VALUE_REQUIRED, 0, 0},
	{"syslog", 0, VALUE_REQUIRED, 0, 0},
	{"trace", 0, VALUE_REQUIRED, 0, 0},
	{"trace-bufsz", 0, VALUE_REQUIRED, 0, 0},
	{"trace-dir", 0, VALUE_REQUIRED, 0, 0},
	{"trace-mode", 0, VALUE_REQUIRED, 0, 0},
	{"vfio-intr", 0, VALUE_REQUIRED, 0, 0},
	{"vfio-vf-token", 0, VALUE_REQUIRED, 0, 0},
	{NULL, 'd', VALUE_REQUIRED, 0, 0},
	{NULL, 'n', VALUE_REQUIRED, 0, 0},
	{NULL, 'r', VALUE_REQUIRED, 0, 0},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

// One argument, understood.
struct parsed {
	const struct option *option; // NULL: not in the table.
	const char *value;	     // NULL: none here.
	bool takes_next;	     // The value is the next argument.
};

static size_t name_length(const char *text)
{
	size_t length = 0;
	while (text[length] != '\0' && text[length] != '=')
		length++;
	return length;
}

static bool has_prefix(const char *text, const char *prefix, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] != prefix[i])
			return false;
	}
	return true;
}

// getopt_long takes any unambiguous beginning of a name, so we do: what is ambiguous EAL refuses anyway.
static const struct option *find_long(const char *name, size_t length)
{
	const struct option *found = NULL;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (!options[i].name || !has_prefix(options[i].name, name, length))
			continue;
		if (options[i].name[length] == '\0')
			return &options[i];
		if (!found)
			found = &options[i];
	}
	return found;
}

static const struct option *find_letter(char letter)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (options[i].letter == letter)
			return &options[i];
	}
	return NULL;
}

static struct parsed parse_long(const char *name)
{
	const size_t length = name_length(name);
	struct parsed parsed = {.option = find_long(name, length)};
	if (name[length] == '=')
		parsed.value = name + length + 1;
	else
		parsed.takes_next = parsed.option && parsed.option->value == VALUE_REQUIRED;
	return parsed;
}

// Letters may be joined ("-vm64"): the first one that takes a value ends them.
static struct parsed parse_letters(const char *letters)
{
	struct parsed parsed = {0};
	for (size_t i = 0; letters[i] != '\0'; i++) {
		parsed.option = find_letter(letters[i]);
		if (!parsed.option)
			continue;
		parsed.value = letters[i + 1] != '\0' ? &letters[i + 1] : NULL;
		parsed.takes_next = !parsed.value;
		break;
	}
	return parsed;
}

static struct parsed parse_arg(const char *arg)
{
	if (arg[0] != '-' || arg[1] == '\0')
		return (struct parsed){0};
	return arg[1] == '-' ? parse_long(arg + 2) : parse_letters(arg + 1);
}

static bool is_secondary(const struct parsed *parsed, const char *value)
{
	static const char option[] = "proc-type";
	static const char type[] = "secondary";
	return value && parsed->option && parsed->option->name &&
		has_prefix(parsed->option->name, option, sizeof(option)) &&
		has_prefix(value, type, sizeof(type));
}

int args_split(char *text, const char *ret_lines[ARGS_MAX])
{
	int count = 0;
	while (*text != '\0') {
		char *end = text;
		while (*end != '\0' && *end != '\n')
			end++;
		const bool last = *end == '\0';
		*end = '\0';
		if (end > text) {
			if (count == ARGS_MAX)
				return -1;
			ret_lines[count++] = text;
		}
		text = last ? end : end + 1;
	}
	return count;
}

uint32_t args_topics(int argc, const char *const *argv, int first)
{
	uint32_t topics = 0;
	for (int i = first; i < argc && argv[i]; i++) {
		if (argv[i][0] == '-' && argv[i][1] == '-' && argv[i][2] == '\0')
			break;
		const struct parsed parsed = parse_arg(argv[i]);
		const char *value = parsed.value;
		if (parsed.takes_next)
			value = i + 1 < argc ? argv[++i] : NULL;
		if (parsed.option)
			topics |= parsed.option->topic;
		if (is_secondary(&parsed, value))
			topics |= ARGS_SECONDARY;
	}
	return topics;
}

int args_choose(
	uint32_t given,
	int count,
	const char *const *ours,
	const char *ret_chosen[ARGS_MAX]
)
{
	int chosen = 0;
	for (int i = 0; i < count; i++) {
		const struct parsed parsed = parse_arg(ours[i]);
		const bool keep = !parsed.option || (parsed.option->yields_to & given) == 0;
		if (keep)
			ret_chosen[chosen++] = ours[i];
		if (!parsed.takes_next || i + 1 == count)
			continue;
		i++;
		if (keep)
			ret_chosen[chosen++] = ours[i];
	}
	return chosen;
}

static size_t write_number(unsigned int number, char *ret_text)
{
	char digits[10];
	size_t count = 0;
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	for (size_t i = 0; i < count; i++)
		ret_text[i] = digits[count - 1 - i];
	return count;
}

bool args_share_cpu(const uint8_t *set, size_t set_size, char ret_arg[ARGS_CORES_SIZE])
{
	static const char head[] = "--lcores=(0,1)@";
	unsigned int cpu = 0;
	unsigned int count = 0;
	for (size_t bit = 0; bit < set_size * 8 && count < 2; bit++) {
		if ((set[bit / 8] >> (bit % 8) & 1) == 0)
			continue;
		cpu = (unsigned int)bit;
		count++;
	}
	if (count != 1)
		return false;
	for (size_t i = 0; i < sizeof(head) - 1; i++)
		ret_arg[i] = head[i];
	ret_arg[sizeof(head) - 1 + write_number(cpu, ret_arg + sizeof(head) - 1)] = '\0';
	return true;
}
