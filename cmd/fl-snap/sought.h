/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether a file that was met in a layer is what its path means in the image, by what the layer
 * and those above it hold: then those below need not be read. That it is not sure says nothing.
 * What it does not see is a later entry, of the same layer or one above, that goes into a link to
 * this file as if it were a folder.
 *
 *     struct fl_sought sought, above = none;
 *     for each layer, top first: {
 *             fl_sought_init(&sought, "boot/vmlinux", "boot/vmlinux");
 *             for each entry: {
 *                     fl_sought_look(&sought, entry);
 *                     if (fl_sought_is(&sought, entry)) ...
 *             }
 *             fl_sought_below(&sought, &above);
 *             if (fl_sought_is_sure(&sought, is_lowest)) break;
 *             above = sought;
 *     }
 */
#pragma once

#include "cmd/fl-snap/tree.h"

struct fl_sought {
	const char *path;   /* cleaned; NULL: nothing can be it */
	uint64_t folders;   /* above it, a bit for each */
	uint64_t seen;      /* those of them that this layer held as folders so far */
	uint64_t before;    /* the same when the file was met */
	bool is_found;      /* in this layer */
	bool is_bent;       /* one of the folders is none, here or in a layer above */
	bool is_met, above; /* its names elsewhere, which may be the same place: in this layer since */
			    /* the file, in one above */
};

/* path: as somebody asked for it; cleaned: the same as fl_tree_clean gives it, borrowed. */
void fl_sought_init(struct fl_sought *sought, const char *path, const char *cleaned);

/* Every entry is to be shown. */
void fl_sought_look(struct fl_sought *sought, const struct fl_entry *entry);

/* The entry is a file of that very path. */
bool fl_sought_is(const struct fl_sought *sought, const struct fl_entry *entry);

/* What the layer right above holds, with all that is above that, counts here, too. */
void fl_sought_below(struct fl_sought *sought, const struct fl_sought *above);

/* At a layer's end: the last file of that path in it is the image's. */
bool fl_sought_is_sure(const struct fl_sought *sought, bool is_lowest);
