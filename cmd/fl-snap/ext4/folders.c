/* SPDX-License-Identifier: MPL-2.0 */
/* Blocks of folders: linear, or a hash tree where one block does not hold the names
 * (Documentation/filesystems/ext4/directory.rst). */
#include "cmd/fl-snap/ext4/inner.h"

#include <string.h>
#include <sys/stat.h>

#define BLOCK FL_DISK_BLOCK
#define USABLE (BLOCK - 12)              /* the rest is the checksum's tail */
#define ROOT_LIMIT ((BLOCK - 32 - 8) / 8) /* entries of a hash tree's root */
#define NODE_LIMIT ((BLOCK - 8 - 8) / 8)  /* and of a node below it */
#define COUNT_AT 32                       /* of limit and count in the root */

static unsigned record_size(size_t name_len)
{
	return (unsigned)(8 + name_len + 3) & ~3u;
}

static uint8_t *new_block(struct fl_disk_plan *plan)
{
	if (plan->block_count == plan->block_space) {
		plan->block_space = plan->block_space ? plan->block_space * 2 : 256;
		plan->blocks = fl_realloc(plan->blocks, plan->block_space, BLOCK);
	}
	return memset(plan->blocks + plan->block_count++ * BLOCK, 0, BLOCK);
}

static uint8_t file_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EXT2_FT_REG_FILE;
	case S_IFDIR:
		return EXT2_FT_DIR;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	case S_IFLNK:
		return EXT2_FT_SYMLINK;
	default:
		return EXT2_FT_UNKNOWN;
	}
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value & 0xffff);
	put16(at + 2, value >> 16);
}

static void put_name(uint8_t *at, uint32_t inode, unsigned size, const char *name, size_t len,
		     uint8_t type)
{
	put32(at, inode);
	put16(at + 4, size);
	at[6] = (uint8_t)len;
	at[7] = type;
	memcpy(at + 8, name, len);
}

/* Fills a block from offset at on; the last record reaches the end. How many fitted. */
static size_t fill(uint8_t *block, struct fl_node *const *nodes, size_t count, unsigned at,
		   unsigned last)
{
	size_t i = 0;

	for (; i < count && at + record_size(nodes[i]->name_len) <= USABLE; i++) {
		put_name(block + at, nodes[i]->inode->number, record_size(nodes[i]->name_len),
			 nodes[i]->name, nodes[i]->name_len, file_type(nodes[i]->inode->mode));
		last = at;
		at += record_size(nodes[i]->name_len);
	}
	put16(block + last + 4, USABLE - last);
	return i;
}

static void put_dots(uint8_t *block, uint32_t self, uint32_t parent, unsigned rest)
{
	put_name(block, self, 12, ".", 1, EXT2_FT_DIR);
	put_name(block + 12, parent, rest, "..", 2, EXT2_FT_DIR);
}

static void make_linear(struct fl_disk *disk, struct fl_disk_plan *plan,
			const struct fl_disk_folder *folder)
{
	struct fl_node **nodes = plan->nodes + folder->first;
	const struct fl_node *self = folder->node;
	uint8_t *block = new_block(plan);

	put_dots(block, self->inode->number, self->parent->inode->number, 12);
	fill(block, nodes, folder->count, 24, 12);
	ext2fs_initialize_dirent_tail(disk->fs, EXT2_DIRENT_TAIL(block, BLOCK));
}

struct hashed {
	uint32_t major, minor;
	struct fl_node *node;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return x->major != y->major ? FL_COMPARE(x->major, y->major)
				    : FL_COMPARE(x->minor, y->minor);
}

static struct hashed *sort_by_hash(struct fl_disk *disk, struct fl_node **nodes, size_t count)
{
	struct hashed *hashed = fl_alloc_zero(count, sizeof(*hashed));

	for (size_t i = 0; i < count; i++) {
		hashed[i].node = nodes[i];
		ext2fs_dirhash2(EXT2_HASH_HALF_MD4_UNSIGNED, nodes[i]->name, nodes[i]->name_len, NULL,
				0, disk->fs->super->s_hash_seed, &hashed[i].major,
				&hashed[i].minor);
	}
	qsort(hashed, count, sizeof(*hashed), by_hash);
	for (size_t i = 0; i < count; i++)
		nodes[i] = hashed[i].node;
	return hashed;
}

static size_t fits_in_leaf(struct fl_node *const *nodes, size_t count)
{
	unsigned at = 0;
	size_t i = 0;

	for (; i < count && at + record_size(nodes[i]->name_len) <= USABLE; i++)
		at += record_size(nodes[i]->name_len);
	return i;
}

struct leaves {
	uint32_t *hashes; /* the lowest of each; bit 0: the one before ends with the same */
	size_t *firsts;   /* node each starts with; one more at the end */
	size_t count;
};

static struct leaves cut_leaves(struct fl_node *const *nodes, const struct hashed *hashed,
				size_t count)
{
	struct leaves leaves = { 0 };

	leaves.hashes = fl_alloc_zero(count, sizeof(*leaves.hashes));
	leaves.firsts = fl_alloc_zero(count + 1, sizeof(*leaves.firsts));
	for (size_t at = 0; at < count;) {
		bool continued = at && hashed[at - 1].major == hashed[at].major;

		leaves.hashes[leaves.count] = hashed[at].major | continued;
		leaves.firsts[leaves.count++] = at;
		at += fits_in_leaf(nodes + at, count - at);
	}
	leaves.firsts[leaves.count] = count;
	return leaves;
}

