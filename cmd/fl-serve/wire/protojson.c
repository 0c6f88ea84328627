/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/wire/protojson.h"

#include "common/alloc.h"
#include "common/base64.h"
#include "common/clock.h"
#include "common/num.h"

#include <string.h>

#define DEEPEST 16

struct reading {
	unsigned depth;
	struct fl_err *err;
};

static fl_json *read_message(struct reading *in, const struct fl_message_type *type,
			     const fl_json *sent);

static fl_json *refuse(struct reading *in, const struct fl_field_type *field, const char *wanted,
		       const fl_json *value)
{
	fl_err_set(in->err, FL_ERR_INVALID, "%s: %s belongs here, not %s", field->name, wanted,
		   fl_json_type_name(value));
	return NULL;
}

static bool is_map(const struct fl_field_type *field)
{
	return field->repeated && field->kind == FL_FIELD_MESSAGE && field->message->is_map_entry;
}

static const struct fl_field_type *map_value(const struct fl_field_type *field)
{
	return fl_message_field(field->message, 2);
}

static bool is_number(const fl_json *value)
{
	return !fl_json_is_text(value) && !fl_json_is_object(value) && !fl_json_is_array(value) &&
	       !fl_json_is_bool(value) && !fl_json_is_null(value);
}

/* "2.0" and "1e3", as programs print that know no other numbers. */
static bool is_whole(const fl_json *value, int64_t *number)
{
	double real = fl_json_real(value);

	if (!is_number(value) || real < -9e15 || real > 9e15)
		return false;
	*number = (int64_t)real;
	return (double)*number == real;
}

/* Numbers may be written as text, too: 64 bits do not fit a JavaScript number. */
static fl_json *read_int(struct reading *in, const struct fl_field_type *field,
			 const fl_json *value)
{
	const char *text = fl_json_text(value);
	bool is_negative = text && *text == '-';
	int64_t least = field->kind == FL_FIELD_INT32 ? INT32_MIN
			: field->kind == FL_FIELD_INT64 ? INT64_MIN : 0;
	int64_t most = field->kind == FL_FIELD_INT32 ? INT32_MAX
		       : field->kind == FL_FIELD_UINT32 ? UINT32_MAX : INT64_MAX;
	int64_t number;
	uint64_t size;

	if (text) {
		if (fl_num_u64(text + is_negative, 0, INT64_MAX, &size, NULL) < 0)
			return refuse(in, field, "a whole number", value);
		number = is_negative ? -(int64_t)size : (int64_t)size;
	} else if (fl_json_is_int(value)) {
		number = fl_json_int(value);
	} else if (!is_whole(value, &number)) {
		return refuse(in, field, "a whole number", value);
	}
	if (number >= least && number <= most)
		return fl_json_new_int(number);
	fl_err_set(in->err, FL_ERR_INVALID, "%s: %lld is out of range", field->name,
		   (long long)number);
	return NULL;
}

static fl_json *read_enum(struct reading *in, const struct fl_field_type *field,
			  const fl_json *value)
{
	const char *text = fl_json_text(value);
	int32_t number;

	if (fl_json_is_int(value)) {
		const char *name = fl_enum_name(field->names, fl_json_int(value));

		return name ? fl_json_new_text(name) : fl_json_new_int(fl_json_int(value));
	}
	if (text && fl_enum_number(field->names, text, &number))
		return fl_json_new_text(text);
	return refuse(in, field, "one of the enumeration's names", value);
}

static fl_json *read_bytes(struct reading *in, const struct fl_field_type *field,
			   const fl_json *value)
{
	fl_cleanup_str struct fl_str bytes = FL_STR_INIT;

	if (!fl_json_is_text(value) || !fl_base64_decode(fl_json_text(value), &bytes))
		return refuse(in, field, "base 64", value);
	return fl_json_new_text(fl_json_text(value));
}

static fl_json *read_scalar(struct reading *in, const struct fl_field_type *field,
			    const fl_json *value)
{
	switch (field->kind) {
	case FL_FIELD_TEXT:
		return fl_json_is_text(value) ? fl_json_new_text(fl_json_text(value))
					      : refuse(in, field, "text", value);
	case FL_FIELD_BYTES:
		return read_bytes(in, field, value);
	case FL_FIELD_BOOL:
		return fl_json_is_bool(value) ? fl_json_new_bool(fl_json_bool(value))
					      : refuse(in, field, "true or false", value);
	case FL_FIELD_ENUM:
		return read_enum(in, field, value);
	case FL_FIELD_DOUBLE:
		return is_number(value) ? fl_json_new_real(fl_json_real(value))
					: refuse(in, field, "a number", value);
	default:
		return read_int(in, field, value);
	}
}

static fl_json *read_value(struct reading *in, const struct fl_field_type *field,
			   const fl_json *value)
{
	if (field->kind != FL_FIELD_MESSAGE)
		return read_scalar(in, field, value);
	if (!field->message->is_timestamp)
		return read_message(in, field->message, value);
	return fl_json_is_text(value) && fl_clock_parse(fl_json_text(value))
		       ? fl_json_new_text(fl_json_text(value))
		       : refuse(in, field, "a time such as 2026-01-02T03:04:05Z", value);
}

