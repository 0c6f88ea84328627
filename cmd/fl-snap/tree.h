/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the layers make together: a tree of names over inodes, by the rules of the OCI image
 * specification (layer.md): upper wins, ".wh.NAME" removes, ".wh..wh..opq" empties what
 * lower layers put into a folder.
 *
 *     struct fl_tree tree;
 *     fl_tree_init(&tree);
 *     for each layer, bottom first: fl_tree_apply(&tree, entries, count, name, err);
 *     fl_tree_finish(&tree);
 */
#pragma once

#include "cmd/fl-snap/arena.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

/* How names begin that take away what lower layers hold. */
#define FL_TREE_WHITEOUT ".wh."

/* A run of a file's blocks: index is a place among the free blocks of the disk. */
struct fl_extent {
	uint64_t index;
	uint32_t logical, count;
};

struct fl_xattr {
	struct fl_xattr *next;
	const char *name;
	const void *value;
	size_t size;
};

/* Images have hundreds of thousands: 64 bytes each. */
struct fl_inode {
	uint64_t size;
	int64_t mtime;
	struct fl_xattr *xattrs;
	union {
		const char *symlink; /* of a symlink */
		struct {
			uint32_t major, minor; /* of a device */
		};
	};
	union {
		struct fl_extent *extents; /* of a file */
		uint64_t first_block;      /* of a folder or long symlink: index */
	};
	uint32_t extent_count; /* of a folder or long symlink: blocks */
	uint32_t uid, gid;
	uint32_t number; /* 0: not part of the result */
	uint32_t mtime_ns : 31;
	uint32_t hashed : 1; /* a folder with a hash tree */
	uint16_t mode, links;
};

struct fl_node {
	struct fl_node *parent, *next, *children, *in_bucket;
	struct fl_inode *inode; /* NULL: removed */
	const char *name;
	uint32_t hash;
	uint16_t name_len, depth;
};

/* One entry of a layer, path cleaned. */
struct fl_entry {
	const char *path;      /* without "/" at either end; "" is the root */
	const char *hard_link; /* the other name, cleaned; NULL unless it is one */
	struct fl_inode *inode; /* NULL for a hard link */
};

struct fl_tree {
	struct fl_arena arena;
	struct fl_node *root;
	struct fl_node **buckets;
	size_t bucket_count, node_count;
};

void fl_tree_init(struct fl_tree *tree);
void fl_tree_finish(struct fl_tree *tree);

/* Applies one layer. Inodes and texts are borrowed. FL_ERR_CORRUPT names the layer and the
 * entry: a hard link to nothing, a name beyond the limits. */
int fl_tree_apply(struct fl_tree *tree, const struct fl_entry *entries, size_t count,
		  const char *layer, struct fl_err *err);

/* The node of a path, symbolic links (the last one too) followed inside the tree; NULL
 * when there is none. */
struct fl_node *fl_tree_find(struct fl_tree *tree, const char *path);

/* The child of that name, or NULL. */
struct fl_node *fl_tree_child(struct fl_tree *tree, struct fl_node *parent, const char *name,
			      size_t len);

/* A folder of ours below the root, such as lost+found. */
struct fl_node *fl_tree_make_folder(struct fl_tree *tree, const char *name, uint32_t mode);

/* Takes a leading "/", "./" and inner "." and ".." off, into the arena; NULL when ".."
 * would leave the root. */
const char *fl_tree_clean(struct fl_arena *arena, const char *path);