/* Limit, count and entries of an index block; hashes[0] is implied. step: how many leaves
 * one entry stands for. */
static void put_index(uint8_t *at, unsigned limit, const uint32_t *hashes, size_t count,
		      size_t step, uint32_t first_block)
{
	put16(at, limit);
	put16(at + 2, (unsigned)count);
	put32(at + 4, first_block);
	for (size_t i = 1; i < count; i++) {
		put32(at + 8 * i, hashes[i * step]);
		put32(at + 8 * i + 4, first_block + (uint32_t)i);
	}
}

/* Root, then nodes of the second level if one level does not do, then leaves. */
static void put_tree(struct fl_disk *disk, struct fl_disk_plan *plan, struct fl_node *const *nodes,
		     const struct leaves *leaves, size_t root_at)
{
	size_t below = leaves->count > ROOT_LIMIT ? (leaves->count + NODE_LIMIT - 1) / NODE_LIMIT : 0;
	uint32_t first_leaf = (uint32_t)(1 + below);
	uint8_t *root;

	for (size_t i = 0; i < below; i++) {
		uint8_t *node = new_block(plan);
		size_t from = i * NODE_LIMIT, left = leaves->count - from;

		put16(node + 4, BLOCK); /* looks like an empty folder block */
		put_index(node + 8, NODE_LIMIT, leaves->hashes + from,
			  left < NODE_LIMIT ? left : NODE_LIMIT, 1, first_leaf + (uint32_t)from);
	}
	for (size_t i = 0; i < leaves->count; i++) {
		uint8_t *leaf = new_block(plan);
		size_t from = leaves->firsts[i];

		fill(leaf, nodes + from, leaves->firsts[i + 1] - from, 0, 0);
		ext2fs_initialize_dirent_tail(disk->fs, EXT2_DIRENT_TAIL(leaf, BLOCK));
	}
	root = plan->blocks + root_at * BLOCK;
	root[24 + 4] = EXT2_HASH_HALF_MD4;
	root[24 + 5] = 8; /* size of this head */
	root[24 + 6] = below != 0;
	put_index(root + COUNT_AT, ROOT_LIMIT, leaves->hashes, below ? below : leaves->count,
		  below ? NODE_LIMIT : 1, 1);
}

static void make_hashed(struct fl_disk *disk, struct fl_disk_plan *plan,
			const struct fl_disk_folder *folder)
{
	struct fl_node **nodes = plan->nodes + folder->first;
	struct fl_node *self = folder->node;
	size_t root_at = plan->block_count;
	struct hashed *hashed = sort_by_hash(disk, nodes, folder->count);
	struct leaves leaves = cut_leaves(nodes, hashed, folder->count);

	put_dots(new_block(plan), self->inode->number, self->parent->inode->number, BLOCK - 12);
	put_tree(disk, plan, nodes, &leaves, root_at);
	self->inode->hashed = true;
	free(hashed);
	free(leaves.hashes);
	free(leaves.firsts);
}

static void make_folder(struct fl_disk *disk, struct fl_disk_plan *plan,
			const struct fl_disk_folder *folder)
{
	struct fl_inode *inode = folder->node->inode;
	size_t from = plan->block_count, need = 24;

	for (size_t i = 0; i < folder->count && need <= USABLE; i++)
		need += record_size(plan->nodes[folder->first + i]->name_len);
	if (need <= USABLE)
		make_linear(disk, plan, folder);
	else
		make_hashed(disk, plan, folder);
	inode->first_block = from;
	inode->extent_count = (uint32_t)(plan->block_count - from);
	inode->size = (uint64_t)inode->extent_count * BLOCK;
}

int fl_disk_make_blocks(struct fl_disk *disk, struct fl_disk_plan *plan, struct fl_err *err)
{
	for (size_t i = 0; i < plan->folders.count; i++)
		make_folder(disk, plan, &plan->folders.items[i]);
	for (uint32_t i = 0; i < plan->inode_count; i++) {
		struct fl_inode *inode = plan->inodes[i];

		if (!inode || !fl_disk_is_long_link(inode))
			continue;
		inode->first_block = plan->block_count;
		inode->extent_count = 1;
		memcpy(new_block(plan), inode->symlink, inode->size);
	}
	/* In one piece behind all data; what layers left of their regions is left alone. */
	if (fl_disk_take(disk, plan->block_count, &plan->first_block) < plan->block_count)
		return fl_disk_refuse(disk, err);
	return 0;
}

static int set_checksums(struct fl_disk *disk, struct fl_disk_plan *plan,
			 const struct fl_inode *inode, struct fl_err *err)
{
	for (uint32_t i = 0; i < inode->extent_count; i++) {
		uint8_t *block = plan->blocks + (inode->first_block + i) * BLOCK;
		errcode_t rc = ext2fs_dir_block_csum_set(disk->fs, inode->number,
							 (struct ext2_dir_entry *)block);

		if (rc)
			return fl_disk_fail(disk, rc, "a folder's checksum", err);
	}
	return 0;
}

int fl_disk_write_blocks(struct fl_disk *disk, struct fl_disk_plan *plan, struct fl_err *err)
{
	for (size_t i = 0; i < plan->folders.count; i++)
		if (set_checksums(disk, plan, plan->folders.items[i].node->inode, err) < 0)
			return -1;
	return fl_disk_write(disk, plan->first_block, plan->blocks, plan->block_count * BLOCK, err);
}
