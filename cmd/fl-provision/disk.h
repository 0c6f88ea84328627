/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether a disk may be taken: what it is, who uses it, and what is on it. The owner of
 * libblkid. No disk is ever found here; users name it.
 *
 *     struct fl_disk disk;
 *     if (fl_disk_look("/dev/vdb", &disk, err) < 0) return -1;      // in use, too small …
 *     if (*disk.signature) ...                                      // something is on it
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

#define FL_DISK_LEAST ((uint64_t)1 << 30)

struct fl_disk {
	char path[256]; /* "/dev/vdb", with links followed */
	char serial[128]; /* as lsblk(8) tells it; of a disk without one: its size in bytes */
	char signature[64]; /* what libblkid finds on it: "ext4", "LVM2_member", "gpt"; "" nothing */
	uint64_t size;
};

/* FL_ERR_BUSY when it is in use (mounted, swap, part of RAID, LVM or a device of another's),
 * FL_ERR_PRECONDITION when it is read-only or too small. */
int fl_disk_look(const char *path, struct fl_disk *disk, struct fl_err *err);

/* The word by which --wipe names this disk: "NAME:SERIAL", such as "vdb:QM0001". Caller frees. */
char *fl_disk_word(const struct fl_disk *disk);
bool fl_disk_is_meant(const struct fl_disk *disk, const char *word);
