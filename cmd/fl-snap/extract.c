/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Layers are read from the top, two at once. What is under the sought name in one of them is
 * written on the way, and when nothing in the layers so far could have changed what that name
 * means, those below are not read. Else all are read and applied to each other, as a base is made.
 */
#include "cmd/fl-snap/extract.h"

#include "cmd/fl-snap/scan.h"
#include "cmd/fl-snap/tar.h"
#include "cmd/fl-snap/tree.h"
#include "common/alloc.h"
#include "common/path.h"
#include "common/str.h"

#include <string.h>
#include <sys/stat.h>

struct extract {
	const struct fl_base_layer *layers;
	size_t count;
	const char *path;
	struct fl_budget budget; /* of the layers settled */
	struct fl_scan *scans;   /* of each layer */
	struct fl_scan_output output;
};

/* The second reading, of one layer only, up to the file. */
static int write_file(struct extract *extract, const struct fl_inode *inode, struct fl_err *err)
{
	struct fl_tar *tar;
	struct fl_tar_entry entry;
	int more;

	extract->budget.bytes = 0;
	tar = fl_tar_open(extract->layers[inode->extent_count].path, NULL, &extract->budget, err);
	more = tar ? 1 : -1;

	for (uint64_t at = 0; more > 0 && (more = fl_tar_next(tar, &entry, err)) > 0; at++)
		if (at == inode->first_block) {
			more = fl_scan_copy_data(tar, inode->size, extract->output.fd, err);
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

static int find_and_write(struct extract *extract, struct fl_tree *tree, struct fl_err *err)
{
	const struct fl_node *node = fl_tree_find(tree, extract->path);

	if (!node)
		return not_found(tree, extract->path, err);
	if (!S_ISREG(node->inode->mode))
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" in the image is not a file",
				  extract->path);
	if (node->inode == extract->output.kept)
		return 0;
	return write_file(extract, node->inode, err);
}

static int settle(struct extract *extract, size_t number, struct fl_err *err)
{
	struct fl_scan *scan = &extract->scans[number];

	if (fl_scan_join(scan, err) < 0 || fl_budget_take(&extract->budget, &scan->budget, err) < 0)
		return -1;
	if (number + 1 < extract->count)
		fl_sought_below(&scan->sought, &extract->scans[number + 1].sought);
	fl_scan_settle(scan);
	return 0;
}

/* 1: found on the way; 0: all layers were read. */
static int scan_down(struct extract *extract, struct fl_err *err)
{
	fl_scan_start(&extract->scans[extract->count - 1]);
	for (size_t i = extract->count; i-- > 0;) {
		if (i > 0)
			fl_scan_start(&extract->scans[i - 1]);
		if (settle(extract, i, err) < 0)
			return -1;
		if (extract->scans[i].kept && fl_sought_is_sure(&extract->scans[i].sought, i == 0))
			return 1;
	}
	return 0;
}

static int apply_up(struct extract *extract, struct fl_err *err)
{
	struct fl_tree tree;
	int rc = 0;

	fl_tree_init(&tree);
	for (size_t i = 0; rc == 0 && i < extract->count; i++)
		rc = fl_tree_apply(&tree, extract->scans[i].names.items, extract->scans[i].names.count,
				   fl_path_last(extract->layers[i].path), err);
	if (rc == 0)
		rc = find_and_write(extract, &tree, err);
	fl_tree_finish(&tree);
	return rc;
}

static void allow(struct fl_budget *budget, const struct fl_base_options *asked)
{
	budget->max_bytes = asked->max_bytes;
	budget->max_entries = asked->max_entries;
	budget->cancelled = asked->cancelled;
	budget->arg = asked->arg;
}

/* Each layer may take what all of them may: one that is read ahead is not held against the
 * others before its turn. */
static void prepare(struct extract *extract, const struct fl_base_options *asked)
{
	allow(&extract->budget, asked);
	for (size_t i = 0; i < extract->count; i++) {
		struct fl_scan *scan = &extract->scans[i];

		scan->layer = &extract->layers[i];
		scan->number = (uint32_t)i;
		scan->output = &extract->output;
		allow(&scan->budget, asked);
		fl_sought_init(&scan->sought, extract->path,
			       fl_tree_clean(&scan->arena, extract->path));
	}
}

int fl_extract_file(const struct fl_base_layer *layers, size_t count, const char *path, int fd,
		    const struct fl_base_options *options, struct fl_err *err)
{
	static const struct fl_base_options none;
	struct extract extract = {
		.layers = layers,
		.count = count,
		.path = path,
		.scans = fl_alloc_zero(count, sizeof(*extract.scans)),
	};
	int rc;

	fl_scan_output_init(&extract.output, fd, count);
	prepare(&extract, options ? options : &none);
	rc = count ? scan_down(&extract, err) : 0;
	if (rc == 0)
		rc = apply_up(&extract, err);
	for (size_t i = count; i-- > 0;)
		fl_scan_finish(&extract.scans[i]);
	free(extract.scans);
	fl_scan_output_finish(&extract.output);
	return rc < 0 ? -1 : 0;
}
