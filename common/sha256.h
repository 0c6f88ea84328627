/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SHA-256 (FIPS 180-4) of what is in memory, and small; what is long is read through
 * common/hasher.h. The owner of libmd, which sets nothing up when a program starts (nettle asks the
 * processor what it can do).
 *
 *     char hex[FL_SHA256_HEX];
 *     fl_sha256_hex(data, size, hex);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define FL_SHA256_SIZE 32
#define FL_SHA256_HEX 65 /* 64 lower-case digits and NUL */

void fl_sha256_sum(const void *data, size_t size, unsigned char sum[static FL_SHA256_SIZE]);
void fl_sha256_hex(const void *data, size_t size, char hex[static FL_SHA256_HEX]);

/* A sum as text. */
void fl_sha256_write(const unsigned char sum[static FL_SHA256_SIZE],
		     char hex[static FL_SHA256_HEX]);

/* In the same time whether they are equal or not. */
bool fl_sha256_equal(const unsigned char a[static FL_SHA256_SIZE],
		     const unsigned char b[static FL_SHA256_SIZE]);

/* SHA-1, for UUIDs of version 5 and nothing that must be safe. */
#define FL_SHA1_SIZE 20
void fl_sha1_sum(const void *data, size_t size, unsigned char sum[static FL_SHA1_SIZE]);
