/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/wire/types.h"

#include "cmd/fl-serve/wire/wire.h"
#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Calls take for every field of an embedded message. */
typedef void taker(struct fl_types *types, void *into, const struct fl_wire_field *field,
		   const char *scope);

static void each(struct fl_types *types, const uint8_t *bytes, size_t size, taker *take, void *into,
		 const char *scope)
{
	struct fl_wire_reader in = { bytes, bytes + size };
	struct fl_wire_field field;
	int more;

	while ((more = fl_wire_next(&in, &field)) > 0)
		take(types, into, &field, scope);
	if (more < 0)
		abort();
}

static char *text_of(const struct fl_wire_field *field)
{
	return fl_strndup((const char *)field->bytes, field->size);
}

/* The string that stands in field 1 of most descriptors. */
static char *name_in(const uint8_t *bytes, size_t size)
{
	struct fl_wire_reader in = { bytes, bytes + size };
	struct fl_wire_field field;

	while (fl_wire_next(&in, &field) > 0)
		if (field.number == 1 && field.type == FL_WIRE_BYTES)
			return text_of(&field);
	abort();
}

static char *full_name(const char *scope, const uint8_t *bytes, size_t size)
{
	fl_cleanup_free char *name = name_in(bytes, size);

	return *scope ? fl_asprintf("%s.%s", scope, name) : fl_strdup(name);
}

/* FieldDescriptorProto */
static void take_field(struct fl_types *types, void *into, const struct fl_wire_field *field,
		       const char *scope)
{
	struct fl_field_type *to = into;

	(void)types;
	(void)scope;
	switch (field->number) {
	case 1:
		to->name = text_of(field);
		break;
	case 3:
		to->number = (uint32_t)field->value;
		break;
	case 4:
		to->repeated = field->value == 3;
		break;
	case 5:
		to->kind = (enum fl_field_kind)field->value;
		break;
	case 6:
		to->type_name = text_of(field);
		break;
	case 9: /* oneof_index: proto3's optional is one, too */
		to->has_presence = to->in_oneof = true;
		break;
	case 10:
		to->json_name = text_of(field);
		break;
	default:
		break;
	}
}

/* EnumValueDescriptorProto */
static void take_enum_value(struct fl_types *types, void *into, const struct fl_wire_field *field,
			    const char *scope)
{
	struct fl_enum_value *to = into;

	(void)types;
	(void)scope;
	if (field->number == 1)
		to->name = text_of(field);
	else if (field->number == 2)
		to->number = (int32_t)field->value;
}

/* EnumDescriptorProto */
static void take_enum(struct fl_types *types, void *into, const struct fl_wire_field *field,
		      const char *scope)
{
	struct fl_enum_type *to = into;
	struct fl_enum_value value = { 0 };

	if (field->number != 2)
		return;
	each(types, field->bytes, field->size, take_enum_value, &value, scope);
	FL_VEC_ADD(&to->values, value);
}

static void add_enum(struct fl_types *types, const struct fl_wire_field *field, const char *scope)
{
	struct fl_enum_type *type = fl_alloc_zero(1, sizeof(*type));

	type->name = full_name(scope, field->bytes, field->size);
	each(types, field->bytes, field->size, take_enum, type, type->name);
	FL_VEC_ADD(&types->enums, type);
}

static void add_message(struct fl_types *types, const struct fl_wire_field *field,
			const char *scope);

/* MessageOptions */
static void take_options(struct fl_types *types, void *into, const struct fl_wire_field *field,
			 const char *scope)
{
	struct fl_message_type *to = into;

	(void)types;
	(void)scope;
	if (field->number == 7)
		to->is_map_entry = field->value;
}

/* DescriptorProto */
static void take_message(struct fl_types *types, void *into, const struct fl_wire_field *field,
			 const char *scope)
{
	struct fl_message_type *to = into;
	struct fl_field_type member = { 0 };

	switch (field->number) {
	case 2:
		each(types, field->bytes, field->size, take_field, &member, scope);
		member.has_presence |= member.kind == FL_FIELD_MESSAGE;
		FL_VEC_ADD(&to->fields, member);
		break;
	case 3:
		add_message(types, field, scope);
		break;
	case 4:
		add_enum(types, field, scope);
		break;
	case 7:
		each(types, field->bytes, field->size, take_options, to, scope);
		break;
	default:
		break;
	}
}

