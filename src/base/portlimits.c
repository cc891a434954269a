// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes limits. The option's table says which units there are and which limit a unit means in
// each direction; the rest is numbers. No state; any thread.
#include "base/portlimits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Indices of port_limits_fields.
enum {
	RX_BPS,
	RX_BURST,
	RX_FPS,
	RX_FRAME_BURST,
	TX_BPS,
	TX_BURST,
	TX_FPS,
	TX_FRAME_BURST,
	FLOOD_FPS,
	FLOOD_BURST,
	NONE = -1
};

const struct field port_limits_fields[PORT_LIMITS_COUNT] = {
	[RX_BPS] = FIELD(struct port_limits, rx_bps, FIELD_U64, 0),
	[RX_BURST] = FIELD(struct port_limits, rx_burst, FIELD_U64, 0),
	[RX_FPS] = FIELD(struct port_limits, rx_fps, FIELD_U64, 0),
	[RX_FRAME_BURST] = FIELD(struct port_limits, rx_frame_burst, FIELD_U64, 0),
	[TX_BPS] = FIELD(struct port_limits, tx_bps, FIELD_U64, 0),
	[TX_BURST] = FIELD(struct port_limits, tx_burst, FIELD_U64, 0),
	[TX_FPS] = FIELD(struct port_limits, tx_fps, FIELD_U64, 0),
	[TX_FRAME_BURST] = FIELD(struct port_limits, tx_frame_burst, FIELD_U64, 0),
	[FLOOD_FPS] = FIELD(struct port_limits, flood_fps, FIELD_U64, 0),
	[FLOOD_BURST] = FIELD(struct port_limits, flood_burst, FIELD_U64, 0),
};

_Static_assert(
	sizeof(struct port_limits) == PORT_LIMITS_COUNT * sizeof(uint64_t),
	"a limit has no field"
);

enum direction {
	RX,
	TX,
	FLOOD,
	DIRECTION_COUNT
};

static const char *const direction_names[DIRECTION_COUNT] = {"rx:", "tx:", "flood:"};

// The limits that share a unit: one for each direction.
struct unit {
	const char
		*names[5]; // The first is written, the others are read as well; "" is the default.
	int limits[DIRECTION_COUNT];
	const char *what;
	uint64_t most;
};

#define T 1000000000000ULL

static const struct unit units[PORT_LIMITS_OPTION_COUNT][2] = {
	[PORT_LIMITS_RATE] =
		{{{"bit", "", "bits", "bps", "bit/s"}, {RX_BPS, TX_BPS, NONE}, "bit/s", 10 * T},
		 {{"fps", "pps", "frames/s"}, {RX_FPS, TX_FPS, NONE}, "frames/s", T / 100}},
	[PORT_LIMITS_BURST] =
		{{{"B", "", "byte", "bytes"}, {RX_BURST, TX_BURST, NONE}, "bytes", T},
		 {{"frames", "frame"},
		  {RX_FRAME_BURST, TX_FRAME_BURST, FLOOD_BURST},
		  "frames",
		  T / 100}},
	[PORT_LIMITS_FLOOD_RATE] =
		{{{"fps", "", "pps", "frames/s"}, {NONE, NONE, FLOOD_FPS}, "frames/s", T / 100}},
};

static const struct {
	const char *name, *like;
} options[PORT_LIMITS_OPTION_COUNT] = {
	[PORT_LIMITS_RATE] = {"rate", "like 100M, 1.5Gbit, rx:100M or tx:50kfps"},
	[PORT_LIMITS_BURST] = {"burst", "like 64k, 1MB, rx:64KiB or tx:256frames"},
	[PORT_LIMITS_FLOOD_RATE] = {"flood rate", "like 1000 or 5kfps"},
};

static uint64_t *limit_at(struct port_limits *limits, int index)
{
	return (uint64_t *)((char *)limits + port_limits_fields[index].offset);
}

static uint64_t limit_get(const struct port_limits *limits, int index)
{
	return *(const uint64_t *)((const char *)limits + port_limits_fields[index].offset);
}

// "k", "Ki" and so on in front of a unit. False: rest has something else before it.
static bool read_scale(const char *rest, const char *unit, uint64_t *ret_scale)
{
	static const char letters[] = "kmgt";
	uint64_t scale = 1;
	if (strcasecmp(rest, unit) == 0) {
		*ret_scale = 1;
		return true;
	}
	// Only lower and upper case of these letters differ in this bit.
	const char *letter = *rest ? strchr(letters, *rest | 0x20) : NULL;
	if (!letter)
		return false;
	bool binary = (rest[1] | 0x20) == 'i' && strcasecmp(rest + 2, unit) == 0;
	if (!binary && strcasecmp(rest + 1, unit) != 0)
		return false;
	for (const char *p = letters; p <= letter; p++)
		scale *= binary ? 1024 : 1000;
	*ret_scale = scale;
	return true;
}

