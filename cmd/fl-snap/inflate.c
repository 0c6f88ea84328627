/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/inflate.h"

#include "cmd/fl-snap/frames.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#ifdef FL_HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#define IN_SIZE (256 << 10)

enum packing { PLAIN, GZIP, ZSTD };

struct fl_inflate {
	char *path;
	int fd;
	enum packing packing;
	_Atomic uint64_t taken;
	bool input_ended, mid_stream;
	uint8_t *in;
	size_t in_at, in_len;
	ZSTD_DStream *zstd;
#ifdef FL_HAVE_ISAL
	struct inflate_state gzip;
#else
	z_stream gzip;
#endif
};

static enum packing sniff(const uint8_t *head, size_t len)
{
	if (len >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8)
		return GZIP;
	/* A frame, or a skippable one in front. */
	if (len >= 4 && (memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0 ||
			 ((head[0] & 0xf0) == 0x50 && memcmp(head + 1, "\x2a\x4d\x18", 3) == 0)))
		return ZSTD;
	return PLAIN;
}

static int corrupt(const struct fl_inflate *in, const char *what, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_CORRUPT, "layer %s: %s", fl_path_last(in->path), what);
}

/* Reads on when all input was used. */
static int fill(struct fl_inflate *in, struct fl_err *err)
{
	ssize_t got;

	if (in->in_at < in->in_len || in->input_ended)
		return 0;
	got = read(in->fd, in->in, IN_SIZE);
	if (got < 0)
		return fl_err_errno(err, errno, "%s: cannot be read", in->path);
	in->in_at = 0;
	in->in_len = (size_t)got;
	in->taken += (size_t)got;
	in->input_ended = got == 0;
	return 0;
}

#ifdef FL_HAVE_ISAL
static void gzip_reset(struct fl_inflate *in)
{
	isal_inflate_reset(&in->gzip);
	in->gzip.crc_flag = ISAL_GZIP;
}

static void gzip_init(struct fl_inflate *in)
{
	isal_inflate_init(&in->gzip);
	in->gzip.crc_flag = ISAL_GZIP;
}

static void gzip_end(struct fl_inflate *in)
{
	(void)in;
}

/* Some output; *member_ended at the end of a gzip member. -1: not gzip. */
static ssize_t gzip_some(struct fl_inflate *in, uint8_t *out, size_t size, bool *member_ended)
{
	in->gzip.next_in = in->in + in->in_at;
	in->gzip.avail_in = (uint32_t)(in->in_len - in->in_at);
	in->gzip.next_out = out;
	in->gzip.avail_out = (uint32_t)size;
	if (isal_inflate(&in->gzip) != ISAL_DECOMP_OK)
		return -1;
	in->in_at = in->in_len - in->gzip.avail_in;
	*member_ended = in->gzip.block_state == ISAL_BLOCK_FINISH;
	return (ssize_t)(size - in->gzip.avail_out);
}
#else
static void gzip_reset(struct fl_inflate *in)
{
	inflateReset(&in->gzip);
}

static void gzip_init(struct fl_inflate *in)
{
	if (inflateInit2(&in->gzip, 15 + 16) != Z_OK)
		abort();
}

static void gzip_end(struct fl_inflate *in)
{
	inflateEnd(&in->gzip);
}

static ssize_t gzip_some(struct fl_inflate *in, uint8_t *out, size_t size, bool *member_ended)
{
	int rc;

	in->gzip.next_in = in->in + in->in_at;
	in->gzip.avail_in = (uInt)(in->in_len - in->in_at);
	in->gzip.next_out = out;
	in->gzip.avail_out = (uInt)size;
	rc = inflate(&in->gzip, Z_NO_FLUSH);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return -1;
	in->in_at = in->in_len - in->gzip.avail_in;
	*member_ended = rc == Z_STREAM_END;
	return (ssize_t)(size - in->gzip.avail_out);
}
#endif

static ssize_t from_gzip(struct fl_inflate *in, uint8_t *out, size_t size, struct fl_err *err)
{
	size_t have = 0;

	while (have < size) {
		bool member_ended = false;
		ssize_t got;

		if (fill(in, err) < 0)
			return -1;
		if (in->input_ended && in->in_at == in->in_len)
			return in->mid_stream ? corrupt(in, "the gzip stream is cut off", err)
					      : (ssize_t)have;
		/* Padding with zeros behind the last member is common and harmless. */
		if (!in->mid_stream && in->in[in->in_at] == 0) {
			in->in_at++;
			continue;
		}
		in->mid_stream = true;
		got = gzip_some(in, out + have, size - have, &member_ended);
		if (got < 0)
			return corrupt(in, "the gzip stream is damaged", err);
		have += (size_t)got;
		if (member_ended) {
			in->mid_stream = false;
			gzip_reset(in);
		}
	}
	return (ssize_t)have;
}

