/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Layers are read from the top. What is under the wanted name in one of them is written at once,
 * and when nothing in the layers so far could have changed what that name means, those below are
 * not read. Else all are read and applied to each other, as a base is made.
 */
#include "cmd/fl-snap/extract.h"

#include "cmd/fl-snap/blob.h"
#include "cmd/fl-snap/tar.h"
#include "cmd/fl-snap/tree.h"
#include "cmd/fl-snap/wanted.h"
#include "common/alloc.h"
#include "common/io.h"
#include "common/path.h"
#include "common/str.h"
#include "common/vec.h"

#include <string.h>
#include <sys/stat.h>

#define MOST_KEPT (1ull << 30) /* bytes of a file that may be another's in the end */
#define BLOCK 4096

typedef FL_VEC(struct fl_entry) entries;

/* The names of the layers; inodes carry where they came from in extent_count (the layer)
 * and first_block (the entry's number). */
struct scan {
	const struct fl_base_layer *layers;
	struct fl_budget budget;
	struct fl_wanted wanted;
	int fd;                      /* what is under that name goes here at once */
	const struct fl_inode *kept; /* whose data that was; NULL: nobody's */
	struct fl_arena arena;
	entries *names; /* of each layer */
};

static int take_entry(struct scan *scan, const struct fl_tar_entry *from, uint32_t layer,
		      uint64_t number, struct fl_err *err)
{
	size_t before = scan->arena.size;
	struct fl_entry entry = { .path = fl_tree_clean(&scan->arena, from->path) };

	if (entry.path && from->hard_link)
		entry.hard_link = fl_tree_clean(&scan->arena, from->hard_link);
	if (!entry.path || (from->hard_link && !entry.hard_link))
		return fl_err_set(err, FL_ERR_CORRUPT, "layer %s: entry \"%.300s\": leaves the image "
				  "with \"..\"", fl_path_last(scan->layers[layer].path), from->path);
	if (!from->hard_link) {
		entry.inode = fl_arena_zero(&scan->arena, sizeof(*entry.inode));
		entry.inode->mode = (uint16_t)from->mode;
		entry.inode->size = from->size;
		entry.inode->extent_count = layer;
		entry.inode->first_block = number;
		if (S_ISLNK(from->mode) && from->symlink)
			entry.inode->symlink = fl_arena_text(&scan->arena, from->symlink,
							     strlen(from->symlink));
	}
	FL_VEC_ADD(&scan->names[layer], entry);
	fl_wanted_look(&scan->wanted, &entry);
	return fl_budget_memory(&scan->budget, scan->arena.size - before, err);
}

/* Blocks of zeros become holes: kernels are full of them. */
static int write_data(int fd, const char *data, size_t size, uint64_t offset, struct fl_err *err)
{
	size_t from = 0, at = 0;

	while (at < size) {
		size_t step = BLOCK - (offset + at) % BLOCK;
		size_t end = size - at < step ? size : at + step;
		bool zero = fl_io_is_zero(data + at, end - at);

		if (zero && at > from &&
		    fl_io_pwrite(fd, data + from, at - from, offset + from, "the file", err) < 0)
			return -1;
		from = zero ? end : from;
		at = end;
	}
	return fl_io_pwrite(fd, data + from, size - from, offset + from, "the file", err);
}

static int copy_data(struct fl_tar *tar, uint64_t size, int fd, struct fl_err *err)
{
	const void *data;
	uint64_t offset;
	ssize_t got;

	if (fl_io_make_empty(fd, "the file", err) < 0)
		return -1;
	if (ftruncate(fd, (off_t)size) < 0)
		return fl_err_errno(err, errno, "the file cannot be written");
	while ((got = fl_tar_data(tar, &data, &offset, err)) > 0)
		if (write_data(fd, data, (size_t)got, offset, err) < 0)
			return -1;
	return (int)got;
}

/* Most often the file has the very name that was asked for, and the uppermost one counts. */
static int keep_data(struct scan *scan, struct fl_tar *tar, uint32_t layer, struct fl_err *err)
{
	const entries *names = &scan->names[layer];
	const struct fl_entry *entry = &names->items[names->count - 1];

	if (!fl_wanted_is(&scan->wanted, entry) || entry->inode->size > MOST_KEPT ||
	    (scan->kept && scan->kept->extent_count != layer))
		return 0;
	scan->kept = entry->inode;
	return copy_data(tar, entry->inode->size, scan->fd, err);
}

static bool is_found(const struct scan *scan, uint32_t layer)
{
	return scan->kept && scan->kept->extent_count == layer &&
	       fl_wanted_is_sure(&scan->wanted, layer == 0);
}

static int read_names(struct scan *scan, uint32_t number, struct fl_err *err)
{
	const struct fl_base_layer *layer = &scan->layers[number];
	struct fl_tar *tar = fl_tar_open(layer->path, layer->digest ? NULL : layer->diff_id,
					 &scan->budget, err);
	struct fl_tar_entry entry;
	uint64_t at = 0;
	int more = tar ? 1 : -1;

	while (more > 0 && (more = fl_tar_next(tar, &entry, err)) > 0)
		if (fl_budget_entry(&scan->budget, err) < 0 ||
		    take_entry(scan, &entry, number, at++, err) < 0 ||
		    keep_data(scan, tar, number, err) < 0)
			more = -1;
	fl_tar_close(tar);
	return more < 0 ? -1 : 0;
}

