/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Protobuf messages to and from JSON documents as records hold them: proto field names,
 * enumerators by name, bytes in base 64, Timestamp as RFC 3339 text, 64-bit numbers as
 * numbers. Absent and empty stay two things where the message tells them apart.
 *
 *     fl_cleanup_json fl_json *request = fl_codec_decode(type, data, size, err);
 *     fl_codec_encode(type, answer, &out);
 */
#pragma once

#include "cmd/fl-serve/wire/types.h"
#include "common/err.h"
#include "common/json.h"

/* What comes from the network is hostile: text must be UTF-8 without NUL, depth and the
 * number of values are bounded, the last of two equal map keys wins, fields without a
 * number of ours are passed over. NULL: FL_ERR_INVALID naming the field. Caller owns it. */
fl_json *fl_codec_decode(const struct fl_message_type *type, const void *data, size_t size,
			 struct fl_err *err);

/* Adds the message. Members that the type does not know are left out, as are values of
 * another kind than the field's. */
void fl_codec_encode(const struct fl_message_type *type, const fl_json *value,
		     struct fl_str *out);
