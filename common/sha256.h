/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SHA-256 (FIPS 180-4), as a stream and at once. The one owner of libcrypto's digests.
 *
 *     struct fl_sha256 *hash = fl_sha256_create();
 *     fl_sha256_add(hash, data, size);
 *     char hex[FL_SHA256_HEX];
 *     fl_sha256_end_hex(hash, hex);        // and ready for the next
 *     fl_sha256_destroy(hash);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define FL_SHA256_SIZE 32
#define FL_SHA256_HEX 65 /* 64 lower-case digits and NUL */

struct fl_sha256;

struct fl_sha256 *fl_sha256_create(void);
void fl_sha256_destroy(struct fl_sha256 *hash); /* NULL is fine */

void fl_sha256_add(struct fl_sha256 *hash, const void *data, size_t size);
void fl_sha256_end(struct fl_sha256 *hash, unsigned char sum[static FL_SHA256_SIZE]);
void fl_sha256_end_hex(struct fl_sha256 *hash, char hex[static FL_SHA256_HEX]);

void fl_sha256_hex(const void *data, size_t size, char hex[static FL_SHA256_HEX]);
void fl_sha256_sum(const void *data, size_t size, unsigned char sum[static FL_SHA256_SIZE]);

/* SHA-1, for UUIDs of version 5 and nothing that must be safe. */
#define FL_SHA1_SIZE 20
void fl_sha1_sum(const void *data, size_t size, unsigned char sum[static FL_SHA1_SIZE]);

/* In the same time whether they are equal or not. */
bool fl_sha256_equal(const unsigned char a[static FL_SHA256_SIZE],
		     const unsigned char b[static FL_SHA256_SIZE]);
