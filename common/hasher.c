/* SPDX-License-Identifier: MPL-2.0 */
#include "common/hasher.h"

#include "common/alloc.h"
#include "common/sha256.h"

#include <nettle/sha2.h>
#include <nettle/version.h>
#include <stdlib.h>
#include <string.h>

struct fl_hasher {
	struct sha256_ctx context;
};

struct fl_hasher *fl_hasher_create(void)
{
	struct fl_hasher *hasher = fl_alloc(sizeof(*hasher));

	sha256_init(&hasher->context);
	return hasher;
}

void fl_hasher_destroy(struct fl_hasher *hasher)
{
	free(hasher);
}

void fl_hasher_add(struct fl_hasher *hasher, const void *data, size_t size)
{
	sha256_update(&hasher->context, size, data);
}

void fl_hasher_end(struct fl_hasher *hasher, char digest[static FL_DIGEST_TEXT])
{
	unsigned char sum[FL_SHA256_SIZE];

	/* Which begins anew. */
#if NETTLE_VERSION_MAJOR < 4
	sha256_digest(&hasher->context, sizeof(sum), sum);
#else
	sha256_digest(&hasher->context, sum);
#endif
	memcpy(digest, "sha256:", 7);
	fl_sha256_write(sum, digest + 7);
}
