/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the .proto files say, at run time: messages with their fields, services with their
 * methods. Read from the FileDescriptorSet that protoc makes of them and the build links in,
 * so that the .proto files are the one place where the API is written down.
 * Format: google/protobuf/descriptor.proto.
 *
 *     struct fl_types *types = fl_types_load(fl_api_bytes, fl_api_size);
 *     const struct fl_message_type *type = fl_types_find(types, "flintlock.types.MicroVM");
 */
#pragma once

#include "common/vec.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers of FieldDescriptorProto.Type, those that our files use. */
enum fl_field_kind {
	FL_FIELD_DOUBLE = 1,
	FL_FIELD_INT64 = 3,
	FL_FIELD_UINT64 = 4,
	FL_FIELD_INT32 = 5,
	FL_FIELD_BOOL = 8,
	FL_FIELD_TEXT = 9,
	FL_FIELD_MESSAGE = 11,
	FL_FIELD_BYTES = 12,
	FL_FIELD_UINT32 = 13,
	FL_FIELD_ENUM = 14,
};

struct fl_enum_type {
	char *name; /* full, without a leading dot */
	FL_VEC(struct fl_enum_value {
		char *name;
		int32_t number;
	}) values;
};

struct fl_message_type;

struct fl_field_type {
	char *name, *json_name;
	uint32_t number;
	enum fl_field_kind kind;
	bool repeated;     /* a map is a repeated message whose type is_map_entry */
	bool has_presence; /* absent and empty differ: optional, oneof, messages */
	bool in_oneof;     /* optional, oneof */
	const struct fl_message_type *message; /* of MESSAGE */
	const struct fl_enum_type *names;      /* of ENUM */
	char *type_name;                       /* while loading */
};

struct fl_message_type {
	char *name;
	FL_VEC(struct fl_field_type) fields;
	bool is_map_entry;
	bool is_timestamp; /* google.protobuf.Timestamp */
};

struct fl_method_type {
	char *name;
	const struct fl_message_type *input, *output;
	char *input_name, *output_name;
	bool streams_in, streams_out;
};

struct fl_service_type {
	char *name; /* full */
	FL_VEC(struct fl_method_type) methods;
};

struct fl_file_type {
	char *name;
	const uint8_t *bytes; /* the FileDescriptorProto itself; borrowed */
	size_t size;
	FL_VEC(char *) imports;
	FL_VEC(char *) symbols; /* full names that it defines */
};

struct fl_types {
	FL_VEC(struct fl_message_type *) messages;
	FL_VEC(struct fl_enum_type *) enums;
	FL_VEC(struct fl_service_type *) services;
	FL_VEC(struct fl_file_type) files;
};

/* bytes stay in use. A set that protoc made is never wrong: another one ends the program. */
struct fl_types *fl_types_load(const void *bytes, size_t size);
void fl_types_free(struct fl_types *types); /* NULL is fine */

const struct fl_message_type *fl_types_find(const struct fl_types *types, const char *name);
const struct fl_service_type *fl_types_find_service(const struct fl_types *types,
						     const char *name);

/* By number on the wire, by either name in JSON; NULL when there is none. */
const struct fl_field_type *fl_message_field(const struct fl_message_type *type, uint32_t number);
const struct fl_field_type *fl_message_field_named(const struct fl_message_type *type,
						   const char *name);

/* NULL when the number has no name. */
const char *fl_enum_name(const struct fl_enum_type *type, int64_t number);
bool fl_enum_number(const struct fl_enum_type *type, const char *name, int32_t *number);