static const struct unit *find_unit(
	enum port_limits_option option,
	const char *rest,
	uint64_t *ret_scale
)
{
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 5 && units[option][i].names[j]; j++)
			if (read_scale(rest, units[option][i].names[j], ret_scale))
				return &units[option][i];
	return NULL;
}

// Digits and perhaps a fraction, times scale, exactly. 0, or -EINVAL: it is none or not whole; -ERANGE.
static int read_number(const char *text, size_t length, uint64_t scale, uint64_t *ret_number)
{
	uint64_t number = 0;
	uint64_t divisor = 1;
	bool fraction = false;
	size_t digits = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '.' && !fraction && digits) {
			fraction = true;
			digits = 0;
			continue;
		}
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return -ERANGE;
		if (fraction && __builtin_mul_overflow(divisor, 10, &divisor))
			return -EINVAL;
		digits++;
	}
	if (!digits)
		return -EINVAL;
	if (__builtin_mul_overflow(number, scale, &number))
		return -ERANGE;
	if (number % divisor)
		return -EINVAL;
	*ret_number = number / divisor;
	return 0;
}

// One word of a list, taken apart.
struct word {
	const char *text;
	bool directions[DIRECTION_COUNT];
	bool none;
	const struct unit *unit;
	uint64_t number;
};

static int refuse(enum port_limits_option option, const char *text, struct rwy_err *err)
{
	return err_set(
		err,
		-EINVAL,
		"%s '%.60s' is malformed: write it %s",
		options[option].name,
		text,
		options[option].like
	);
}

static const char *read_direction(
	enum port_limits_option option,
	const char *text,
	struct word *word
)
{
	for (int i = 0; i < DIRECTION_COUNT; i++) {
		size_t length = strlen(direction_names[i]);
		if (strncasecmp(text, direction_names[i], length) != 0)
			continue;
		word->directions[i] = true;
		return text + length;
	}
	word->directions[RX] = word->directions[TX] = option != PORT_LIMITS_FLOOD_RATE;
	word->directions[FLOOD] = option == PORT_LIMITS_FLOOD_RATE;
	return text;
}

static int read_word(
	enum port_limits_option option,
	const char *text,
	struct word *ret_word,
	struct rwy_err *err
)
{
	struct word word = {.text = text};
	uint64_t scale = 1;
	const char *from = read_direction(option, text, &word);
	size_t length = strspn(from, "0123456789.");
	word.none = strcasecmp(from, "none") == 0;
	if (word.none) {
		*ret_word = word;
		return 0;
	}
	word.unit = find_unit(option, from + length, &scale);
	if (!word.unit)
		return refuse(option, text, err);
	int r = read_number(from, length, scale, &word.number);
	if (r == -EINVAL)
		return refuse(option, text, err);
	if (r || word.number > word.unit->most)
		return err_set(
			err,
			-EINVAL,
			"%s '%.60s' is too large: at most %" PRIu64 " %s",
			options[option].name,
			text,
			word.unit->most,
			word.unit->what
		);
	*ret_word = word;
	return 0;
}

static int give(
	enum port_limits_option option,
	const struct word *word,
	int index,
	struct port_limits_given *given,
	struct rwy_err *err
)
{
	if (given->given & 1U << index)
		return err_set(
			err,
			-EINVAL,
			"%s '%.60s' says again what was given already",
			options[option].name,
			word->text
		);
	given->given |= 1U << index;
	*limit_at(&given->values, index) = word->number;
	return 0;
}

// Gives the limits of the word's directions; "none" those of every unit.
static int give_word(
	enum port_limits_option option,
	const struct word *word,
	struct port_limits_given *given,
	struct rwy_err *err
)
{
	bool any = false;
	for (size_t i = 0; i < 2; i++) {
		const struct unit *unit = &units[option][i];
		if (!unit->names[0] || (!word->none && word->unit != unit))
			continue;
		for (int j = 0; j < DIRECTION_COUNT; j++) {
			if (!word->directions[j] || unit->limits[j] == NONE)
				continue;
			int r = give(option, word, unit->limits[j], given, err);
			if (r)
				return r;
			any = true;
		}
	}
	return any ? 0 : refuse(option, word->text, err);
}

int port_limits_parse(
	enum port_limits_option option,
	const char *text,
	struct port_limits_given *given,
	struct rwy_err *err
)
{
	static const char separators[] = " ,";
	struct port_limits_given taken = *given;
	const char *at = text + strspn(text, separators);
	if (!*at)
		return refuse(option, text, err);
	while (*at) {
		char one[64];
		struct word word = {0};
		size_t length = strcspn(at, separators);
		if (length >= sizeof(one))
			return refuse(option, at, err);
		memcpy(one, at, length);
		one[length] = '\0';
		int r = read_word(option, one, &word, err);
		if (!r)
			r = give_word(option, &word, &taken, err);
		if (r)
			return r;
		at += length + strspn(at + length, separators);
	}
	*given = taken;
	return 0;
}

