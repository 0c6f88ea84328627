/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/wire/wire.h"

#include <string.h>

bool fl_wire_read_varint(struct fl_wire_reader *in, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
		uint8_t byte = *in->at++;

		/* The tenth byte has room for a single bit. */
		if (shift == 63 && byte > 1)
			return false;
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool read_fixed(struct fl_wire_reader *in, unsigned size, uint64_t *value)
{
	if ((size_t)(in->end - in->at) < size)
		return false;
	*value = 0;
	for (unsigned i = 0; i < size; i++)
		*value |= (uint64_t)in->at[i] << (8 * i);
	in->at += size;
	return true;
}

static bool read_bytes(struct fl_wire_reader *in, struct fl_wire_field *field)
{
	uint64_t size;

	if (!fl_wire_read_varint(in, &size) || size > (uint64_t)(in->end - in->at))
		return false;
	field->bytes = in->at;
	field->size = (size_t)size;
	in->at += size;
	return true;
}

int fl_wire_next(struct fl_wire_reader *in, struct fl_wire_field *field)
{
	uint64_t tag;
	bool good = false;

	if (in->at == in->end)
		return 0;
	if (!fl_wire_read_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
		return -1;
	*field = (struct fl_wire_field){ .number = (uint32_t)(tag >> 3),
					 .type = (enum fl_wire_type)(tag & 7) };
	switch (tag & 7) {
	case FL_WIRE_VARINT:
		good = fl_wire_read_varint(in, &field->value);
		break;
	case FL_WIRE_I64:
		good = read_fixed(in, 8, &field->value);
		break;
	case FL_WIRE_I32:
		good = read_fixed(in, 4, &field->value);
		break;
	case FL_WIRE_BYTES:
		good = read_bytes(in, field);
		break;
	default:
		break;
	}
	return good ? 1 : -1;
}

void fl_wire_put_varint(struct fl_str *out, uint64_t value)
{
	uint8_t bytes[10];
	size_t count = 0;

	do {
		bytes[count++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		value >>= 7;
	} while (value);
	fl_str_add_bytes(out, bytes, count);
}

void fl_wire_put_number(struct fl_str *out, uint32_t number, uint64_t value)
{
	fl_wire_put_varint(out, (uint64_t)number << 3 | FL_WIRE_VARINT);
	fl_wire_put_varint(out, value);
}

void fl_wire_put_bytes(struct fl_str *out, uint32_t number, const void *bytes, size_t size)
{
	fl_wire_put_varint(out, (uint64_t)number << 3 | FL_WIRE_BYTES);
	fl_wire_put_varint(out, size);
	if (size)
		fl_str_add_bytes(out, bytes, size);
}

void fl_wire_put_text(struct fl_str *out, uint32_t number, const char *text)
{
	fl_wire_put_bytes(out, number, text, strlen(text));
}

size_t fl_wire_begin(struct fl_str *out, uint32_t number)
{
	fl_wire_put_varint(out, (uint64_t)number << 3 | FL_WIRE_BYTES);
	return out->len;
}

/* Most values are short: the length goes in front of what is there already. */
void fl_wire_end(struct fl_str *out, size_t mark)
{
	size_t size = out->len - mark, before = out->len, width;

	fl_wire_put_varint(out, size);
	width = out->len - before;
	if (size) {
		uint8_t length[10];

		memcpy(length, out->data + before, width);
		memmove(out->data + mark + width, out->data + mark, size);
		memcpy(out->data + mark, length, width);
	}
}
