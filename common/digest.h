/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Digests as OCI writes them: "sha256:" and 64 lower-case hexadecimal digits
 * (OCI image specification, descriptor.md). Others are refused by name.
 *
 *     if (fl_digest_check(text, err) < 0) return -1;
 *     const char *hex = fl_digest_hex(text);
 */
#pragma once

#include "common/err.h"
#include "common/sha256.h"

#include <stdbool.h>

#define FL_DIGEST_TEXT (7 + FL_SHA256_HEX)

bool fl_digest_is_valid(const char *text);
int fl_digest_check(const char *text, struct fl_err *err);

/* The digits of a valid digest; points into text. */
const char *fl_digest_hex(const char *text);

void fl_digest_of(const void *data, size_t size, char text[static FL_DIGEST_TEXT]);

/* The chain id of layers bottom to top (OCI image specification, config.md). */
void fl_digest_chain(const char *const *diff_ids, size_t count, char text[static FL_DIGEST_TEXT]);
