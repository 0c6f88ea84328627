/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/layer.h"

#include "cmd/fl-snap/tar.h"

#include "common/io.h"
#include "common/path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK FL_DISK_BLOCK
#define STAGE (1 << 20)
#define SHORTEST_HOLE 16 /* blocks of zeros that are worth a hole */

/* The file whose data is coming in. */
struct writing {
	struct fl_layer_load *load;
	struct fl_inode *inode;
	uint32_t logical;  /* the next block */
	uint32_t zeros;    /* blocks of zeros that were not written yet */
	uint64_t position; /* bytes, the partial block included */
	size_t partial_len;
	uint8_t partial[BLOCK];
};

static int flush(struct fl_layer_load *load, struct fl_err *err)
{
	if (load->stage_len &&
	    fl_disk_write(load->disk, load->stage_at, load->stage, load->stage_len, err) < 0)
		return -1;
	load->stage_len = 0;
	return 0;
}

static void note_extent(struct writing *file, uint64_t index, uint32_t count)
{
	struct fl_layer_load *load = file->load;
	struct fl_extent *last = file->inode->extent_count
					 ? &load->extents.items[load->extents.count - 1]
					 : NULL;

	if (last && last->index + last->count == index &&
	    last->logical + last->count == file->logical) {
		last->count += count;
		return;
	}
	FL_VEC_ADD(&load->extents, (struct fl_extent){ index, file->logical, count });
	file->inode->extent_count++;
}

static int stage(struct fl_layer_load *load, const uint8_t *data, uint32_t blocks,
		 struct fl_err *err)
{
	size_t left = (size_t)blocks * BLOCK;

	while (left) {
		size_t room = STAGE - load->stage_len, size = left < room ? left : room;

		if (!load->stage_len)
			load->stage_at = load->next;
		if (data)
			memcpy(load->stage + load->stage_len, data, size);
		else
			memset(load->stage + load->stage_len, 0, size);
		data = data ? data + size : NULL;
		load->stage_len += size;
		load->next += size / BLOCK;
		left -= size;
		if (load->stage_len == STAGE && flush(load, err) < 0)
			return -1;
	}
	return 0;
}

/* Whole blocks that are really kept; data NULL: zeros. */
static int keep(struct writing *file, const uint8_t *data, uint32_t blocks, struct fl_err *err)
{
	struct fl_layer_load *load = file->load;

	if (!blocks)
		return 0;
	if (load->is_full || blocks > load->end - load->next) {
		load->is_full = true;
		return 0;
	}
	note_extent(file, load->next, blocks);
	file->logical += blocks;
	return stage(load, data, blocks, err);
}

static int settle_zeros(struct writing *file, struct fl_err *err)
{
	uint32_t zeros = file->zeros;

	file->zeros = 0;
	if (zeros < SHORTEST_HOLE)
		return keep(file, NULL, zeros, err);
	file->logical += zeros;
	return 0;
}

static int put_blocks(struct writing *file, const uint8_t *data, uint32_t blocks,
		      struct fl_err *err)
{
	uint32_t from = 0;

	for (uint32_t i = 0; i <= blocks; i++) {
		bool zero = i < blocks && fl_io_is_zero(data + (size_t)i * BLOCK, BLOCK);

		if (i < blocks && !zero)
			continue;
		if (i > from && (settle_zeros(file, err) < 0 ||
				 keep(file, data + (size_t)from * BLOCK, i - from, err) < 0))
			return -1;
		file->zeros += zero;
		from = i + 1;
	}
	return 0;
}

static int end_partial(struct writing *file, struct fl_err *err)
{
	if (!file->partial_len)
		return 0;
	memset(file->partial + file->partial_len, 0, BLOCK - file->partial_len);
	file->partial_len = 0;
	return put_blocks(file, file->partial, 1, err);
}

static int put_data(struct writing *file, const uint8_t *data, size_t size, struct fl_err *err)
{
	file->position += size;
	if (file->partial_len) {
		size_t room = BLOCK - file->partial_len, part = size < room ? size : room;

		memcpy(file->partial + file->partial_len, data, part);
		file->partial_len += part;
		data += part;
		size -= part;
		if (file->partial_len < BLOCK)
			return 0;
		file->partial_len = 0;
		if (put_blocks(file, file->partial, 1, err) < 0)
			return -1;
	}
	if (put_blocks(file, data, (uint32_t)(size / BLOCK), err) < 0)
		return -1;
	file->partial_len = size % BLOCK;
	memcpy(file->partial, data + size - file->partial_len, file->partial_len);
	return 0;
}

/* Zeros up to a position, without touching most of them. */
static int put_gap(struct writing *file, uint64_t position, struct fl_err *err)
{
	uint64_t gap = position - file->position;
	size_t room = file->partial_len ? BLOCK - file->partial_len : 0;

	if (gap < room) {
		memset(file->partial + file->partial_len, 0, (size_t)gap);
		file->partial_len += (size_t)gap;
		file->position = position;
		return 0;
	}
	if (end_partial(file, err) < 0)
		return -1;
	gap -= room;
	file->zeros += (uint32_t)(gap / BLOCK);
	file->partial_len = gap % BLOCK;
	memset(file->partial, 0, file->partial_len);
	file->position = position;
	return 0;
}

static int damaged(const struct fl_layer_load *load, const char *path, const char *what,
		   struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_CORRUPT, "layer %s: entry \"%.300s\": %s",
			  fl_path_last(load->layer->path), path, what);
}