/* Of a blob that is not what it should be, that is what is said, whatever came of it. */
static int scan_layer(struct scan *scan, uint32_t number, struct fl_err *err)
{
	const struct fl_base_layer *layer = &scan->layers[number];
	struct fl_err why = { 0 };
	struct fl_blob_check *check =
		layer->digest ? fl_blob_check(layer->path, layer->digest, &scan->budget) : NULL;
	int rc = read_names(scan, number, &why);
	bool is_other = rc < 0 && why.kind != FL_ERR_CORRUPT;

	if (is_other)
		atomic_store(&scan->budget.stop, true);
	if (check && fl_blob_checked(check, is_other ? NULL : &why) < 0)
		rc = -1;
	return rc < 0 ? fl_err_pass(err, &why) : 0;
}

/* The second reading, of one layer only, up to the file. */
static int write_file(struct scan *scan, const struct fl_inode *inode, struct fl_err *err)
{
	struct fl_tar *tar;
	struct fl_tar_entry entry;
	int more;

	scan->budget.bytes = 0;
	tar = fl_tar_open(scan->layers[inode->extent_count].path, NULL, &scan->budget, err);
	more = tar ? 1 : -1;

	for (uint64_t at = 0; more > 0 && (more = fl_tar_next(tar, &entry, err)) > 0; at++)
		if (at == inode->first_block) {
			more = copy_data(tar, inode->size, scan->fd, err);
			break;
		}
	fl_tar_close(tar);
	return more;
}

static int not_found(struct fl_tree *tree, const char *path, struct fl_err *err)
{
	fl_cleanup_str struct fl_str near = FL_STR_INIT, folder = FL_STR_INIT;
	const char *slash = strrchr(path, '/');
	const struct fl_node *node;
	int shown = 0;

	fl_str_add_bytes(&folder, path, slash ? (size_t)(slash - path) : 0);
	node = fl_tree_find(tree, folder.data ? folder.data : "");
	if (!node || !S_ISDIR(node->inode->mode))
		return fl_err_set(err, FL_ERR_NOT_FOUND, "\"%s\" is not in the image, nor is its "
				  "folder", path);
	for (const struct fl_node *child = node->children; child; child = child->next)
		if (child->inode && shown++ < 10)
			fl_str_addf(&near, " %s", child->name);
	return fl_err_set(err, FL_ERR_NOT_FOUND, "\"%s\" is not in the image; /%s holds:%s%s", path,
			  folder.data, shown ? near.data : " nothing", shown > 10 ? " …" : "");
}

static int find_and_write(struct scan *scan, struct fl_tree *tree, const char *path,
			  struct fl_err *err)
{
	const struct fl_node *node = fl_tree_find(tree, path);

	if (!node)
		return not_found(tree, path, err);
	if (!S_ISREG(node->inode->mode))
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" in the image is not a file", path);
	if (node->inode == scan->kept)
		return 0;
	return write_file(scan, node->inode, err);
}

/* 1: found on the way; 0: all layers were read. */
static int scan_down(struct scan *scan, size_t count, struct fl_err *err)
{
	for (size_t i = count; i-- > 0;) {
		if (scan_layer(scan, (uint32_t)i, err) < 0)
			return -1;
		if (is_found(scan, (uint32_t)i))
			return 1;
		fl_wanted_next_layer(&scan->wanted);
	}
	return 0;
}

static int apply_up(struct scan *scan, size_t count, const char *path, struct fl_err *err)
{
	struct fl_tree tree;
	int rc = 0;

	fl_tree_init(&tree);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = fl_tree_apply(&tree, scan->names[i].items, scan->names[i].count,
				   fl_path_last(scan->layers[i].path), err);
	if (rc == 0)
		rc = find_and_write(scan, &tree, path, err);
	fl_tree_finish(&tree);
	return rc;
}

int fl_extract_file(const struct fl_base_layer *layers, size_t count, const char *path, int fd,
		    const struct fl_base_options *options, struct fl_err *err)
{
	static const struct fl_base_options none;
	const struct fl_base_options *asked = options ? options : &none;
	struct scan scan = {
		.layers = layers,
		.budget = { .max_bytes = asked->max_bytes, .max_entries = asked->max_entries,
			    .cancelled = asked->cancelled, .arg = asked->arg },
		.fd = fd,
		.names = fl_alloc_zero(count, sizeof(*scan.names)),
	};
	int rc;

	fl_wanted_init(&scan.wanted, path, fl_tree_clean(&scan.arena, path));
	rc = scan_down(&scan, count, err);
	if (rc == 0)
		rc = apply_up(&scan, count, path, err);
	for (size_t i = 0; i < count; i++)
		free(scan.names[i].items);
	free(scan.names);
	fl_arena_finish(&scan.arena);
	return rc < 0 ? -1 : 0;
}
