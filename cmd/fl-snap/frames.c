/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/frames.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0xfd2fb528u
#define SKIPPABLE 0x184d2a50u /* and the 15 above it */
#define LARGEST_BLOCK (128ull << 10)
#define MOST_BLOCKS (1u << 20)

enum { RAW, RLE, COMPRESSED };

struct walk {
	int fd;
	off_t at;
	uint64_t size; /* of what was passed, unpacked */
	unsigned blocks;
};

/* A little-endian number at a place; 0 beyond the end. */
static uint64_t number_at(int fd, off_t at, size_t bytes)
{
	uint8_t raw[8] = { 0 };
	uint64_t number = 0;

	if (pread(fd, raw, bytes, at) != (ssize_t)bytes)
		return 0;
	while (bytes--)
		number = number << 8 | raw[bytes];
	return number;
}

static uint64_t window_of(uint8_t descriptor)
{
	uint64_t base = 1ull << (10 + (descriptor >> 3));

	return base + base / 8 * (descriptor & 7);
}

struct frame {
	bool has_size, has_checksum;
	uint64_t size, largest_block;
};

/* The header behind the magic number; the walk stands before the first block then. */
static struct frame pass_header(struct walk *walk)
{
	static const uint8_t size_bytes[] = { 0, 2, 4, 8 }, id_bytes[] = { 0, 1, 2, 4 };
	uint8_t head = (uint8_t)number_at(walk->fd, walk->at++, 1);
	bool is_single = head & 0x20;
	unsigned bytes = is_single && head >> 6 == 0 ? 1 : size_bytes[head >> 6];
	struct frame frame = { .has_size = bytes, .has_checksum = head & 4 };
	uint64_t window = is_single ? 0 : window_of((uint8_t)number_at(walk->fd, walk->at++, 1));

	walk->at += id_bytes[head & 3];
	frame.size = number_at(walk->fd, walk->at, bytes) + (bytes == 2 ? 256 : 0);
	walk->at += bytes;
	window = is_single ? frame.size : window;
	frame.largest_block = window < LARGEST_BLOCK ? window : LARGEST_BLOCK;
	return frame;
}

static bool pass_blocks(struct walk *walk, const struct frame *frame, uint64_t *size)
{
	bool is_last = false;

	while (!is_last) {
		uint32_t head = (uint32_t)number_at(walk->fd, walk->at, 3), length = head >> 3;
		unsigned type = head >> 1 & 3;

		/* Raw and empty, and not the last: no packer writes it, and so reads the end of the file. */
		if (type > COMPRESSED || head == 0 || ++walk->blocks > MOST_BLOCKS)
			return false;
		is_last = head & 1;
		*size += type == COMPRESSED ? frame->largest_block : length;
		walk->at += 3 + (type == RLE ? 1 : (off_t)length);
	}
	return true;
}

static bool pass_frame(struct walk *walk)
{
	struct frame frame = pass_header(walk);
	uint64_t size = 0;

	if (!pass_blocks(walk, &frame, &size))
		return false;
	/* A frame that says more than its blocks can hold is not to be believed. */
	walk->size += frame.has_size && frame.size < size ? frame.size : size;
	walk->at += frame.has_checksum ? 4 : 0;
	return true;
}

uint64_t fl_frames_size(int fd, uint64_t packed)
{
	struct walk walk = { .fd = fd };

	while ((uint64_t)walk.at < packed) {
		uint32_t magic = (uint32_t)number_at(fd, walk.at, 4);

		walk.at += 4;
		if ((magic & ~15u) == SKIPPABLE)
			walk.at += 4 + (off_t)number_at(fd, walk.at, 4);
		else if (magic != MAGIC || !pass_frame(&walk))
			return 0;
		if (++walk.blocks > MOST_BLOCKS)
			return 0;
	}
	return walk.size;
}
