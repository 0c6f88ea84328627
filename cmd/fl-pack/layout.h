/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where an image goes: an OCI image layout in a folder, one in a tar, or the local store.
 *
 *     struct fl_pack_layout layout;
 *     rc = fl_pack_layout_open(&layout, "image.tar", err);
 *     … write blobs into layout.store.blobs, name them with fl_store_name …
 *     if (rc == 0) rc = fl_pack_layout_close(&layout, err);
 *     fl_pack_layout_finish(&layout);
 */
#pragma once

#include "common/atomic.h"
#include "common/image.h"

struct fl_pack_layout {
	struct fl_store store;
	int lock;                 /* keeps the garbage collector of a store away */
	char *scratch;            /* the layout of an archive, until it is one */
	struct fl_atomic archive; /* where to */
};

/* A name that ends in ".tar" and is no folder is an archive. A folder is made when it is
 * missing; one that holds other things is refused. After a failure, finish is still due. */
int fl_pack_layout_open(struct fl_pack_layout *layout, const char *path, struct fl_err *err);

/* Turns the layout into the archive, if it is to be one. */
int fl_pack_layout_close(struct fl_pack_layout *layout, struct fl_err *err);

void fl_pack_layout_finish(struct fl_pack_layout *layout);
