/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Messages as clients of the HTTP gateway write and read them: protobuf's JSON mapping,
 * with every field in what goes out, as flintlock's gateway does it.
 * Format: the Protocol Buffers documentation, "ProtoJSON".
 *
 *     fl_cleanup_json fl_json *request = fl_protojson_read(type, body, err);
 *     fl_cleanup_json fl_json *shown = fl_protojson_write(type, answer);
 */
#pragma once

#include "cmd/fl-serve/wire/types.h"
#include "common/err.h"
#include "common/json.h"

/* The document in the form of fl_codec_decode(). Fields go by either name, what the type
 * does not know is passed over. NULL: FL_ERR_INVALID naming the field. Caller owns it. */
fl_json *fl_protojson_read(const struct fl_message_type *type, const fl_json *sent,
			   struct fl_err *err);

/* The other way; message is in the form of fl_codec_decode(). Caller owns it. */
fl_json *fl_protojson_write(const struct fl_message_type *type, const fl_json *message);
