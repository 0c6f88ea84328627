/* SPDX-License-Identifier: MPL-2.0 */
#include "common/sha256.h"

#include <sha1.h>
#include <sha2.h>

void fl_sha256_sum(const void *data, size_t size, unsigned char sum[static FL_SHA256_SIZE])
{
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, data, size);
	SHA256Final(sum, &context);
}

void fl_sha256_write(const unsigned char sum[static FL_SHA256_SIZE],
		     char hex[static FL_SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < FL_SHA256_SIZE; i++) {
		hex[2 * i] = digits[sum[i] >> 4];
		hex[2 * i + 1] = digits[sum[i] & 15];
	}
	hex[2 * FL_SHA256_SIZE] = 0;
}

void fl_sha256_hex(const void *data, size_t size, char hex[static FL_SHA256_HEX])
{
	unsigned char sum[FL_SHA256_SIZE];

	fl_sha256_sum(data, size, sum);
	fl_sha256_write(sum, hex);
}

bool fl_sha256_equal(const unsigned char a[static FL_SHA256_SIZE],
		     const unsigned char b[static FL_SHA256_SIZE])
{
	volatile unsigned char differs = 0;

	for (int i = 0; i < FL_SHA256_SIZE; i++)
		differs |= a[i] ^ b[i];
	return !differs;
}

void fl_sha1_sum(const void *data, size_t size, unsigned char sum[static FL_SHA1_SIZE])
{
	SHA1_CTX context;

	SHA1Init(&context);
	SHA1Update(&context, data, size);
	SHA1Final(sum, &context);
}
