/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The protobuf wire format: tags, varints, lengths. Readers never leave their range.
 * Format: the Protocol Buffers documentation, "Encoding".
 *
 *     struct fl_wire_field field;
 *     struct fl_wire_reader in = { data, data + size };
 *     while (fl_wire_next(&in, &field) > 0)
 *             if (field.number == 1 && field.type == FL_WIRE_BYTES) use(field.bytes, field.size);
 */
#pragma once

#include "common/str.h"

#include <stddef.h>
#include <stdint.h>

enum fl_wire_type { FL_WIRE_VARINT = 0, FL_WIRE_I64 = 1, FL_WIRE_BYTES = 2, FL_WIRE_I32 = 5 };

struct fl_wire_reader {
	const uint8_t *at, *end;
};

struct fl_wire_field {
	uint32_t number;
	enum fl_wire_type type;
	uint64_t value;       /* of VARINT, I64, I32 */
	const uint8_t *bytes; /* of BYTES; borrowed from the reader's range */
	size_t size;
};

/* 1: a field was read; 0: the end; -1: the bytes are not a message. Groups are refused. */
int fl_wire_next(struct fl_wire_reader *in, struct fl_wire_field *field);

bool fl_wire_read_varint(struct fl_wire_reader *in, uint64_t *value);

void fl_wire_put_varint(struct fl_str *out, uint64_t value);
void fl_wire_put_number(struct fl_str *out, uint32_t number, uint64_t value);
void fl_wire_put_bytes(struct fl_str *out, uint32_t number, const void *bytes, size_t size);
void fl_wire_put_text(struct fl_str *out, uint32_t number, const char *text);

/* A field whose length is not known yet: what is added between the two becomes its value.
 *     size_t mark = fl_wire_begin(out, 3);
 *     ...
 *     fl_wire_end(out, mark);
 */
size_t fl_wire_begin(struct fl_str *out, uint32_t number);
void fl_wire_end(struct fl_str *out, size_t mark);
