/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A file system's own UUID in a copy of a base.
 *
 *     fl_ext4_set_uuid(fd, "root.img", uuid.byte, err);
 *     fl_ext4_get_uuid(fd, uuid.byte);
 */
#pragma once

#include "common/err.h"

#include <stdint.h>

/* Into the primary and all backup superblocks of an ext4 that fl_base_build wrote: its
 * checksums do not depend on the UUID (metadata_csum_seed). */
int fl_ext4_set_uuid(int fd, const char *name, const uint8_t uuid[static 16],
		     struct fl_err *err);

/* Takes count bytes that belong at an offset of the file system. */
typedef int (*fl_ext4_put)(void *arg, uint64_t at, const void *data, size_t count,
			   struct fl_err *err);

/* The same superblocks of the base in fd, which stays as it is; put gets each. */
int fl_ext4_put_uuid(int fd, const char *name, const uint8_t uuid[static 16], fl_ext4_put put,
		     void *arg, struct fl_err *err);

/* The UUID of an ext4 file system: 1; 0 when there is none to be read. */
int fl_ext4_get_uuid(int fd, uint8_t uuid[static 16]);
