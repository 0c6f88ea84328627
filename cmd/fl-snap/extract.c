/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/extract.h"

#include "cmd/fl-snap/tar.h"
#include "cmd/fl-snap/tree.h"
#include "common/io.h"
#include "common/path.h"
#include "common/str.h"
#include "common/vec.h"

#include <string.h>
#include <sys/stat.h>

#define MOST_KEPT (1ull << 30) /* bytes of a file that may be another's in the end */

/* The names of one layer; inodes carry where they came from in extent_count (the layer)
 * and first_block (the entry's number). */
struct scan {
	struct fl_budget budget;
	const char *wanted; /* the path, cleaned; NULL: it cannot be one */
	int fd;             /* what is under that name goes here at once */
	const struct fl_inode *kept; /* whose data that was; NULL: nobody's */
	struct fl_arena arena;
	FL_VEC(struct fl_entry) entries;
};

static int take_entry(struct scan *scan, const struct fl_tar_entry *from, uint32_t layer,
		      uint64_t number, struct fl_err *err)
{
	size_t before = scan->arena.size;
	struct fl_entry entry = { .path = fl_tree_clean(&scan->arena, from->path) };

	if (entry.path && from->hard_link)
		entry.hard_link = fl_tree_clean(&scan->arena, from->hard_link);
	if (!entry.path || (from->hard_link && !entry.hard_link))
		return fl_err_set(err, FL_ERR_CORRUPT, "entry \"%.300s\": leaves the image with \"..\"",
				  from->path);
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
	FL_VEC_ADD(&scan->entries, entry);
	return fl_budget_memory(&scan->budget, scan->arena.size - before, err);
}

static int copy_data(struct fl_tar *tar, uint64_t size, int fd, struct fl_err *err)
{
	const void *data;
	uint64_t offset;
	ssize_t got;

	if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)size) < 0)
		return fl_err_errno(err, errno, "the file cannot be written");
	while ((got = fl_tar_data(tar, &data, &offset, err)) > 0)
		if (fl_io_pwrite(fd, data, (size_t)got, offset, "the file", err) < 0)
			return -1;
	return (int)got;
}

/* Most often the file has the very name that was asked for: then one reading is enough. */
static int keep_data(struct scan *scan, struct fl_tar *tar, struct fl_err *err)
{
	const struct fl_entry *entry = &scan->entries.items[scan->entries.count - 1];

	if (!scan->wanted || !entry->inode || !S_ISREG(entry->inode->mode) ||
	    entry->inode->size > MOST_KEPT || strcmp(entry->path, scan->wanted) != 0)
		return 0;
	scan->kept = entry->inode;
	return copy_data(tar, entry->inode->size, scan->fd, err);
}

static int scan_layer(struct scan *scan, const struct fl_base_layer *layer, uint32_t number,
		      struct fl_err *err)
{
	struct fl_tar *tar = fl_tar_open(layer->path, layer->diff_id, &scan->budget, err);
	struct fl_tar_entry entry;
	uint64_t at = 0;
	int more = tar ? 1 : -1;

	scan->entries.count = 0;
	while (more > 0 && (more = fl_tar_next(tar, &entry, err)) > 0)
		if (fl_budget_entry(&scan->budget, err) < 0 ||
		    take_entry(scan, &entry, number, at++, err) < 0 ||
		    keep_data(scan, tar, err) < 0)
			more = -1;
	fl_tar_close(tar);
	return more < 0 ? fl_err_prefix(err, "layer %s", fl_path_last(layer->path)) : 0;
}

/* The second reading, of one layer only, up to the file. */
static int write_file(struct scan *scan, const struct fl_base_layer *layer,
		      const struct fl_inode *inode, int fd, struct fl_err *err)
{
	struct fl_tar *tar;
	struct fl_tar_entry entry;
	int more;

	scan->budget.bytes = 0;
	tar = fl_tar_open(layer->path, NULL, &scan->budget, err);
	more = tar ? 1 : -1;

	for (uint64_t at = 0; more > 0 && (more = fl_tar_next(tar, &entry, err)) > 0; at++)
		if (at == inode->first_block) {
			more = copy_data(tar, inode->size, fd, err);
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

static int find_and_write(struct scan *scan, struct fl_tree *tree,
			  const struct fl_base_layer *layers, const char *path,
			  struct fl_err *err)
{
	const struct fl_node *node = fl_tree_find(tree, path);

	if (!node)
		return not_found(tree, path, err);
	if (!S_ISREG(node->inode->mode))
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" in the image is not a file", path);
	if (node->inode == scan->kept)
		return 0;
	return write_file(scan, &layers[node->inode->extent_count], node->inode, scan->fd, err);
}

int fl_extract_file(const struct fl_base_layer *layers, size_t count, const char *path, int fd,
		    const struct fl_base_options *options, struct fl_err *err)
{
	static const struct fl_base_options none;
	const struct fl_base_options *asked = options ? options : &none;
	struct scan scan = {
		.budget = { .max_bytes = asked->max_bytes, .max_entries = asked->max_entries,
			    .cancelled = asked->cancelled, .arg = asked->arg },
		.fd = fd,
	};
	struct fl_tree tree;
	int rc = 0;

	scan.wanted = fl_tree_clean(&scan.arena, path);
	fl_tree_init(&tree);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = scan_layer(&scan, &layers[i], (uint32_t)i, err);
		if (rc == 0)
			rc = fl_tree_apply(&tree, scan.entries.items, scan.entries.count,
					   fl_path_last(layers[i].path), err);
	}
	if (rc == 0)
		rc = find_and_write(&scan, &tree, layers, path, err);
	fl_tree_finish(&tree);
	fl_arena_finish(&scan.arena);
	free(scan.entries.items);
	return rc;
}