static void add_message(struct fl_types *types, const struct fl_wire_field *field,
			const char *scope)
{
	struct fl_message_type *type = fl_alloc_zero(1, sizeof(*type));

	type->name = full_name(scope, field->bytes, field->size);
	type->is_timestamp = strcmp(type->name, "google.protobuf.Timestamp") == 0;
	each(types, field->bytes, field->size, take_message, type, type->name);
	FL_VEC_ADD(&types->messages, type);
}

/* MethodDescriptorProto */
static void take_method(struct fl_types *types, void *into, const struct fl_wire_field *field,
			const char *scope)
{
	struct fl_method_type *to = into;

	(void)types;
	(void)scope;
	switch (field->number) {
	case 1:
		to->name = text_of(field);
		break;
	case 2:
		to->input_name = text_of(field);
		break;
	case 3:
		to->output_name = text_of(field);
		break;
	case 5:
		to->streams_in = field->value;
		break;
	case 6:
		to->streams_out = field->value;
		break;
	default:
		break;
	}
}

/* ServiceDescriptorProto */
static void take_service(struct fl_types *types, void *into, const struct fl_wire_field *field,
			 const char *scope)
{
	struct fl_service_type *to = into;
	struct fl_method_type method = { 0 };

	if (field->number != 2)
		return;
	each(types, field->bytes, field->size, take_method, &method, scope);
	FL_VEC_ADD(&to->methods, method);
}

static void add_service(struct fl_types *types, const struct fl_wire_field *field,
			const char *scope)
{
	struct fl_service_type *type = fl_alloc_zero(1, sizeof(*type));

	type->name = full_name(scope, field->bytes, field->size);
	each(types, field->bytes, field->size, take_service, type, type->name);
	FL_VEC_ADD(&types->services, type);
}

/* FileDescriptorProto, for what is not a definition */
static void take_file(struct fl_types *types, void *into, const struct fl_wire_field *field,
		      const char *scope)
{
	struct fl_file_type *to = into;

	(void)types;
	(void)scope;
	if (field->number == 1)
		to->name = text_of(field);
	else if (field->number == 3)
		FL_VEC_ADD(&to->imports, text_of(field));
}

static void take_definition(struct fl_types *types, void *into, const struct fl_wire_field *field,
			    const char *scope)
{
	struct fl_file_type *file = into;

	if (field->number == 4)
		add_message(types, field, scope);
	else if (field->number == 5)
		add_enum(types, field, scope);
	else if (field->number == 6)
		add_service(types, field, scope);
	else
		return;
	FL_VEC_ADD(&file->symbols, full_name(scope, field->bytes, field->size));
}

static void take_package(struct fl_types *types, void *into, const struct fl_wire_field *field,
			 const char *scope)
{
	char **package = into;

	(void)types;
	(void)scope;
	if (field->number == 2)
		*package = text_of(field);
}

/* FileDescriptorSet */
static void take_set(struct fl_types *types, void *into, const struct fl_wire_field *field,
		     const char *scope)
{
	struct fl_file_type file = { .bytes = field->bytes, .size = field->size };
	fl_cleanup_free char *package = NULL;

	(void)into;
	(void)scope;
	each(types, field->bytes, field->size, take_package, &package, "");
	each(types, field->bytes, field->size, take_file, &file, "");
	each(types, field->bytes, field->size, take_definition, &file, package ? package : "");
	FL_VEC_ADD(&types->files, file);
}

static const struct fl_enum_type *find_enum(const struct fl_types *types, const char *name)
{
	for (size_t i = 0; i < types->enums.count; i++)
		if (strcmp(types->enums.items[i]->name, name) == 0)
			return types->enums.items[i];
	abort();
}

const struct fl_message_type *fl_types_find(const struct fl_types *types, const char *name)
{
	for (size_t i = 0; i < types->messages.count; i++)
		if (strcmp(types->messages.items[i]->name, name) == 0)
			return types->messages.items[i];
	return NULL;
}

const struct fl_service_type *fl_types_find_service(const struct fl_types *types, const char *name)
{
	for (size_t i = 0; i < types->services.count; i++)
		if (strcmp(types->services.items[i]->name, name) == 0)
			return types->services.items[i];
	return NULL;
}

