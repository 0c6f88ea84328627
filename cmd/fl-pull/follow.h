/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A file that grows, and a thread that reads behind who writes it: its digest is known when its last
 * bytes are there, and most of it is on its way to the disk.
 *
 *     struct fl_follow *follow = fl_follow_start(fd);
 *     … write to fd, and after each: fl_follow_grown(follow, bytes_so_far);
 *     fl_follow_end(follow, name, digest, err);
 *     fl_follow_destroy(follow);
 */
#pragma once

#include "common/digest.h"
#include "common/err.h"

#include <stdint.h>

struct fl_follow;

/* fd: borrowed, open for reading, and written from its beginning on without gaps. */
struct fl_follow *fl_follow_start(int fd);

/* size: the bytes that it has now. */
void fl_follow_grown(struct fl_follow *follow, uint64_t size);

/* Of all its bytes; nothing is written any more. name is for errors: what fl_io_pread gives. */
int fl_follow_end(struct fl_follow *follow, const char *name,
		  char digest[static FL_DIGEST_TEXT], struct fl_err *err);

void fl_follow_destroy(struct fl_follow *follow); /* at any time; NULL is fine */
