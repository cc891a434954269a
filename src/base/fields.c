// SPDX-License-Identifier: BSD-3-Clause
// Table-driven JSON decoding and encoding. No state; any thread.
#include "base/fields.h"

#include "base/mac.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int decode_integer(const struct field *f, json_t *value, void *at, struct rwy_err *err)
{
	int64_t low = f->kind == FIELD_S32 ? INT32_MIN : 0;
	int64_t high = INT32_MAX;
	if (f->kind == FIELD_U16)
		high = UINT16_MAX;
	else if (f->kind == FIELD_U32)
		high = UINT32_MAX;
	else if (f->kind == FIELD_U64)
		high = INT64_MAX;
	if (!json_is_integer(value))
		return err_set(err, -EINVAL, "'%s' must be an integer", f->name);
	json_int_t number = json_integer_value(value);
	if (number < low || number > high)
		return err_set(
			err,
			-EINVAL,
			"'%s' must be from %" PRId64 " to %" PRId64 ", not %" JSON_INTEGER_FORMAT,
			f->name,
			low,
			high,
			number
		);
	if (f->kind == FIELD_U16)
		*(uint16_t *)at = (uint16_t)number;
	else if (f->kind == FIELD_U32)
		*(uint32_t *)at = (uint32_t)number;
	else if (f->kind == FIELD_U64)
		*(uint64_t *)at = (uint64_t)number;
	else
		*(int32_t *)at = (int32_t)number;
	return 0;
}

static int decode_hex64(const struct field *f, json_t *value, void *at, struct rwy_err *err)
{
	const char *text = json_string_value(value);
	char *end = NULL;
	errno = 0;
	uint64_t number = text ? strtoull(text, &end, 16) : 0;
	if (!text || strncmp(text, "0x", 2) != 0 || !text[2] || *end || errno)
		return err_set(err, -EINVAL, "'%s' must be a string like \"0x1f\"", f->name);
	*(uint64_t *)at = number;
	return 0;
}

static int decode_string(const struct field *f, json_t *value, void *at, struct rwy_err *err)
{
	if (!json_is_string(value))
		return err_set(err, -EINVAL, "'%s' must be a string", f->name);
	const char *text = json_string_value(value);
	size_t length = json_string_length(value);
	if (!length && (f->flags & FIELD_REQUIRED))
		return err_set(err, -EINVAL, "'%s' must not be empty", f->name);
	if (f->kind == FIELD_MAC) {
		uint8_t mac[MAC_SIZE];
		bool is_mac = strlen(text) == length && mac_parse(text, mac) == 0;
		// What is encoded again leaves a zero address out.
		if (!is_mac || (mac_is_zero(mac) && (f->flags & FIELD_REQUIRED)))
			return err_set(
				err,
				-EINVAL,
				"'%s' must be like 02:00:00:00:00:01, not '%s'",
				f->name,
				text
			);
		memcpy(at, mac, sizeof(mac));
		return 0;
	}
	if (length >= f->size || strlen(text) != length)
		return err_set(
			err,
			-EINVAL,
			"'%s' must be shorter than %zu bytes, without NUL",
			f->name,
			f->size
		);
	memcpy(at, text, length + 1);
	return 0;
}

static int decode_array(const struct field *f, json_t *value, void *out, struct rwy_err *err)
{
	if (!json_is_array(value))
		return err_set(err, -EINVAL, "'%s' must be an array", f->name);
	size_t count = json_array_size(value);
	if (count > f->max)
		return err_set(err, -EINVAL, "'%s' has more than %zu elements", f->name, f->max);
	char *elements = (char *)out + f->offset;
	for (size_t i = 0; i < count; i++) {
		int r = fields_decode(
			json_array_get(value, i),
			f->table,
			f->table_count,
			elements + i * f->size,
			err
		);
		if (r)
			return r;
	}
	*(uint32_t *)((char *)out + f->count_offset) = (uint32_t)count;
	return 0;
}

