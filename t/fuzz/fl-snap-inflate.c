/* SPDX-License-Identifier: MPL-2.0 */
/* The packing of a layer: gzip's members, zstd's frames, or none. The same bytes come out
 * however small the pieces are; what zlib takes is taken, and gives the same. */
#include "cmd/fl-snap/frames.h"
#include "cmd/fl-snap/inflate.h"
#include "common/str.h"
#include "t/fuzz/input.h"

#include <zlib.h>

#define MOST (1 << 20) /* bytes looked at: bombs are the budget's matter */

/* Whether the end was reached. */
static bool read_all(const char *path, size_t piece, struct fl_str *out)
{
	struct fl_inflate *in = fl_inflate_open(path, NULL);
	uint8_t buffer[65536];
	ssize_t got = -1;

	MUST(in);
	while (out->len < MOST && (got = fl_inflate_read(in, buffer, piece, NULL)) > 0)
		fl_str_add_bytes(out, (const char *)buffer, (size_t)got);
	fl_inflate_close(in);
	return got == 0;
}

/* One member and nothing behind it, as zlib sees it. */
static bool is_gzip(const uint8_t *data, size_t size, struct fl_str *out)
{
	z_stream zlib = { .next_in = (uint8_t *)data, .avail_in = (uInt)size };
	uint8_t buffer[65536];
	int rc = inflateInit2(&zlib, 15 + 16);

	while (rc == Z_OK && out->len < MOST) {
		zlib.next_out = buffer;
		zlib.avail_out = sizeof(buffer);
		rc = inflate(&zlib, Z_NO_FLUSH);
		fl_str_add_bytes(out, (const char *)buffer, sizeof(buffer) - zlib.avail_out);
	}
	inflateEnd(&zlib);
	return rc == Z_STREAM_END && zlib.avail_in == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_file file = fuzz_file(data, size);
	fl_cleanup_str struct fl_str large = FL_STR_INIT, small = FL_STR_INIT, known = FL_STR_INIT;
	bool ended = read_all(file.path, 65536, &large);
	uint64_t announced;

	if (ended) {
		MUST(read_all(file.path, 611, &small));
		MUST(large.len == small.len && memcmp(large.data ? large.data : "",
						      small.data ? small.data : "", large.len) == 0);
	}
	if (is_gzip(data, size, &known) && known.len < MOST)
		MUST(ended && large.len == known.len &&
		     memcmp(large.data ? large.data : "", known.data ? known.data : "", known.len) == 0);
	fl_inflate_guess(file.path);
	/* Where the headers say something, they do not say less than there is. */
	announced = fl_frames_size(file.fd, size);
	MUST(!ended || !announced || announced >= large.len);
	close(file.fd);
	return 0;
}
