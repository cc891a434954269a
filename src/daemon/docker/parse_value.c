// SPDX-License-Identifier: BSD-3-Clause
// Members and option values of the engine's bodies, each checked once. Used by parse_*.c alone. Pure; any thread.
#include "daemon/docker/parse_value.h"

#include "daemon/docker/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int parse_get_string(
	json_t *object,
	const char *member,
	char *ret_text,
	size_t size,
	struct rwy_err *err
)
{
	json_t *value = json_object_get(object, member);
	if (value && !json_is_string(value) && !json_is_null(value))
		return err_set(err, -EINVAL, "'%s' is not a string", member);
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	if (strlen(text) >= size)
		return err_set(
			err, -EINVAL, "'%s' is longer than %zu characters", member, size - 1
		);
	memcpy(ret_text, text, strlen(text) + 1);
	return 0;
}

int parse_get_id(
	json_t *object,
	const char *member,
	char ret_id[DOCKER_ID_SIZE],
	struct rwy_err *err
)
{
	char id[DOCKER_ID_SIZE] = "";
	int r = parse_get_string(object, member, id, sizeof(id), err);
	if (r)
		return r;
	if (!*id)
		return err_set(err, -EINVAL, "'%s' is missing", member);
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p))
			return err_set(
				err, -EINVAL, "'%s' is not an identifier of Docker's", member
			);
	memcpy(ret_id, id, sizeof(id));
	return 0;
}

int parse_get_object(json_t *object, const char *member, json_t **ret_value, struct rwy_err *err)
{
	json_t *value = json_object_get(object, member);
	if (json_is_null(value))
		value = NULL;
	if (value && !json_is_object(value))
		return err_set(err, -EINVAL, "'%s' is not an object", member);
	*ret_value = value;
	return 0;
}

int parse_read_number(
	const char *name,
	const char *text,
	uint32_t min,
	uint32_t max,
	uint32_t *ret_value,
	struct rwy_err *err
)
{
	char *end = NULL;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	// strtoul() takes signs and blanks, a number of ours has none.
	bool digits = isdigit((unsigned char)*text) && !*end;
	if (!digits || errno || value < min || value > max)
		return err_set(
			err,
			-EINVAL,
			"option '%s' is '%s', not a number from %u to %u",
			name,
			text,
			min,
			max
		);
	*ret_value = (uint32_t)value;
	return 0;
}

bool driver_name_is_valid(const char *name)
{
	size_t length = strlen(name);
	if (!length || length >= NAME_SIZE || !isalnum((unsigned char)*name))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return false;
	return true;
}

bool driver_key_is_valid(const char *key)
{
	return strlen(key) == KEY_SIZE - 1 && strspn(key, "0123456789abcdef") == KEY_SIZE - 1;
}

int parse_read_name(const char *option, const char *text, char *ret_name, struct rwy_err *err)
{
	if (!driver_name_is_valid(text)) {
		err_set(err, -EINVAL, "option '%s' is '%.80s', not a name", option, text);
		return err_hint(
			err,
			"1 to 63 letters, digits, '.', '_', '-', beginning with a letter or digit"
		);
	}
	memcpy(ret_name, text, strlen(text) + 1);
	return 0;
}

int parse_get_array(json_t *object, const char *member, json_t **ret_value, struct rwy_err *err)
{
	json_t *value = json_object_get(object, member);
	if (value && !json_is_array(value) && !json_is_null(value))
		return err_set(err, -EINVAL, "'%s' is not an array", member);
	*ret_value = json_is_array(value) ? value : NULL;
	return 0;
}

int parse_read_mac(
	const char *what,
	const char *text,
	uint8_t ret_mac[MAC_SIZE],
	struct rwy_err *err
)
{
	uint8_t mac[MAC_SIZE] = {0};
	if (mac_parse(text, mac) || mac_is_zero(mac))
		return err_set(err, -EINVAL, "%s '%.40s' is not a MAC address", what, text);
	if (mac_is_multicast(mac)) {
		err_set(err, -EINVAL, "MAC address %s is a multicast address", text);
		return err_hint(err, "the first octet must be even, for example 02:..");
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

int parse_read_switch(const char *name, const char *text, bool *ret_on, struct rwy_err *err)
{
	bool on = strcmp(text, "on") == 0;
	if (!on && strcmp(text, "off") != 0)
		return err_set(err, -EINVAL, "option '%s' is '%.40s', not on or off", name, text);
	*ret_on = on;
	return 0;
}

int parse_read_small(
	const char *name,
	const char *text,
	uint32_t min,
	uint32_t max,
	uint16_t *ret_value,
	struct rwy_err *err
)
{
	uint32_t value = 0;
	int r = parse_read_number(name, text, min, max, &value, err);
	if (!r)
		*ret_value = (uint16_t)value;
	return r;
}

// "xxxx:xx:xx.x", each x a hexadecimal digit.
static bool is_address(const char *text)
{
	static const char form[] = "xxxx:xx:xx.x";
	if (strlen(text) != strlen(form))
		return false;
	for (size_t i = 0; form[i]; i++) {
		bool fits =
			form[i] == 'x' ? isxdigit((unsigned char)text[i]) != 0 : text[i] == form[i];
		if (!fits)
			return false;
	}
	return true;
}

int parse_read_function(
	const char *what,
	const char *text,
	char ret_address[FUNCTION_SIZE],
	struct rwy_err *err
)
{
	char address[FUNCTION_SIZE + 6];
	const char *domain = strlen(text) == strlen("03:10.2") ? "0000:" : "";
	(void)snprintf(address, sizeof(address), "%s%.13s", domain, text); // Cut: then no address.
	for (char *p = address; *p; p++)
		*p = *p >= 'A' && *p <= 'F' ? (char)(*p | 0x20) : *p; // Lower case.
	if (!is_address(address))
		return err_set(
			err,
			-EINVAL,
			"%s '%.40s' is not a PCI function's address, like 0000:03:10.2",
			what,
			text
		);
	memcpy(ret_address, address, FUNCTION_SIZE);
	return 0;
}
