/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether a blob is what its digest says, found out by a thread of its own while the blob is
 * read for something else. For readers that may not come to the end of what is packed in it.
 *
 *     struct fl_blob_check *check = fl_blob_check(path, "sha256:…", &budget);
 *     ... what is read meanwhile is not to be trusted yet ...
 *     if (fl_blob_checked(check, err) < 0) ...
 */
#pragma once

#include "cmd/fl-snap/budget.h"
#include "common/digest.h"

struct fl_blob_check;

/* All are borrowed until the end. budget: whose reasons to stop are asked. */
struct fl_blob_check *fl_blob_check(const char *path, const char *digest, struct fl_budget *budget);

/* Waits for it. FL_ERR_CORRUPT: it has another digest. */
int fl_blob_checked(struct fl_blob_check *check, struct fl_err *err);

/* The digest of an open file, from its beginning. budget may be NULL. */
int fl_blob_digest(int fd, struct fl_budget *budget, char digest[static FL_DIGEST_TEXT],
		     struct fl_err *err);
