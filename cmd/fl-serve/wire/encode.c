/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/wire/codec.h"

#include "cmd/fl-serve/wire/wire.h"
#include "common/base64.h"
#include "common/clock.h"

#include <string.h>

static void encode_timestamp(const struct fl_field_type *field, const fl_json *value,
			     struct fl_str *out)
{
	const char *text = fl_json_text(value);
	const char *fraction = text ? strchr(text, '.') : NULL;
	size_t mark = fl_wire_begin(out, field->number);
	int64_t seconds = text ? fl_clock_parse(text) : 0;
	uint32_t nanos = 0, unit = 100000000;

	for (; fraction && *++fraction >= '0' && *fraction <= '9' && unit; unit /= 10)
		nanos += unit * (uint32_t)(*fraction - '0');
	if (seconds)
		fl_wire_put_number(out, 1, (uint64_t)seconds);
	if (nanos)
		fl_wire_put_number(out, 2, nanos);
	fl_wire_end(out, mark);
}

static bool number_of(const struct fl_field_type *field, const fl_json *value, int64_t *number)
{
	int32_t named;

	if (field->kind == FL_FIELD_ENUM && fl_json_text(value)) {
		if (!fl_enum_number(field->names, fl_json_text(value), &named))
			return false;
		*number = named;
		return true;
	}
	*number = fl_json_is_bool(value) ? fl_json_bool(value) : fl_json_int(value);
	return fl_json_is_bool(value) || fl_json_is_int(value);
}

/* explicit: an empty value is written, too. */
static void encode_text(const struct fl_field_type *field, const fl_json *value, bool explicit,
			struct fl_str *out)
{
	const char *text = fl_json_text(value);
	fl_cleanup_str struct fl_str bytes = FL_STR_INIT;

	if (!text || (!*text && !explicit))
		return;
	if (field->kind == FL_FIELD_TEXT)
		fl_wire_put_text(out, field->number, text);
	else if (fl_base64_decode(text, &bytes))
		fl_wire_put_bytes(out, field->number, bytes.data ? bytes.data : "", bytes.len);
}

static void encode_double(const struct fl_field_type *field, const fl_json *value, bool explicit,
			  struct fl_str *out)
{
	double real = fl_json_real(value);
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	if (!bits && !explicit)
		return;
	fl_wire_put_varint(out, (uint64_t)field->number << 3 | FL_WIRE_I64);
	fl_str_add_bytes(out, &bits, sizeof(bits));
}

static void encode_value(const struct fl_field_type *field, const fl_json *value, bool explicit,
			 struct fl_str *out)
{
	int64_t number;
	size_t mark;

	switch (field->kind) {
	case FL_FIELD_TEXT:
	case FL_FIELD_BYTES:
		encode_text(field, value, explicit, out);
		break;
	case FL_FIELD_DOUBLE:
		encode_double(field, value, explicit, out);
		break;
	case FL_FIELD_MESSAGE:
		if (field->message->is_timestamp) {
			encode_timestamp(field, value, out);
			break;
		}
		mark = fl_wire_begin(out, field->number);
		fl_codec_encode(field->message, value, out);
		fl_wire_end(out, mark);
		break;
	default:
		if (number_of(field, value, &number) && (number || explicit))
			fl_wire_put_number(out, field->number, (uint64_t)number);
		break;
	}
}

static void encode_map(const struct fl_field_type *field, const fl_json *map, struct fl_str *out)
{
	const struct fl_field_type *key = fl_message_field(field->message, 1);
	const struct fl_field_type *value = fl_message_field(field->message, 2);

	for (void *i = fl_json_first(map); i; i = fl_json_next(map, i)) {
		size_t mark = fl_wire_begin(out, field->number);

		fl_wire_put_text(out, key->number, fl_json_key(i));
		encode_value(value, fl_json_value(i), true, out);
		fl_wire_end(out, mark);
	}
}

void fl_codec_encode(const struct fl_message_type *type, const fl_json *object, struct fl_str *out)
{
	for (size_t i = 0; i < type->fields.count; i++) {
		const struct fl_field_type *field = &type->fields.items[i];
		const fl_json *value = fl_json_get(object, field->name);

		if (!value || fl_json_is_null(value))
			continue;
		if (!field->repeated)
			encode_value(field, value, field->has_presence, out);
		else if (field->kind == FL_FIELD_MESSAGE && field->message->is_map_entry)
			encode_map(field, value, out);
		else
			for (size_t k = 0; k < fl_json_count(value); k++)
				encode_value(field, fl_json_item(value, k), true, out);
	}
}
