/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/rpc/gunzip.h"

#include <stdlib.h>
#include <zlib.h>

#define STEP (64 << 10)

int fl_gunzip(const void *data, size_t size, size_t limit, struct fl_str *out, struct fl_err *err)
{
	z_stream stream = { .next_in = (Bytef *)data, .avail_in = (uInt)size };
	size_t before = out->len;
	int rc = inflateInit2(&stream, 15 + 16);

	if (rc != Z_OK)
		abort();
	while (rc == Z_OK && out->len - before <= limit) {
		stream.next_out = (Bytef *)fl_str_reserve(out, STEP);
		stream.avail_out = STEP;
		rc = inflate(&stream, Z_NO_FLUSH);
		out->len += STEP - stream.avail_out;
	}
	inflateEnd(&stream);
	if (out->len - before > limit)
		return fl_err_set(err, FL_ERR_EXHAUSTED,
				  "grpc: received message after decompression larger than max (%zu)",
				  limit);
	return rc == Z_STREAM_END ? 0 : fl_err_set(err, FL_ERR_INVALID, "grpc: not a gzip message");
}
