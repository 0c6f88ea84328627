/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tars in and out: reading one that may be compressed, making one of a folder. The one
 * owner of libarchive in fl-pack.
 *
 *     if (fl_pack_tar_of_tree("root", &tree, into_blob, &blob, err) < 0) ...
 */
#pragma once

#include "cmd/fl-pack/blob.h"

/* Takes the next bytes of a tar. */
typedef int fl_pack_sink(void *arg, const void *data, size_t size, struct fl_err *err);

/* How the file is compressed, by its first bytes. */
int fl_pack_tar_look(int fd, const char *name, enum fl_pack_compression *found,
		     struct fl_err *err);

/* The file's uncompressed bytes, from its start, into sink. What is no tar is
 * FL_ERR_INVALID, a cut or damaged compression FL_ERR_CORRUPT. */
int fl_pack_tar_read(int fd, const char *name, fl_pack_sink *sink, void *arg,
		     struct fl_err *err);

struct fl_pack_tree {
	bool has_owner; /* every file belongs to uid:gid */
	uint32_t uid, gid;
	bool has_epoch; /* no file is younger than epoch */
	int64_t epoch;
};

/* What lies below a folder as a tar, pax where it must be, sorted by name in each folder.
 * Whole seconds; numeric owners, no names; hard links, devices, fifos and all xattrs.
 * Sockets are left out. The folder itself has no entry. */
int fl_pack_tar_of_tree(const char *folder, const struct fl_pack_tree *tree, fl_pack_sink *sink,
			void *arg, struct fl_err *err);

/* Files under names of their own, "path=file" each, with the folders above: those belong to
 * root, as the files do unless tree says who. Symbolic links are followed. See named.h. */
int fl_pack_tar_of_files(const char *const *files, size_t count, const struct fl_pack_tree *tree,
			 fl_pack_sink *sink, void *arg, struct fl_err *err);
