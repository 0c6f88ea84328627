/* SPDX-License-Identifier: MPL-2.0 */
#include "common/sha256.h"

#include "common/alloc.h"

/* EVP reads a configuration and sets up providers before the first byte: a millisecond, most of
 * what many a call of these programs would take. The functions below it only compute. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>

struct fl_sha256 {
	SHA256_CTX context;
};

struct fl_sha256 *fl_sha256_create(void)
{
	struct fl_sha256 *hash = fl_alloc(sizeof(*hash));

	SHA256_Init(&hash->context);
	return hash;
}

void fl_sha256_destroy(struct fl_sha256 *hash)
{
	free(hash);
}

void fl_sha256_add(struct fl_sha256 *hash, const void *data, size_t size)
{
	SHA256_Update(&hash->context, data, size);
}

void fl_sha256_end(struct fl_sha256 *hash, unsigned char sum[static FL_SHA256_SIZE])
{
	SHA256_Final(sum, &hash->context);
	SHA256_Init(&hash->context);
}

static void to_hex(const unsigned char *sum, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < FL_SHA256_SIZE; i++) {
		hex[2 * i] = digits[sum[i] >> 4];
		hex[2 * i + 1] = digits[sum[i] & 15];
	}
	hex[2 * FL_SHA256_SIZE] = 0;
}

void fl_sha256_end_hex(struct fl_sha256 *hash, char hex[static FL_SHA256_HEX])
{
	unsigned char sum[FL_SHA256_SIZE];

	fl_sha256_end(hash, sum);
	to_hex(sum, hex);
}

void fl_sha256_sum(const void *data, size_t size, unsigned char sum[static FL_SHA256_SIZE])
{
	struct fl_sha256 hash;

	SHA256_Init(&hash.context);
	fl_sha256_add(&hash, data, size);
	SHA256_Final(sum, &hash.context);
}

void fl_sha256_hex(const void *data, size_t size, char hex[static FL_SHA256_HEX])
{
	unsigned char sum[FL_SHA256_SIZE];

	fl_sha256_sum(data, size, sum);
	to_hex(sum, hex);
}

void fl_sha1_sum(const void *data, size_t size, unsigned char sum[static FL_SHA1_SIZE])
{
	SHA_CTX context;

	SHA1_Init(&context);
	SHA1_Update(&context, data, size);
	SHA1_Final(sum, &context);
}

bool fl_sha256_equal(const unsigned char a[static FL_SHA256_SIZE],
		     const unsigned char b[static FL_SHA256_SIZE])
{
	return CRYPTO_memcmp(a, b, FL_SHA256_SIZE) == 0;
}
