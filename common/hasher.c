/* SPDX-License-Identifier: MPL-2.0 */
#include "common/hasher.h"

#include "common/alloc.h"
#include "common/sha256.h"

/* EVP reads a configuration and sets up providers before the first byte: a millisecond, most of
 * what many a call of these programs would take. The functions below it only compute. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

struct fl_hasher {
	SHA256_CTX context;
};

struct fl_hasher *fl_hasher_create(void)
{
	struct fl_hasher *hasher = fl_alloc(sizeof(*hasher));

	SHA256_Init(&hasher->context);
	return hasher;
}

void fl_hasher_destroy(struct fl_hasher *hasher)
{
	free(hasher);
}

void fl_hasher_add(struct fl_hasher *hasher, const void *data, size_t size)
{
	SHA256_Update(&hasher->context, data, size);
}

void fl_hasher_end(struct fl_hasher *hasher, char digest[static FL_DIGEST_TEXT])
{
	unsigned char sum[FL_SHA256_SIZE];

	SHA256_Final(sum, &hasher->context);
	SHA256_Init(&hasher->context);
	memcpy(digest, "sha256:", 7);
	fl_sha256_write(sum, digest + 7);
}
