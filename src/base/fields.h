// SPDX-License-Identifier: BSD-3-Clause
// JSON objects to and from C structs, by a table of fields. The wire's messages and the API's bodies
// are such tables, so that type checks, limits and "unknown field" exist once. Any thread.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
	FIELD_BOOL,   // bool
	FIELD_U16,    // uint16_t, a JSON integer
	FIELD_U32,    // uint32_t, a JSON integer
	FIELD_S32,    // int32_t, a JSON integer
	FIELD_U64,    // uint64_t, a JSON integer up to 2^63 - 1
	FIELD_HEX64,  // uint64_t, a JSON string "0x.." (JSON numbers are doubles to many readers)
	FIELD_STR,    // char[size], a JSON string shorter than size; longer is an error
	FIELD_MAC,    // uint8_t[6], a JSON string "aa:bb:cc:dd:ee:ff"
	FIELD_OBJECT, // a struct, a JSON object of the fields in table
	FIELD_ARRAY, // an array of structs: size is one element's, count_offset says where the count is
	FIELD_KIND_COUNT
};

enum {
	FIELD_REQUIRED = 1
};

// One field of an object. `offset` and `size` are of the member. For FIELD_ARRAY `offset` is that of
// the inline array `elem[max]`, `size` that of one element, `table`/`table_count` its fields and
// `count_offset` that of a uint32_t that holds how many elements are used.
struct field {
	const char *name;
	enum field_kind kind;
	unsigned int flags;
	size_t offset;
	size_t size;
	const struct field *table;
	size_t table_count;
	size_t count_offset;
	size_t max;
};

#define FIELD(type, member, field_kind, field_flags)                                  \
	{                                                                             \
		.name = #member, .kind = (field_kind), .flags = (field_flags),        \
		.offset = offsetof(type, member), .size = sizeof(((type *)0)->member) \
	}

#define FIELD_STRUCT(type, member, member_table)                                         \
	{                                                                                \
		.name = #member, .kind = FIELD_OBJECT, .offset = offsetof(type, member), \
		.size = sizeof(((type *)0)->member), .table = (member_table),            \
		.table_count = sizeof(member_table) / sizeof((member_table)[0])          \
	}

#define FIELD_LIST(type, member, count_member, elem_table)                              \
	{                                                                               \
		.name = #member, .kind = FIELD_ARRAY, .offset = offsetof(type, member), \
		.size = sizeof(((type *)0)->member[0]), .table = (elem_table),          \
		.table_count = sizeof(elem_table) / sizeof((elem_table)[0]),            \
		.count_offset = offsetof(type, count_member),                           \
		.max = sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0])     \
	}

#define FIELD_COUNT(table) (sizeof(table) / sizeof((table)[0]))

// Fills *out from object's members. Members that are absent keep what *out held, so callers set
// defaults first. A wrong type, a value out of range, a required member that is missing, empty or a zero
// MAC, or a member that no field names gives -EINVAL and a message that names the member.
int fields_decode(
	json_t *object,
	const struct field *table,
	size_t count,
	void *out,
	struct rwy_err *err
);

// Adds every field of *in to object. Empty strings, zero MACs and empty arrays are left out.
// 0 or -ENOMEM.
int fields_encode(const void *in, const struct field *table, size_t count, json_t *object);

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_json_ __attribute__((cleanup(cleanup_json)))
