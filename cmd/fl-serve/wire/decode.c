/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/wire/codec.h"

#include "cmd/fl-serve/wire/wire.h"
#include "common/alloc.h"
#include "common/base64.h"

#include <string.h>
#include <time.h>

#define DEEPEST 16
#define MOST_VALUES 65536 /* a message of 4 MiB can ask for two million objects */

struct decoding {
	unsigned depth, values;
	struct fl_err *err;
};

static fl_json *decode_message(struct decoding *in, const struct fl_message_type *type,
			       const uint8_t *data, size_t size);

static int refuse(struct decoding *in, const struct fl_message_type *type,
		  const struct fl_field_type *field, const char *what)
{
	return fl_err_set(in->err, FL_ERR_INVALID, "%s%s%s: %s", type->name, field ? "." : "",
			  field ? field->name : "", what);
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool is_utf8(const uint8_t *at, size_t size)
{
	const uint8_t *end = at + size;

	while (at < end) {
		uint8_t lead = *at++;
		unsigned more = lead < 0x80 ? 0 : lead < 0xc2 ? 9 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2
				: lead < 0xf5 ? 3 : 9;

		if (more > 3 || more > (size_t)(end - at))
			return false;
		if ((lead == 0xe0 && *at < 0xa0) || (lead == 0xed && *at > 0x9f) ||
		    (lead == 0xf0 && *at < 0x90) || (lead == 0xf4 && *at > 0x8f))
			return false;
		for (; more; more--, at++)
			if ((*at & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static fl_json *decode_text(struct decoding *in, const struct fl_message_type *type,
			    const struct fl_field_type *field, const struct fl_wire_field *from)
{
	if (!is_utf8(from->bytes, from->size)) {
		refuse(in, type, field, "the text is not UTF-8");
		return NULL;
	}
	if (memchr(from->bytes, 0, from->size)) {
		refuse(in, type, field, "the text holds a NUL");
		return NULL;
	}
	return fl_json_new_text_bytes((const char *)from->bytes, from->size);
}

static fl_json *decode_timestamp(struct decoding *in, const struct fl_message_type *type,
				 const struct fl_field_type *field,
				 const struct fl_wire_field *from)
{
	struct fl_wire_reader reader = { from->bytes, from->bytes + from->size };
	struct fl_wire_field part;
	int64_t seconds = 0, nanos = 0;
	char text[48], whole[32];
	struct tm tm;
	time_t when;
	int more;

	while ((more = fl_wire_next(&reader, &part)) > 0) {
		if (part.number == 1)
			seconds = (int64_t)part.value;
		if (part.number == 2)
			nanos = (int64_t)part.value;
	}
	/* The years 1 to 9999, as Timestamp says. */
	if (more < 0 || seconds < -62135596800 || seconds > 253402300799 || nanos < 0 ||
	    nanos > 999999999) {
		refuse(in, type, field, "not a time");
		return NULL;
	}
	when = (time_t)seconds;
	strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", gmtime_r(&when, &tm));
	snprintf(text, sizeof(text), nanos ? "%s.%09lldZ" : "%sZ", whole, (long long)nanos);
	return fl_json_new_text(text);
}

static fl_json *decode_enum(const struct fl_field_type *field, uint64_t value)
{
	const char *name = fl_enum_name(field->names, (int32_t)value);

	return name ? fl_json_new_text(name) : fl_json_new_int((int32_t)value);
}

static fl_json *decode_number(const struct fl_field_type *field, uint64_t value)
{
	double real;

	switch (field->kind) {
	case FL_FIELD_BOOL:
		return fl_json_new_bool(value);
	case FL_FIELD_ENUM:
		return decode_enum(field, value);
	case FL_FIELD_INT32:
		return fl_json_new_int((int32_t)value);
	case FL_FIELD_UINT32:
		return fl_json_new_int((uint32_t)value);
	case FL_FIELD_DOUBLE:
		memcpy(&real, &value, sizeof(real));
		return fl_json_new_real(real);
	default:
		return fl_json_new_int((int64_t)value);
	}
}

static fl_json *decode_bytes(const struct fl_wire_field *from)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_base64_encode(from->bytes, from->size, &text);
	return fl_json_new_text(text.data);
}

static enum fl_wire_type wire_type(const struct fl_field_type *field)
{
	switch (field->kind) {
	case FL_FIELD_TEXT:
	case FL_FIELD_BYTES:
	case FL_FIELD_MESSAGE:
		return FL_WIRE_BYTES;
	case FL_FIELD_DOUBLE:
		return FL_WIRE_I64;
	default:
		return FL_WIRE_VARINT;
	}
}

static fl_json *decode_value(struct decoding *in, const struct fl_message_type *type,
			     const struct fl_field_type *field, const struct fl_wire_field *from)
{
	if (++in->values > MOST_VALUES) {
		refuse(in, type, field, "the message holds too many values");
		return NULL;
	}
	if (field->kind == FL_FIELD_TEXT)
		return decode_text(in, type, field, from);
	if (field->kind == FL_FIELD_BYTES)
		return decode_bytes(from);
	if (field->kind != FL_FIELD_MESSAGE)
		return decode_number(field, from->value);
	if (field->message->is_timestamp)
		return decode_timestamp(in, type, field, from);
	return decode_message(in, field->message, from->bytes, from->size);
}

/* Numbers of a repeated field may come one by one or all in one piece. */
static int decode_packed(struct decoding *in, const struct fl_message_type *type,
			 const struct fl_field_type *field, const struct fl_wire_field *from,
			 fl_json *list)
{
	struct fl_wire_reader reader = { from->bytes, from->bytes + from->size };
	uint64_t value;

	while (reader.at < reader.end) {
		if (++in->values > MOST_VALUES || !fl_wire_read_varint(&reader, &value))
			return refuse(in, type, field, "not a list of numbers");
		fl_json_add(list, decode_number(field, value));
	}
	return 0;
}

static fl_json *member(fl_json *object, const char *name, fl_json *made(void))
{
	fl_json *value = fl_json_get(object, name);

	if (!value) {
		fl_json_set(object, name, made());
		value = fl_json_get(object, name);
	}
	return value;
}

static int add_entry(struct decoding *in, const struct fl_field_type *field,
		     const struct fl_wire_field *from, fl_json *object)
{
	fl_cleanup_json fl_json *entry = decode_value(in, field->message, field, from);
	fl_json *value = fl_json_get(entry, "value");
	const char *key = fl_json_text(fl_json_get(entry, "key"));

	if (!entry)
		return -1;
	value = value ? fl_json_ref(value)
		: fl_message_field(field->message, 2)->kind == FL_FIELD_MESSAGE
			? fl_json_new_object()
			: fl_json_new_text("");
	fl_json_set(member(object, field->name, fl_json_new_object), key ? key : "", value);
	return 0;
}

/* A message that comes in two pieces is one: the pieces' members join. */
static void merge(fl_json *into, fl_json *from)
{
	for (void *i = fl_json_first(from); i; i = fl_json_next(from, i)) {
		fl_json *old = fl_json_get(into, fl_json_key(i)), *value = fl_json_value(i);

		if (fl_json_is_object(old) && fl_json_is_object(value))
			merge(old, value);
		else
			fl_json_set(into, fl_json_key(i), fl_json_ref(value));
	}
}

static int decode_field(struct decoding *in, const struct fl_message_type *type,
			const struct fl_wire_field *from, fl_json *object)
{
	const struct fl_field_type *field = fl_message_field(type, from->number);
	fl_json *value;

	if (!field)
		return 0;
	if (field->repeated && from->type == FL_WIRE_BYTES && wire_type(field) == FL_WIRE_VARINT)
		return decode_packed(in, type, field, from,
				     member(object, field->name, fl_json_new_array));
	if (from->type != wire_type(field))
		return refuse(in, type, field, "of another kind than the field's");
	if (field->repeated && field->kind == FL_FIELD_MESSAGE && field->message->is_map_entry)
		return add_entry(in, field, from, object);
	value = decode_value(in, type, field, from);
	if (!value)
		return -1;
	if (field->repeated) {
		fl_json_add(member(object, field->name, fl_json_new_array), value);
	} else if (fl_json_is_object(value) && fl_json_get(object, field->name)) {
		merge(fl_json_get(object, field->name), value);
		fl_json_unref(value);
	} else {
		fl_json_set(object, field->name, value);
	}
	return 0;
}

static fl_json *decode_message(struct decoding *in, const struct fl_message_type *type,
			       const uint8_t *data, size_t size)
{
	struct fl_wire_reader reader = { data, data + size };
	fl_cleanup_json fl_json *object = fl_json_new_object();
	struct fl_wire_field field;
	int more;

	if (in->depth == DEEPEST) {
		refuse(in, type, NULL, "messages within messages, too deep");
		return NULL;
	}
	in->depth++;
	while ((more = fl_wire_next(&reader, &field)) > 0)
		if (decode_field(in, type, &field, object) < 0)
			return NULL;
	in->depth--;
	if (more < 0) {
		refuse(in, type, NULL, "not a protobuf message");
		return NULL;
	}
	return fl_json_ref(object);
}

fl_json *fl_codec_decode(const struct fl_message_type *type, const void *data, size_t size,
			 struct fl_err *err)
{
	struct decoding in = { .err = err };

	return decode_message(&in, type, data, size);
}