/* Names of types become the types; protoc writes them with a leading dot. */
static void link_message(struct fl_types *types, struct fl_message_type *type)
{
	for (size_t i = 0; i < type->fields.count; i++) {
		struct fl_field_type *field = &type->fields.items[i];

		if (field->kind == FL_FIELD_MESSAGE)
			field->message = fl_types_find(types, field->type_name + 1);
		if (field->kind == FL_FIELD_ENUM)
			field->names = find_enum(types, field->type_name + 1);
	}
}

struct fl_types *fl_types_load(const void *bytes, size_t size)
{
	struct fl_types *types = fl_alloc_zero(1, sizeof(*types));

	each(types, bytes, size, take_set, NULL, "");
	for (size_t i = 0; i < types->messages.count; i++)
		link_message(types, types->messages.items[i]);
	for (size_t i = 0; i < types->services.count; i++)
		for (size_t k = 0; k < types->services.items[i]->methods.count; k++) {
			struct fl_method_type *method = &types->services.items[i]->methods.items[k];

			method->input = fl_types_find(types, method->input_name + 1);
			method->output = fl_types_find(types, method->output_name + 1);
		}
	return types;
}

const struct fl_field_type *fl_message_field(const struct fl_message_type *type, uint32_t number)
{
	for (size_t i = 0; i < type->fields.count; i++)
		if (type->fields.items[i].number == number)
			return &type->fields.items[i];
	return NULL;
}

const struct fl_field_type *fl_message_field_named(const struct fl_message_type *type,
						   const char *name)
{
	for (size_t i = 0; i < type->fields.count; i++)
		if (strcmp(type->fields.items[i].name, name) == 0 ||
		    strcmp(type->fields.items[i].json_name, name) == 0)
			return &type->fields.items[i];
	return NULL;
}

const char *fl_enum_name(const struct fl_enum_type *type, int64_t number)
{
	for (size_t i = 0; i < type->values.count; i++)
		if (type->values.items[i].number == number)
			return type->values.items[i].name;
	return NULL;
}

bool fl_enum_number(const struct fl_enum_type *type, const char *name, int32_t *number)
{
	for (size_t i = 0; i < type->values.count; i++)
		if (strcmp(type->values.items[i].name, name) == 0) {
			*number = type->values.items[i].number;
			return true;
		}
	return false;
}

static void free_message(struct fl_message_type *type)
{
	for (size_t i = 0; i < type->fields.count; i++) {
		free(type->fields.items[i].name);
		free(type->fields.items[i].json_name);
		free(type->fields.items[i].type_name);
	}
	free(type->fields.items);
	free(type->name);
	free(type);
}

static void free_enum(struct fl_enum_type *type)
{
	for (size_t i = 0; i < type->values.count; i++)
		free(type->values.items[i].name);
	free(type->values.items);
	free(type->name);
	free(type);
}

static void free_service(struct fl_service_type *type)
{
	for (size_t i = 0; i < type->methods.count; i++) {
		free(type->methods.items[i].name);
		free(type->methods.items[i].input_name);
		free(type->methods.items[i].output_name);
	}
	free(type->methods.items);
	free(type->name);
	free(type);
}

static void finish_file(struct fl_file_type *file)
{
	for (size_t i = 0; i < file->imports.count; i++)
		free(file->imports.items[i]);
	for (size_t i = 0; i < file->symbols.count; i++)
		free(file->symbols.items[i]);
	free(file->imports.items);
	free(file->symbols.items);
	free(file->name);
}

void fl_types_free(struct fl_types *types)
{
	if (!types)
		return;
	for (size_t i = 0; i < types->messages.count; i++)
		free_message(types->messages.items[i]);
	for (size_t i = 0; i < types->enums.count; i++)
		free_enum(types->enums.items[i]);
	for (size_t i = 0; i < types->services.count; i++)
		free_service(types->services.items[i]);
	for (size_t i = 0; i < types->files.count; i++)
		finish_file(&types->files.items[i]);
	free(types->messages.items);
	free(types->enums.items);
	free(types->services.items);
	free(types->files.items);
	free(types);
}
