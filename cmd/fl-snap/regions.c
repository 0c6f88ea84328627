/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/regions.h"

#include "cmd/fl-snap/ext4/disk.h"

#define BLOCK FL_DISK_BLOCK
#define MIB (1ull << 20)
#define SMALLEST_STEP (4 * MIB)
#define STEPS 8 /* from one power of two to the next */

uint64_t fl_regions_round(uint64_t tar_size)
{
	uint64_t step = SMALLEST_STEP;

	while (step < tar_size / (2 * STEPS))
		step *= 2;
	return (tar_size / step + (tar_size % step != 0)) * step;
}

/* A file of one byte takes 1024 of a tar, and a block; larger ones fill less for each. Only holes
 * can make a layer larger. */
static uint64_t most_blocks(uint64_t tar_size)
{
	return tar_size / 1024;
}

/* A tar has a header for each file, a disk a partly filled block. */
static uint64_t usual_blocks(uint64_t tar_size)
{
	return tar_size / BLOCK + tar_size / (2 * BLOCK) + 64;
}

void fl_regions_share(const uint64_t *sizes, size_t count, uint64_t blocks, uint64_t *wants)
{
	uint64_t all = 0, room = blocks - blocks / 8;

	for (size_t i = 0; i < count; i++)
		all += sizes[i];
	for (size_t i = 0; i < count; i++) {
		uint64_t share = all ? (uint64_t)((double)sizes[i] / (double)all * (double)room) : 0;

		wants[i] = most_blocks(sizes[i]);
		if (most_blocks(all) > room && share < wants[i])
			wants[i] = share;
	}
}

uint64_t fl_regions_disk_size(const uint64_t *sizes, size_t count)
{
	uint64_t blocks = 0;

	for (size_t i = 0; i < count; i++)
		blocks += usual_blocks(sizes[i]);
	return (blocks * BLOCK + blocks * BLOCK / 8 + 80 * MIB) & ~(MIB - 1);
}
