/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether a file that was met in a layer is what its path means in the image, while layers
 * are read from the top: then the rest need not be read. It never says so wrongly of layers in
 * which no path stands twice, which the OCI image specification (layer.md) forbids; that it is
 * not sure says nothing.
 *
 *     struct fl_wanted wanted;
 *     fl_wanted_init(&wanted, "boot/vmlinux");
 *     for each layer, top first: {
 *             for each entry: {
 *                     fl_wanted_look(&wanted, entry);
 *                     if (fl_wanted_is(&wanted, entry)) ...
 *             }
 *             if (it was met, and fl_wanted_is_sure(&wanted, is_lowest)) break;
 *             fl_wanted_next_layer(&wanted);
 *     }
 */
#pragma once

#include "cmd/fl-snap/tree.h"

struct fl_wanted {
	const char *path;   /* cleaned; NULL: nothing can be it */
	unsigned folders;   /* above it */
	uint64_t seen;      /* a bit for each of them that this layer holds as a folder */
	bool is_bent;       /* one of them is no folder in a layer read so far */
	bool is_met, above; /* its names mean something else: in this layer, in one above */
};

/* path: as fl_tree_clean gives it; borrowed. */
void fl_wanted_init(struct fl_wanted *wanted, const char *path);

/* Every entry is to be shown. */
void fl_wanted_look(struct fl_wanted *wanted, const struct fl_entry *entry);

/* The entry is a file of that very path. */
bool fl_wanted_is(const struct fl_wanted *wanted, const struct fl_entry *entry);

/* The file of that path in this layer is the image's. */
bool fl_wanted_is_sure(const struct fl_wanted *wanted, bool is_lowest);

void fl_wanted_next_layer(struct fl_wanted *wanted);
