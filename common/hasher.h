/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SHA-256 of a stream, for blobs, layers and files of any length. The owner of nettle, which uses
 * what the processor has for it: nine tenths as fast as libcrypto, which would take as long to load as
 * a short-lived program to run.
 *
 *     struct fl_hasher *hasher = fl_hasher_create();
 *     fl_hasher_add(hasher, data, size);
 *     char digest[FL_DIGEST_TEXT];
 *     fl_hasher_end(hasher, digest);        // and ready for the next
 *     fl_hasher_destroy(hasher);
 */
#pragma once

#include "common/digest.h"

#include <stddef.h>

struct fl_hasher;

struct fl_hasher *fl_hasher_create(void);
void fl_hasher_destroy(struct fl_hasher *hasher); /* NULL is fine */

void fl_hasher_add(struct fl_hasher *hasher, const void *data, size_t size);
void fl_hasher_end(struct fl_hasher *hasher, char digest[static FL_DIGEST_TEXT]);
