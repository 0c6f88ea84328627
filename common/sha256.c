/* SPDX-License-Identifier: MPL-2.0 */
#include "common/sha256.h"

#include "common/alloc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct fl_sha256 {
	EVP_MD_CTX *context;
};

static void must(int ok)
{
	/* SHA-256 on memory fails only for lack of memory or of the algorithm itself. */
	if (ok != 1)
		abort();
}

struct fl_sha256 *fl_sha256_create(void)
{
	struct fl_sha256 *hash = fl_alloc(sizeof(*hash));

	hash->context = EVP_MD_CTX_new();
	must(hash->context && EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) == 1);
	return hash;
}

void fl_sha256_destroy(struct fl_sha256 *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->context);
	free(hash);
}

void fl_sha256_add(struct fl_sha256 *hash, const void *data, size_t size)
{
	must(EVP_DigestUpdate(hash->context, data, size));
}

void fl_sha256_end(struct fl_sha256 *hash, unsigned char sum[static FL_SHA256_SIZE])
{
	must(EVP_DigestFinal_ex(hash->context, sum, NULL));
	must(EVP_DigestInit_ex(hash->context, NULL, NULL));
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
	must(EVP_Digest(data, size, sum, NULL, EVP_sha256(), NULL));
}

void fl_sha256_hex(const void *data, size_t size, char hex[static FL_SHA256_HEX])
{
	unsigned char sum[FL_SHA256_SIZE];

	fl_sha256_sum(data, size, sum);
	to_hex(sum, hex);
}

void fl_sha1_sum(const void *data, size_t size, unsigned char sum[static FL_SHA1_SIZE])
{
	must(EVP_Digest(data, size, sum, NULL, EVP_sha1(), NULL));
}

bool fl_sha256_equal(const unsigned char a[static FL_SHA256_SIZE],
		     const unsigned char b[static FL_SHA256_SIZE])
{
	return CRYPTO_memcmp(a, b, FL_SHA256_SIZE) == 0;
}
