/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How much of a disk each layer has for its data alone. It follows from the sizes of the tars,
 * so that layers can come in side by side and the same layers lie in the same places, whatever
 * they were packed with and whoever is sooner.
 *
 *     sizes[i] = fl_regions_round(size of the tar);
 *     fl_regions_share(sizes, count, blocks, wants);
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Up to steps that are far apart: a size that is nearly known nearly always becomes the same. */
uint64_t fl_regions_round(uint64_t tar_size);

/* sizes: rounded. blocks: of the disk, of which a part is left for what is no file's. wants: blocks
 * for each, no more than its files can fill. */
void fl_regions_share(const uint64_t *sizes, size_t count, uint64_t blocks, uint64_t *wants);

/* Bytes of a disk that holds them in all likelihood. */
uint64_t fl_regions_disk_size(const uint64_t *sizes, size_t count);
