/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How much a zstd file unpacks to, by the headers of its frames and blocks (RFC 8878, 3.1.1):
 * what packs a stream does not know the size beforehand, and writes none. Nothing is unpacked.
 *
 *     uint64_t size = fl_frames_size(fd, st.st_size);
 */
#pragma once

#include <stdint.h>

/* packed: the file's size. Bytes: never less than the content of a sound file, and more by less than a block of 128 KiB
 * for each frame in the usual case. 0: no zstd, or of more blocks than are looked at. */
uint64_t fl_frames_size(int fd, uint64_t packed);