static int check_stop(struct fl_layer_load *load, struct fl_tar *tar, struct fl_err *err)
{
	const struct fl_base_options *options = load->options;
	uint64_t taken = fl_tar_taken(tar);

	atomic_fetch_add(load->done, taken - load->counted);
	load->counted = taken;
	if (options->progress)
		options->progress(options->arg, atomic_load(load->done), load->total);
	return fl_budget_check_stop(load->budget, err);
}

static int load_data(struct fl_layer_load *load, struct fl_tar *tar, const char *path,
		     struct fl_inode *inode, struct fl_err *err)
{
	struct writing file = { .load = load, .inode = inode };
	const void *data;
	uint64_t offset;
	ssize_t got;

	if (inode->size > 16ull << 40)
		return damaged(load, path, "the file is larger than 16 TiB", err);
	while ((got = fl_tar_data(tar, &data, &offset, err)) > 0) {
		if (offset < file.position || offset + (uint64_t)got > inode->size)
			return damaged(load, path, "data outside of the file", err);
		if ((offset > file.position && put_gap(&file, offset, err) < 0) ||
		    put_data(&file, data, (size_t)got, err) < 0 || check_stop(load, tar, err) < 0)
			return -1;
	}
	if (got < 0)
		return -1;
	/* Zeros at the end are a hole: the size says that they are there. */
	return end_partial(&file, err);
}

static void take_xattrs(struct fl_layer_load *load, struct fl_tar *tar, struct fl_inode *inode)
{
	struct fl_xattr **at = &inode->xattrs;
	const char *name;
	const void *value;
	size_t size;

	while (fl_tar_xattr(tar, &name, &value, &size)) {
		struct fl_xattr *xattr = fl_arena_zero(&load->arena, sizeof(*xattr));

		xattr->name = fl_arena_text(&load->arena, name, strlen(name));
		xattr->value = fl_arena_copy(&load->arena, value, size);
		xattr->size = size;
		*at = xattr;
		at = &xattr->next;
	}
}

static struct fl_inode *take_inode(struct fl_layer_load *load, struct fl_tar *tar,
				   const struct fl_tar_entry *entry)
{
	struct fl_inode *inode = fl_arena_zero(&load->arena, sizeof(*inode));

	*inode = (struct fl_inode){
		.mode = (uint16_t)entry->mode, .uid = entry->uid, .gid = entry->gid,
		.mtime = entry->mtime, .mtime_ns = entry->mtime_ns & 0x7fffffff,
		.size = S_ISREG(entry->mode) ? entry->size : 0,
	};
	if (S_ISLNK(entry->mode) && entry->symlink) {
		inode->size = strlen(entry->symlink);
		inode->symlink = fl_arena_text(&load->arena, entry->symlink, inode->size);
	} else if (S_ISCHR(entry->mode) || S_ISBLK(entry->mode)) {
		inode->major = entry->major;
		inode->minor = entry->minor;
	}
	take_xattrs(load, tar, inode);
	return inode;
}

static bool is_supported(uint32_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) ||
	       S_ISFIFO(mode);
}

static int take_entry(struct fl_layer_load *load, struct fl_tar *tar,
		      const struct fl_tar_entry *from, struct fl_err *err)
{
	size_t before = load->arena.size;
	struct fl_entry entry = { .path = fl_tree_clean(&load->arena, from->path) };

	if (!entry.path)
		return damaged(load, from->path, "leaves the image with \"..\"", err);
	if (fl_budget_entry(load->budget, err) < 0)
		return -1;
	if (from->hard_link) {
		entry.hard_link = fl_tree_clean(&load->arena, from->hard_link);
		if (!entry.hard_link)
			return damaged(load, from->path, "a hard link that leaves the image", err);
	} else if (is_supported(from->mode)) {
		if (from->symlink && (!*from->symlink || strlen(from->symlink) > 4095))
			return damaged(load, from->path, "a symbolic link of that length", err);
		entry.inode = take_inode(load, tar, from);
		if (S_ISREG(from->mode) &&
		    load_data(load, tar, from->path, entry.inode, err) < 0)
			return -1;
	} else {
		return 0; /* sockets have no meaning in an image */
	}
	FL_VEC_ADD(&load->entries, entry);
	return fl_budget_memory(load->budget, load->arena.size - before, err);
}

/* The list of extents has stopped moving: inodes can point into it. */
static void seal(struct fl_layer_load *load)
{
	struct fl_extent *next = load->extents.items;

	for (size_t i = 0; i < load->entries.count; i++) {
		struct fl_inode *inode = load->entries.items[i].inode;

		if (!inode || !S_ISREG(inode->mode))
			continue;
		inode->extents = next;
		if (inode->extent_count)
			next += inode->extent_count;
	}
}

int fl_layer_load(struct fl_layer_load *load, struct fl_err *err)
{
	struct fl_tar *tar = fl_tar_open(load->layer->path, load->layer->diff_id, load->budget,
					 err);
	struct fl_tar_entry entry;
	int more = -1;

	load->stage = fl_alloc(STAGE);
	while (tar && (more = fl_tar_next(tar, &entry, err)) > 0)
		if (check_stop(load, tar, err) < 0 || take_entry(load, tar, &entry, err) < 0) {
			more = -1;
			break;
		}
	if (more == 0)
		more = check_stop(load, tar, err) < 0 || flush(load, err) < 0 ? -1 : 0;
	load->tar_size = tar ? fl_tar_size(tar) : 0;
	fl_tar_close(tar);
	free(load->stage);
	load->stage = NULL;
	seal(load);
	return more;
}

void fl_layer_finish(struct fl_layer_load *load)
{
	fl_arena_finish(&load->arena);
	free(load->entries.items);
	free(load->extents.items);
}
