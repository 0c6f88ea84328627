/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One layer read in: its entries in a list, its data already on the disk.
 *
 *     struct fl_layer_load load = { .disk = disk, … };
 *     fl_layer_load(&load, err);                 // from a thread of its own
 *     fl_tree_apply(&tree, load.entries.items, load.entries.count, …);
 *     fl_layer_finish(&load);
 */
#pragma once

#include "cmd/fl-snap/base.h"
#include "cmd/fl-snap/budget.h"
#include "cmd/fl-snap/ext4/disk.h"
#include "cmd/fl-snap/tree.h"
#include "common/vec.h"

#include <stdatomic.h>

struct fl_layer_load {
	struct fl_disk *disk;                  /* borrowed */
	const struct fl_base_layer *layer;     /* borrowed */
	const struct fl_base_options *options; /* borrowed */
	struct fl_budget *budget;              /* of all layers; borrowed */
	_Atomic uint64_t *done;                /* packed bytes, of all layers; borrowed */
	uint64_t total;                        /* of all layers */
	uint64_t next, end; /* the region of the disk that is its own, and free: indexes */

	uint64_t tar_size; /* bytes */
	bool is_full;      /* the region was too small: what came then was read, and left out */
	struct fl_arena arena;
	FL_VEC(struct fl_entry) entries;
	FL_VEC(struct fl_extent) extents; /* of all its files; inodes count into it until sealed */
	uint8_t *stage;                   /* blocks on their way to the disk */
	uint64_t stage_at;
	size_t stage_len;
	uint64_t counted; /* of done */
};

/* Into the region. FL_ERR_CORRUPT, the budget's errors, those of reading and writing. */
int fl_layer_load(struct fl_layer_load *load, struct fl_err *err);
void fl_layer_finish(struct fl_layer_load *load);