static int decode_one(const struct field *f, json_t *value, void *out, struct rwy_err *err)
{
	void *at = (char *)out + f->offset;
	switch (f->kind) {
	case FIELD_BOOL:
		if (!json_is_boolean(value))
			return err_set(err, -EINVAL, "'%s' must be true or false", f->name);
		*(bool *)at = json_is_true(value);
		return 0;
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_S32:
	case FIELD_U64:
		return decode_integer(f, value, at, err);
	case FIELD_HEX64:
		return decode_hex64(f, value, at, err);
	case FIELD_STR:
	case FIELD_MAC:
		return decode_string(f, value, at, err);
	case FIELD_OBJECT:
		if (!json_is_object(value))
			return err_set(err, -EINVAL, "'%s' must be an object", f->name);
		return fields_decode(value, f->table, f->table_count, at, err);
	case FIELD_ARRAY:
		return decode_array(f, value, out, err);
	case FIELD_KIND_COUNT:
		break;
	}
	return err_set(err, -EINVAL, "'%s' has no kind", f->name);
}

static const struct field *find_field(const struct field *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

int fields_decode(
	json_t *object,
	const struct field *table,
	size_t count,
	void *out,
	struct rwy_err *err
)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return err_set(err, -EINVAL, "not a JSON object");
	json_object_foreach(object, key, value) if (!find_field(table, count, key)) return err_set(
		err, -EINVAL, "unknown field '%.60s'", key
	);
	for (size_t i = 0; i < count; i++) {
		value = json_object_get(object, table[i].name);
		if (!value && (table[i].flags & FIELD_REQUIRED))
			return err_set(err, -EINVAL, "field '%s' is missing", table[i].name);
		if (!value)
			continue;
		int r = decode_one(&table[i], value, out, err);
		if (r)
			return r;
	}
	return 0;
}

static json_t *encode_object(const struct field *f, const void *at)
{
	json_t *object = json_object();
	if (object && fields_encode(at, f->table, f->table_count, object)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *encode_array(const struct field *f, const void *in)
{
	uint32_t count = *(const uint32_t *)((const char *)in + f->count_offset);
	json_t *array = json_array();
	for (uint32_t i = 0; array && i < count; i++) {
		const char *element = (const char *)in + f->offset + i * f->size;
		if (json_array_append_new(array, encode_object(f, element))) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

static json_t *encode_hex64(uint64_t number)
{
	char text[20];
	(void)snprintf(text, sizeof(text), "0x%" PRIx64, number); // Always fits.
	return json_string(text);
}

static json_t *encode_mac(const uint8_t *mac)
{
	char text[MAC_TEXT_SIZE];
	mac_format(mac, text);
	return json_string(text);
}

static json_t *encode_one(const struct field *f, const void *in)
{
	const void *at = (const char *)in + f->offset;
	switch (f->kind) {
	case FIELD_BOOL:
		return json_boolean(*(const bool *)at);
	case FIELD_U16:
		return json_integer(*(const uint16_t *)at);
	case FIELD_U32:
		return json_integer(*(const uint32_t *)at);
	case FIELD_S32:
		return json_integer(*(const int32_t *)at);
	case FIELD_U64:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case FIELD_HEX64:
		return encode_hex64(*(const uint64_t *)at);
	case FIELD_STR:
		return json_string(at);
	case FIELD_MAC:
		return encode_mac(at);
	case FIELD_OBJECT:
		return encode_object(f, at);
	case FIELD_ARRAY:
		return encode_array(f, in);
	case FIELD_KIND_COUNT:
		break;
	}
	return NULL;
}

static bool is_empty(const struct field *f, const void *in)
{
	const void *at = (const char *)in + f->offset;
	if (f->kind == FIELD_STR)
		return *(const char *)at == '\0';
	if (f->kind == FIELD_MAC)
		return mac_is_zero(at);
	if (f->kind == FIELD_ARRAY)
		return *(const uint32_t *)((const char *)in + f->count_offset) == 0;
	return false;
}

int fields_encode(const void *in, const struct field *table, size_t count, json_t *object)
{
	for (size_t i = 0; i < count; i++) {
		if (is_empty(&table[i], in))
			continue;
		json_t *value = encode_one(&table[i], in);
		if (!value || json_object_set_new(object, table[i].name, value))
			return -ENOMEM;
	}
	return 0;
}
