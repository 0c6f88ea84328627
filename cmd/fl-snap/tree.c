/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/tree.h"

#include "common/alloc.h"
#include "common/path.h"
#include "common/str.h"

#include <string.h>
#include <sys/stat.h>

#define OPAQUE ".wh..wh..opq"
#define LONGEST_NAME 255
#define LONGEST_PATH 4095
#define MOST_NAMES 65000 /* of a file in ext4 */
#define DEEPEST 4096
#define MOST_LINKS_FOLLOWED 40

static uint32_t hash_of(const struct fl_node *parent, const char *name, size_t len)
{
	uint32_t hash = (uint32_t)((uintptr_t)parent >> 4) * 2654435761u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static struct fl_inode *new_folder(struct fl_tree *tree, uint32_t mode)
{
	struct fl_inode *inode = fl_arena_zero(&tree->arena, sizeof(*inode));

	inode->mode = S_IFDIR | mode;
	return inode;
}

void fl_tree_init(struct fl_tree *tree)
{
	*tree = (struct fl_tree){ .bucket_count = 1 << 14 };
	tree->buckets = fl_alloc_zero(tree->bucket_count, sizeof(struct fl_node *));
	tree->root = fl_arena_zero(&tree->arena, sizeof(*tree->root));
	tree->root->parent = tree->root;
	tree->root->name = "";
	tree->root->inode = new_folder(tree, 0755);
	tree->root->inode->links = 1;
}

void fl_tree_finish(struct fl_tree *tree)
{
	fl_arena_finish(&tree->arena);
	free(tree->buckets);
}

static void rehash(struct fl_tree *tree)
{
	size_t count = tree->bucket_count * 2;
	struct fl_node **buckets = fl_alloc_zero(count, sizeof(*buckets));

	for (size_t i = 0; i < tree->bucket_count; i++)
		for (struct fl_node *node = tree->buckets[i], *next; node; node = next) {
			next = node->in_bucket;
			node->in_bucket = buckets[node->hash & (count - 1)];
			buckets[node->hash & (count - 1)] = node;
		}
	free(tree->buckets);
	tree->buckets = buckets;
	tree->bucket_count = count;
}

/* Also finds removed ones, whose place is used again. */
static struct fl_node *find_any(struct fl_tree *tree, struct fl_node *parent, const char *name,
				size_t len)
{
	uint32_t hash = hash_of(parent, name, len);
	struct fl_node *node = tree->buckets[hash & (tree->bucket_count - 1)];

	while (node && !(node->hash == hash && node->parent == parent && node->name_len == len &&
			 memcmp(node->name, name, len) == 0))
		node = node->in_bucket;
	return node;
}

struct fl_node *fl_tree_child(struct fl_tree *tree, struct fl_node *parent, const char *name,
			      size_t len)
{
	struct fl_node *node = find_any(tree, parent, name, len);

	return node && node->inode ? node : NULL;
}

/* The inode gains a name. */
static struct fl_node *add(struct fl_tree *tree, struct fl_node *parent, const char *name,
			   size_t len, struct fl_inode *inode)
{
	struct fl_node *node = find_any(tree, parent, name, len);

	if (!node) {
		node = fl_arena_zero(&tree->arena, sizeof(*node));
		*node = (struct fl_node){ .parent = parent, .name = name,
					  .hash = hash_of(parent, name, len),
					  .name_len = (uint16_t)len,
					  .depth = (uint16_t)(parent->depth + 1),
					  .next = parent->children };
		parent->children = node;
		node->in_bucket = tree->buckets[node->hash & (tree->bucket_count - 1)];
		tree->buckets[node->hash & (tree->bucket_count - 1)] = node;
		if (++tree->node_count > tree->bucket_count * 2)
			rehash(tree);
	}
	node->inode = inode;
	inode->links++;
	return node;
}

struct fl_node *fl_tree_make_folder(struct fl_tree *tree, const char *name, uint32_t mode)
{
	struct fl_node *node = fl_tree_child(tree, tree->root, name, strlen(name));

	return node ? node : add(tree, tree->root, name, strlen(name), new_folder(tree, mode));
}

/* With all below it; the depth is bounded, so recursion is too. */
static void remove_node(struct fl_node *node)
{
	for (struct fl_node *child = node->children; child; child = child->next)
		if (child->inode)
			remove_node(child);
	node->inode->links--;
	node->inode = NULL;
}

const char *fl_tree_clean(struct fl_arena *arena, const char *path)
{
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	fl_str_add(&out, "");
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.') {
			char *slash = strrchr(out.data, '/');

			if (!out.len)
				return NULL;
			out.len = slash ? (size_t)(slash - out.data) : 0;
			out.data[out.len] = 0;
		} else if (len && !(len == 1 && path[0] == '.')) {
			fl_str_add(&out, out.len ? "/" : "");
			fl_str_add_bytes(&out, path, len);
		}
		path += len;
		path += strspn(path, "/");
	}
	return fl_arena_text(arena, out.data, out.len);
}