void port_limits_format(
	enum port_limits_option option,
	const struct port_limits *limits,
	char ret_text[PORT_LIMITS_TEXT_SIZE]
)
{
	size_t used = 0;
	ret_text[0] = '\0';
	for (size_t i = 0; i < 2 && units[option][i].names[0]; i++) {
		const struct unit *unit = &units[option][i];
		for (int j = 0; j < DIRECTION_COUNT; j++) {
			if (unit->limits[j] == NONE || !limit_get(limits, unit->limits[j]))
				continue;
			// Five of 34 characters at most: it fits.
			used += (size_t)snprintf(
				ret_text + used,
				PORT_LIMITS_TEXT_SIZE - used,
				"%s%s%" PRIu64 "%s",
				used ? " " : "",
				option == PORT_LIMITS_FLOOD_RATE ? "" : direction_names[j],
				limit_get(limits, unit->limits[j]),
				unit->names[0]
			);
		}
	}
}

static const struct {
	int burst, rate;
} pairs[] = {
	{RX_BURST, RX_BPS},
	{RX_FRAME_BURST, RX_FPS},
	{TX_BURST, TX_BPS},
	{TX_FRAME_BURST, TX_FPS},
	{FLOOD_BURST, FLOOD_FPS},
};

#define PAIR_COUNT (sizeof(pairs) / sizeof(pairs[0]))

void port_limits_apply(struct port_limits *limits, const struct port_limits_given *given)
{
	for (int i = 0; i < PORT_LIMITS_COUNT; i++)
		if (given->given & 1U << i)
			*limit_at(limits, i) = limit_get(&given->values, i);
	for (size_t i = 0; i < PAIR_COUNT; i++) {
		bool rate_given = given->given & 1U << pairs[i].rate;
		bool burst_given = given->given & 1U << pairs[i].burst;
		if (rate_given && !burst_given && !limit_get(limits, pairs[i].rate))
			*limit_at(limits, pairs[i].burst) = 0;
	}
}

static int check_sizes(const struct port_limits *limits, struct rwy_err *err)
{
	for (size_t i = 0; i < 2 * (size_t)PORT_LIMITS_OPTION_COUNT; i++) {
		const struct unit *unit = &units[i / 2][i % 2];
		for (int j = 0; unit->names[0] && j < DIRECTION_COUNT; j++)
			if (unit->limits[j] != NONE &&
			    limit_get(limits, unit->limits[j]) > unit->most)
				return err_set(
					err,
					-EINVAL,
					"limit %s is over %" PRIu64 " %s",
					port_limits_fields[unit->limits[j]].name,
					unit->most,
					unit->what
				);
	}
	return 0;
}

int port_limits_check(const struct port_limits *limits, struct rwy_err *err)
{
	for (size_t i = 0; i < PAIR_COUNT; i++) {
		if (!limit_get(limits, pairs[i].burst) || limit_get(limits, pairs[i].rate))
			continue;
		(void)err_set(
			err,
			-EINVAL,
			"a burst (%s) has no rate (%s) to go with",
			port_limits_fields[pairs[i].burst].name,
			port_limits_fields[pairs[i].rate].name
		);
		return err_hint(err, "give the rate too, or leave the burst out");
	}
	return check_sizes(limits, err);
}

json_t *port_limits_given_json(const struct port_limits_given *given)
{
	json_t *object = json_object();
	for (int i = 0; i < PORT_LIMITS_COUNT; i++) {
		json_int_t value = (json_int_t)limit_get(&given->values, i);
		if (!(given->given & 1U << i) ||
		    json_object_set_new(object, port_limits_fields[i].name, json_integer(value)) ==
			    0)
			continue;
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *port_limits_json(const struct port_limits *limits)
{
	struct port_limits_given given = {.values = *limits};
	for (int i = 0; i < PORT_LIMITS_COUNT; i++)
		if (limit_get(limits, i))
			given.given |= 1U << i;
	return port_limits_given_json(&given);
}

int port_limits_given_decode(
	json_t *object,
	struct port_limits_given *ret_given,
	struct rwy_err *err
)
{
	struct port_limits_given given = {0};
	if (!json_is_object(object))
		return err_set(err, -EINVAL, "'limits' must be an object");
	int r = fields_decode(object, port_limits_fields, PORT_LIMITS_COUNT, &given.values, err);
	if (r)
		return r;
	for (int i = 0; i < PORT_LIMITS_COUNT; i++)
		if (json_object_get(object, port_limits_fields[i].name))
			given.given |= 1U << i;
	*ret_given = given;
	return 0;
}