static fl_json *read_map(struct reading *in, const struct fl_field_type *field,
			 const fl_json *value)
{
	fl_cleanup_json fl_json *map = fl_json_new_object();

	if (!fl_json_is_object(value))
		return refuse(in, field, "an object", value);
	for (void *i = fl_json_first(value); i; i = fl_json_next(value, i)) {
		fl_json *one = read_value(in, map_value(field), fl_json_value(i));

		if (!one)
			return NULL;
		fl_json_set(map, fl_json_key(i), one);
	}
	return fl_json_ref(map);
}

static fl_json *read_list(struct reading *in, const struct fl_field_type *field,
			  const fl_json *value)
{
	fl_cleanup_json fl_json *list = fl_json_new_array();

	if (!fl_json_is_array(value))
		return refuse(in, field, "a list", value);
	for (size_t i = 0; i < fl_json_count(value); i++) {
		fl_json *one = read_value(in, field, fl_json_item(value, i));

		if (!one)
			return NULL;
		fl_json_add(list, one);
	}
	return fl_json_ref(list);
}

static int read_member(struct reading *in, const struct fl_message_type *type, void *member,
		       fl_json *message)
{
	const fl_json *value = fl_json_value(member);
	const struct fl_field_type *field = fl_message_field_named(type, fl_json_key(member));
	fl_json *read;

	if (!field || fl_json_is_null(value))
		return 0;
	read = is_map(field) ? read_map(in, field, value)
	       : field->repeated ? read_list(in, field, value) : read_value(in, field, value);
	if (!read)
		return -1;
	fl_json_set(message, field->name, read);
	return 0;
}

static fl_json *read_message(struct reading *in, const struct fl_message_type *type,
			     const fl_json *sent)
{
	fl_cleanup_json fl_json *message = fl_json_new_object();

	if (!fl_json_is_object(sent) || in->depth == DEEPEST) {
		fl_err_set(in->err, FL_ERR_INVALID, "%s: an object belongs here, not %s", type->name,
			   fl_json_type_name(sent));
		return NULL;
	}
	in->depth++;
	for (void *i = fl_json_first(sent); i; i = fl_json_next(sent, i))
		if (read_member(in, type, i, message) < 0)
			return NULL;
	in->depth--;
	return fl_json_ref(message);
}

fl_json *fl_protojson_read(const struct fl_message_type *type, const fl_json *sent,
			   struct fl_err *err)
{
	struct reading in = { 0, err };

	return read_message(&in, type, sent);
}

static fl_json *write_value(const struct fl_field_type *field, const fl_json *value)
{
	char number[24];

	if (field->kind == FL_FIELD_MESSAGE && !field->message->is_timestamp)
		return fl_protojson_write(field->message, value);
	if (field->kind != FL_FIELD_INT64 && field->kind != FL_FIELD_UINT64)
		return fl_json_copy(value);
	snprintf(number, sizeof(number), "%lld", (long long)fl_json_int(value));
	return fl_json_new_text(number);
}

/* What stands for a field that is not there. */
static fl_json *nothing(const struct fl_field_type *field)
{
	switch (field->kind) {
	case FL_FIELD_TEXT:
	case FL_FIELD_BYTES:
		return fl_json_new_text("");
	case FL_FIELD_BOOL:
		return fl_json_new_bool(false);
	case FL_FIELD_INT64:
	case FL_FIELD_UINT64:
		return fl_json_new_text("0");
	case FL_FIELD_ENUM:
		return fl_json_new_text(fl_enum_name(field->names, 0));
	case FL_FIELD_MESSAGE:
		return fl_json_new_null();
	default:
		return fl_json_new_int(0);
	}
}

static fl_json *write_many(const struct fl_field_type *field, const fl_json *values)
{
	fl_json *many = is_map(field) ? fl_json_new_object() : fl_json_new_array();

	if (is_map(field))
		for (void *i = fl_json_first(values); i; i = fl_json_next(values, i))
			fl_json_set(many, fl_json_key(i),
				    write_value(map_value(field), fl_json_value(i)));
	else
		for (size_t i = 0; i < fl_json_count(values); i++)
			fl_json_add(many, write_value(field, fl_json_item(values, i)));
	return many;
}

fl_json *fl_protojson_write(const struct fl_message_type *type, const fl_json *message)
{
	fl_json *shown = fl_json_new_object();

	for (size_t i = 0; i < type->fields.count; i++) {
		const struct fl_field_type *field = &type->fields.items[i];
		const fl_json *value = fl_json_get(message, field->name);

		if (field->repeated)
			fl_json_set(shown, field->json_name, write_many(field, value));
		else if (value && !fl_json_is_null(value))
			fl_json_set(shown, field->json_name, write_value(field, value));
		else if (!field->in_oneof)
			fl_json_set(shown, field->json_name, nothing(field));
	}
	return shown;
}
