// SPDX-License-Identifier: BSD-3-Clause
// Names of networks, ports and places. No state; any thread.
#include "daemon/model/spec.h"

#include <errno.h>
#include <string.h>

#define NAME_HINT "1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or digit"

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int model_check_name(const char *kind, const char *name, struct rwy_err *err)
{
	size_t length = strlen(name);
	const char *why = NULL;
	if (!length)
		why = "the name is empty";
	else if (length >= NAME_SIZE)
		why = "the name is too long";
	else if (!is_alnum(name[0]))
		why = "the name begins with neither a letter nor a digit";
	for (size_t i = 0; i < length && !why; i++)
		if (!is_alnum(name[i]) && !strchr("._-", name[i]))
			why = "the name has a character that names cannot have";
	if (!why)
		return 0;
	err_set(err, -EINVAL, "cannot create %s '%.80s': %s", kind, name, why);
	err_hint(err, NAME_HINT);
	return -EINVAL;
}

int model_check_key(const char *key, struct rwy_err *err)
{
	if (strlen(key) == KEY_SIZE - 1 && strspn(key, "0123456789abcdef") == KEY_SIZE - 1)
		return 0;
	return err_set(err, -EINVAL, "'%.40s' is no container's key: 16 hexadecimal digits", key);
}
