/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where the members of a tar are, so that they can be read out of order; and headers for one
 * that is written. Formats: POSIX ustar and pax, GNU long names.
 *
 *     fl_cleanup_tar struct fl_tar tar = FL_TAR_INIT;
 *     if (fl_tar_open(&tar, fd, "image.tar", err) < 0) return -1;
 *     const struct fl_tar_member *index = fl_tar_find(&tar, "index.json");
 */
#pragma once

#include "common/err.h"
#include "common/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct fl_tar_member {
	char *name; /* without "./" in front */
	char *link; /* of links: what they lead to, from the top of the archive; else NULL */
	uint64_t offset, size;
};

struct fl_tar {
	int fd;           /* owned */
	const char *path; /* for messages; borrowed */
	FL_VEC(struct fl_tar_member) members;
};

#define FL_TAR_INIT { .fd = -1 }

/* Reads all headers; fd (taken) must be seekable. FL_ERR_CORRUPT with the offset for what is
 * not a tar, FL_ERR_UNSUPPORTED when it is compressed. */
int fl_tar_open(struct fl_tar *tar, int fd, const char *path, struct fl_err *err);
void fl_tar_close(struct fl_tar *tar);
#define fl_cleanup_tar FL_CLEANUP(fl_tar_close)

/* The last file of that name, through links; NULL when there is none. */
const struct fl_tar_member *fl_tar_find(const struct fl_tar *tar, const char *name);

#define FL_TAR_BLOCK 512

/* The header of a file with mode 0644, or a folder (size 0, name ends in "/"), of root, at
 * time 0. name is at most 100 bytes. Content is padded to FL_TAR_BLOCK; two blocks of zeros
 * are the end. */
void fl_tar_header(const char *name, uint64_t size, char block[static FL_TAR_BLOCK]);
