/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A disk that holds what differs from a raw file below it, and leads to that file for the rest.
 * Format: qcow2, version 3 (QEMU's docs/interop/qcow2.txt).
 *
 *     struct fl_qcow2 *disk = fl_qcow2_begin(fd, "root.qcow2", below, size);
 *     if (fl_qcow2_put(disk, at, data, count, err) < 0 ||
 *         fl_qcow2_end(disk, "/var/lib/flintlock/bases/…", err) < 0) ...
 *     fl_qcow2_destroy(disk);
 */
#pragma once

#include "common/cleanup.h"
#include "common/err.h"

#include <stdint.h>

struct fl_qcow2;

/* Into the empty file fd, called name in errors; below is the raw file as an open descriptor, size
 * what the guest sees, in bytes. All are the caller's, and stay open until the end. */
struct fl_qcow2 *fl_qcow2_begin(int fd, const char *name, int below, uint64_t size);

/* Bytes that differ; they lie in one cluster (64 KiB, aligned). arg is the disk: for those who
 * call back. FL_ERR_EXHAUSTED: more than an image made here can hold, or no space. */
int fl_qcow2_put(void *arg, uint64_t at, const void *data, size_t count, struct fl_err *err);

/* Writes what leads to them, and the path of the file below, which must stay as it is. */
int fl_qcow2_end(struct fl_qcow2 *disk, const char *path, struct fl_err *err);

void fl_qcow2_destroy(struct fl_qcow2 *disk); /* NULL: nothing */

/* The path of the file below the disk in fd; caller frees. FL_ERR_CORRUPT: it is none. */
int fl_qcow2_below(int fd, const char *name, char **path, struct fl_err *err);

/* What the guest sees of the disk in fd, in bytes. FL_ERR_CORRUPT: it is none. */
int fl_qcow2_size(int fd, const char *name, uint64_t *size, struct fl_err *err);

/* Makes it larger while nobody has it open; what is new is zero. FL_ERR_UNSUPPORTED: beyond 16 TiB. */
int fl_qcow2_grow(int fd, const char *name, uint64_t size, struct fl_err *err);