/* A walk along a path, in which symbolic links may bend the way. */
struct walk {
	struct fl_tree *tree;
	bool make;   /* missing folders, as tar programs do */
	bool follow; /* the last component, too, when it is a link */
	int links;
};

static struct fl_node *walk_from(struct walk *walk, struct fl_node *at, const char *path);

static struct fl_node *follow(struct walk *walk, struct fl_node *link)
{
	const char *target = link->inode->symlink;

	if (++walk->links > MOST_LINKS_FOLLOWED)
		return NULL;
	return walk_from(walk, *target == '/' ? walk->tree->root : link->parent, target);
}

static struct fl_node *step(struct walk *walk, struct fl_node *at, const char *name, size_t len,
			    bool last)
{
	struct fl_node *node;

	if (len == 1 && name[0] == '.')
		return at;
	/* The root's parent is the root: nothing leaves it. */
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return at->parent;
	node = fl_tree_child(walk->tree, at, name, len);
	if (node && S_ISLNK(node->inode->mode) && (!last || walk->follow))
		return follow(walk, node);
	if (last || (node && S_ISDIR(node->inode->mode)))
		return node;
	if (!walk->make || at->depth >= DEEPEST || len > LONGEST_NAME)
		return NULL;
	if (node)
		remove_node(node);
	return add(walk->tree, at, fl_arena_text(&walk->tree->arena, name, len), len,
		   new_folder(walk->tree, 0755));
}

static struct fl_node *walk_from(struct walk *walk, struct fl_node *at, const char *path)
{
	while (at && *path) {
		size_t len = strcspn(path, "/");
		const char *rest = path + len + strspn(path + len, "/");

		/* While folders are made, the whole path is one to be made. */
		if (len)
			at = step(walk, at, path, len, !*rest && !walk->make);
		path = rest;
	}
	return at;
}

struct fl_node *fl_tree_find(struct fl_tree *tree, const char *path)
{
	struct walk walk = { .tree = tree, .follow = true };

	return walk_from(&walk, tree->root, path);
}

/* The folder that holds the path's last component; links on the way are followed inside
 * the tree, as tools that unpack into a folder do it. */
static struct fl_node *parent_of(struct fl_tree *tree, const char *path, bool make)
{
	struct walk walk = { .tree = tree, .make = make, .follow = true };
	const char *slash = strrchr(path, '/');
	fl_cleanup_free char *folder = NULL;

	if (!slash)
		return tree->root;
	folder = fl_strndup(path, (size_t)(slash - path));
	return walk_from(&walk, tree->root, folder);
}

static bool is_whiteout(const char *name)
{
	return strncmp(name, FL_TREE_WHITEOUT, strlen(FL_TREE_WHITEOUT)) == 0;
}