static ssize_t from_zstd(struct fl_inflate *in, uint8_t *to, size_t size, struct fl_err *err)
{
	ZSTD_outBuffer out = { to, size, 0 };

	while (out.pos < out.size) {
		ZSTD_inBuffer from;
		size_t rc;

		if (fill(in, err) < 0)
			return -1;
		if (in->input_ended && in->in_at == in->in_len && !in->mid_stream)
			break;
		from = (ZSTD_inBuffer){ in->in, in->in_len, in->in_at };
		rc = ZSTD_decompressStream(in->zstd, &out, &from);
		if (ZSTD_isError(rc))
			return corrupt(in, ZSTD_getErrorName(rc), err);
		if (in->input_ended && from.pos == in->in_at && out.pos < out.size && rc != 0)
			return corrupt(in, "the zstd stream is cut off", err);
		in->in_at = from.pos;
		in->mid_stream = rc != 0;
	}
	return (ssize_t)out.pos;
}

static ssize_t from_plain(struct fl_inflate *in, uint8_t *out, size_t size, struct fl_err *err)
{
	size_t part;

	if (fill(in, err) < 0)
		return -1;
	part = in->in_len - in->in_at < size ? in->in_len - in->in_at : size;
	memcpy(out, in->in + in->in_at, part);
	in->in_at += part;
	return (ssize_t)part;
}

ssize_t fl_inflate_read(struct fl_inflate *in, uint8_t *out, size_t size, struct fl_err *err)
{
	switch (in->packing) {
	case GZIP:
		return from_gzip(in, out, size, err);
	case ZSTD:
		return from_zstd(in, out, size, err);
	default:
		return from_plain(in, out, size, err);
	}
}

struct fl_inflate *fl_inflate_open(const char *path, struct fl_err *err)
{
	struct fl_inflate *in;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fl_err_errno(err, errno, "%s: cannot be opened", path);
		return NULL;
	}
	in = fl_alloc_zero(1, sizeof(*in));
	in->fd = fd;
	in->path = fl_strdup(path);
	in->in = fl_alloc(IN_SIZE);
	if (fill(in, err) < 0) {
		fl_inflate_close(in);
		return NULL;
	}
	in->packing = sniff(in->in, in->in_len);
	if (in->packing == GZIP)
		gzip_init(in);
	if (in->packing == ZSTD)
		in->zstd = ZSTD_createDStream();
	return in;
}

void fl_inflate_close(struct fl_inflate *in)
{
	if (!in)
		return;
	if (in->packing == GZIP)
		gzip_end(in);
	ZSTD_freeDStream(in->zstd);
	close(in->fd);
	free(in->in);
	free(in->path);
	free(in);
}

uint64_t fl_inflate_taken(const struct fl_inflate *in)
{
	return in->taken;
}

/* What cannot be packed grows by 5 bytes in each 16 KiB at worst (RFC 1951, stored blocks), and
 * less than that in zstd: what is larger still was not all packed from so much. */
static bool can_be_all(uint64_t size, uint64_t packed)
{
	return size + size / 1024 + 1024 >= packed;
}

static uint64_t guess_gzip(int fd, uint64_t packed)
{
	uint8_t tail[4];
	uint64_t size;

	if (pread(fd, tail, 4, (off_t)packed - 4) != 4)
		return packed * 4;
	size = (uint64_t)tail[0] | (uint64_t)tail[1] << 8 | (uint64_t)tail[2] << 16 |
	       (uint64_t)tail[3] << 24;
	/* The field holds the size modulo 4 GiB, and of the last member only: of many members,
	 * as in an eStargz, it says nothing. */
	while (!can_be_all(size, packed))
		size += 1ull << 32;
	return size > packed * 1100 || (size > UINT32_MAX && size > packed * 8) ? packed * 4 : size;
}

static uint64_t guess_zstd(int fd, uint64_t packed)
{
	uint64_t size = fl_frames_size(fd, packed);

	return size ? size : packed * 5;
}

uint64_t fl_inflate_guess(const char *path)
{
	fl_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t head[64] = { 0 };
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0 || (got = pread(fd, head, sizeof(head), 0)) <= 0)
		return 0;
	switch (sniff(head, (size_t)got)) {
	case GZIP:
		return guess_gzip(fd, (uint64_t)st.st_size);
	case ZSTD:
		return guess_zstd(fd, (uint64_t)st.st_size);
	default:
		return (uint64_t)st.st_size;
	}
}
