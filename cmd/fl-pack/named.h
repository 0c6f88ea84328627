/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A file under a name of its own in the image, "boot/vmlinux=FILE".
 *
 *     if (fl_pack_named_check(text, err) < 0) return -1;
 *     char *path = fl_pack_named_path(text);           // "boot/vmlinux"
 *     fl_pack_named_file(text)                         // "FILE"
 */
#pragma once

#include "common/err.h"

/* Whether it is of that form and the file can be read. */
int fl_pack_named_check(const char *text, struct fl_err *err);

/* The part before "=", from the top of the image; caller frees. NULL when it cannot be one. */
char *fl_pack_named_path(const char *text);

/* What is behind "="; borrowed. */
const char *fl_pack_named_file(const char *text);