static void apply_whiteout(struct fl_tree *tree, const char *path)
{
	const char *name = fl_path_last(path);
	struct fl_node *folder = parent_of(tree, path, false), *node;

	if (!folder)
		return;
	if (strcmp(name, OPAQUE) == 0) {
		for (node = folder->children; node; node = node->next)
			if (node->inode)
				remove_node(node);
		return;
	}
	/* Other names of the form .wh..wh.* are aufs's own. */
	name += strlen(FL_TREE_WHITEOUT);
	node = is_whiteout(name) ? NULL : fl_tree_child(tree, folder, name, strlen(name));
	if (node)
		remove_node(node);
}

static int wrong(struct fl_err *err, const char *layer, const char *path, const char *what)
{
	return fl_err_set(err, FL_ERR_CORRUPT, "layer %s: entry \"%.300s\": %s", layer, path, what);
}

static struct fl_inode *linked(struct fl_tree *tree, const char *target)
{
	struct fl_node *folder = parent_of(tree, target, false);
	const char *name = fl_path_last(target);
	struct fl_node *node = folder ? fl_tree_child(tree, folder, name, strlen(name)) : NULL;

	return node && !S_ISDIR(node->inode->mode) ? node->inode : NULL;
}

static int check_name(const char *path, const struct fl_node *folder, const char *layer,
		      struct fl_err *err)
{
	if (strlen(fl_path_last(path)) > LONGEST_NAME)
		return wrong(err, layer, path, "the name is longer than 255 bytes");
	if (!folder || folder->depth >= DEEPEST)
		return wrong(err, layer, path, "its folder cannot be reached: too deep, a name too "
			     "long, or a circle of symbolic links");
	return 0;
}

static void put(struct fl_tree *tree, struct fl_node *folder, const char *name,
		struct fl_inode *inode)
{
	size_t len = strlen(name);
	struct fl_node *node = fl_tree_child(tree, folder, name, len);

	if (node && node->inode == inode)
		return;
	if (node && S_ISDIR(node->inode->mode) && S_ISDIR(inode->mode)) {
		/* A folder over a folder: new attributes, old content. */
		node->inode = inode;
		inode->links = 1;
		return;
	}
	if (node) {
		/* Counted first: the old name may be another name of the same inode. */
		inode->links++;
		remove_node(node);
		inode->links--;
	}
	add(tree, folder, name, len, inode);
}

static int apply_entry(struct fl_tree *tree, const struct fl_entry *entry, const char *layer,
		       struct fl_err *err)
{
	struct fl_inode *inode = entry->inode;
	struct fl_node *folder;

	if (strlen(entry->path) > LONGEST_PATH)
		return wrong(err, layer, entry->path, "the path is longer than 4095 bytes");
	if (!*entry->path) {
		if (inode && S_ISDIR(inode->mode)) {
			tree->root->inode = inode;
			inode->links = 1;
		}
		return 0;
	}
	if (entry->hard_link) {
		inode = linked(tree, entry->hard_link);
		if (!inode)
			return wrong(err, layer, entry->path, "a hard link to what is not there");
		if (inode->links >= MOST_NAMES)
			return wrong(err, layer, entry->path, "one file has more than 65,000 names, "
				     "which no ext4 can keep");
	}
	folder = parent_of(tree, entry->path, true);
	if (check_name(entry->path, folder, layer, err) < 0)
		return -1;
	put(tree, folder, fl_path_last(entry->path), inode);
	return 0;
}

int fl_tree_apply(struct fl_tree *tree, const struct fl_entry *entries, size_t count,
		  const char *layer, struct fl_err *err)
{
	for (size_t i = 0; i < count; i++)
		if (is_whiteout(fl_path_last(entries[i].path)))
			apply_whiteout(tree, entries[i].path);
	for (size_t i = 0; i < count; i++)
		if (!is_whiteout(fl_path_last(entries[i].path)) &&
		    apply_entry(tree, &entries[i], layer, err) < 0)
			return -1;
	return 0;
}
