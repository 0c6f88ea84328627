/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An image layout to read from, a folder or an archive. Format: OCI image specification,
 * image-layout.md.
 *
 *     fl_cleanup_layout struct fl_layout layout = FL_LAYOUT_INIT;
 *     if (fl_layout_open_folder(&layout, "images/layout", err) < 0) return -1;
 *     if (fl_layout_read(&layout, "index.json", &text, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-pull/tar.h"
#include "common/cancel.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/json.h"

#include <stdint.h>

struct fl_layout {
	char *path; /* for messages */
	int dirfd;  /* of a folder */
	struct fl_tar tar;
	fl_json *texts;  /* files that are made up, by name; NULL for a folder */
	fl_json *places; /* members of the tar that have another name there */
};

#define FL_LAYOUT_INIT { .dirfd = -1, .tar = FL_TAR_INIT }

int fl_layout_open_folder(struct fl_layout *layout, const char *folder, struct fl_err *err);

/* file "-" is standard input, which may be either kind. */
int fl_layout_open_archive(struct fl_layout *layout, const char *file, bool is_docker,
			   const struct fl_cancel *cancel, struct fl_err *err);
void fl_layout_close(struct fl_layout *layout);
#define fl_cleanup_layout FL_CLEANUP(fl_layout_close)

/* The content of a small file, "index.json" or "blobs/sha256/…". */
int fl_layout_read(const struct fl_layout *layout, const char *name, struct fl_str *text,
		   struct fl_err *err);

/* Where the bytes of a blob are. */
struct fl_span {
	int fd; /* owned */
	uint64_t offset, size;
};
int fl_layout_open_blob(const struct fl_layout *layout, const char *digest,
			struct fl_span *span, struct fl_err *err);
