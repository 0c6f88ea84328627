/* SPDX-License-Identifier: MPL-2.0 */
/* Numbers for inodes: folder by folder, names in order, so that they do not depend on how
 * the layers came in. */
#include "cmd/fl-snap/ext4/inner.h"

#include <string.h>
#include <sys/stat.h>

#define FIRST_INODE 11

static int by_name(const void *a, const void *b)
{
	const struct fl_node *x = *(struct fl_node *const *)a, *y = *(struct fl_node *const *)b;
	size_t len = x->name_len < y->name_len ? x->name_len : y->name_len;
	int order = memcmp(x->name, y->name, len);

	return order ? order : FL_COMPARE(x->name_len, y->name_len);
}

static void number(struct fl_disk_plan *plan, struct fl_inode *inode)
{
	if (inode->number)
		return;
	plan->inodes[plan->inode_count++] = inode;
	inode->number = plan->inode_count;
}

static void take_children(struct fl_disk_plan *plan, struct fl_node *node)
{
	struct fl_disk_folder folder = { .node = node, .first = plan->node_count };
	struct fl_node **children = plan->nodes + folder.first;

	for (struct fl_node *child = node->children; child; child = child->next)
		if (child->inode)
			plan->nodes[plan->node_count++] = child;
	folder.count = plan->node_count - folder.first;
	if (folder.count)
		qsort(children, folder.count, sizeof(*children), by_name);
	for (size_t i = 0; i < folder.count; i++) {
		number(plan, children[i]->inode);
		folder.folders += S_ISDIR(children[i]->inode->mode);
	}
	node->inode->links = (uint16_t)(folder.folders < EXT2_LINK_MAX - 2 ? 2 + folder.folders
									  : EXT2_LINK_MAX);
	FL_VEC_ADD(&plan->folders, folder);
}

void fl_disk_plan_make(struct fl_disk_plan *plan, struct fl_tree *tree)
{
	struct fl_node *lost = fl_tree_make_folder(tree, "lost+found", 0700);
	size_t most = tree->node_count + FIRST_INODE + 2;

	*plan = (struct fl_disk_plan){ 0 };
	plan->nodes = fl_alloc_zero(most, sizeof(*plan->nodes));
	plan->inodes = fl_alloc_zero(most, sizeof(*plan->inodes));
	plan->inodes[1] = tree->root->inode;
	plan->inodes[FIRST_INODE - 1] = lost->inode;
	tree->root->inode->number = 2;
	lost->inode->number = FIRST_INODE;
	plan->inode_count = FIRST_INODE;
	/* The list grows while it is walked: breadth first, no recursion. */
	take_children(plan, tree->root);
	for (size_t i = 0; i < plan->node_count; i++)
		if (S_ISDIR(plan->nodes[i]->inode->mode))
			take_children(plan, plan->nodes[i]);
}

void fl_disk_plan_finish(struct fl_disk_plan *plan)
{
	free(plan->nodes);
	free(plan->inodes);
	free(plan->folders.items);
	free(plan->blocks);
}
