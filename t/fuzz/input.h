/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Input of a fuzz target as a file, for what reads files; and as a tar whose checksums are
 * right, without which nothing behind the first header would be reached.
 *
 *     struct fuzz_file file = fuzz_file(data, size);
 *     read_it(file.path);
 *     close(file.fd);
 */
#pragma once

#include "t/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct fuzz_file {
	int fd;
	char path[32];
};

static inline struct fuzz_file fuzz_file(const uint8_t *data, size_t size)
{
	struct fuzz_file file = { .fd = memfd_create("input", MFD_CLOEXEC) };

	MUST(file.fd >= 0 && write(file.fd, data, size) == (ssize_t)size);
	snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	return file;
}

/* POSIX ustar: the sum of all bytes of a header, its own field counted as blanks. */
static inline void fuzz_fix_header(uint8_t *block)
{
	unsigned sum = 0;

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
}

/* The members one after another, as far as their sizes are small and octal. */
static inline void fuzz_fix_tar(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + 512 <= size;) {
		size_t content = 0;

		if (data[at])
			fuzz_fix_header(data + at);
		for (size_t i = 124; i < 135 && data[at + i] >= '0' && data[at + i] <= '7'; i++)
			content = content * 8 + (size_t)(data[at + i] - '0');
		at += 512 + (content < size ? (content + 511) / 512 * 512 : 0);
	}
}

/* A copy, with checksums mended; free it. */
static inline uint8_t *fuzz_tar(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	MUST(copy);
	memcpy(copy, data, size);
	fuzz_fix_tar(copy, size);
	return copy;
}
