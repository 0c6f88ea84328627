/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether a file that was met in a layer is what its path means in the image, while layers
 * are read from the top: then those below need not be read. That it is not sure says nothing.
 * What it does not see is a later entry, of the same layer or one above, that goes into a link to
 * this file as if it were a folder.
 *
 *     struct fl_wanted wanted;
 *     fl_wanted_init(&wanted, "boot/vmlinux", "boot/vmlinux");
 *     for each layer, top first: {
 *             for each entry: {
 *                     fl_wanted_look(&wanted, entry);
 *                     if (fl_wanted_is(&wanted, entry)) ...
 *             }
 *             if (fl_wanted_is_sure(&wanted, is_lowest)) break;
 *             fl_wanted_next_layer(&wanted);
 *     }
 */
#pragma once

#include "cmd/fl-snap/tree.h"

struct fl_wanted {
	const char *path;   /* cleaned; NULL: nothing can be it */
	uint64_t folders;   /* above it, a bit for each */
	uint64_t seen;      /* those of them that this layer held as folders so far */
	uint64_t before;    /* the same when the file was met */
	bool is_found;      /* in this layer */
	bool is_bent;       /* one of the folders is none in a layer read so far */
	bool is_met, above; /* its names elsewhere, which may be the same place: in this layer since */
			    /* the file, in one above */
};

/* path: as somebody asked for it; cleaned: the same as fl_tree_clean gives it, borrowed. */
void fl_wanted_init(struct fl_wanted *wanted, const char *path, const char *cleaned);

/* Every entry is to be shown. */
void fl_wanted_look(struct fl_wanted *wanted, const struct fl_entry *entry);

/* The entry is a file of that very path. */
bool fl_wanted_is(const struct fl_wanted *wanted, const struct fl_entry *entry);

/* At a layer's end: the last file of that path in it is the image's. */
bool fl_wanted_is_sure(const struct fl_wanted *wanted, bool is_lowest);

void fl_wanted_next_layer(struct fl_wanted *wanted);
