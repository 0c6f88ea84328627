/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/sought.h"

#include "common/path.h"
#include "common/str.h"

#include <string.h>
#include <sys/stat.h>

#define MOST_FOLDERS 63 /* a bit for each */

static unsigned folders_above(const char *path)
{
	unsigned count = 0;

	for (; *path; path++)
		count += *path == '/';
	return count;
}

/* Of the first len bytes of the sought path, which end at a "/". */
static bool is_above(const struct fl_sought *sought, const char *path, size_t len)
{
	return len && strncmp(path, sought->path, len) == 0 && sought->path[len] == '/';
}

static bool has_component(const char *path, const char *name, size_t len)
{
	while (*path) {
		size_t one = strcspn(path, "/");

		if (one == len && memcmp(path, name, len) == 0)
			return true;
		path += one + (path[one] == '/');
	}
	return false;
}

/* Where ".." leads only the tree knows, and that of "FILE/." is nothing. */
static bool is_plain(const char *path)
{
	size_t len = strlen(path);

	return !has_component(path, "..", 2) && !(len >= 2 && strcmp(path + len - 2, "/.") == 0);
}

void fl_sought_init(struct fl_sought *sought, const char *path, const char *cleaned)
{
	bool can_be = cleaned && *cleaned && is_plain(path) &&
		      !fl_str_starts(fl_path_last(cleaned), FL_TREE_WHITEOUT);

	*sought = (struct fl_sought){ 0 };
	if (!can_be || folders_above(cleaned) > MOST_FOLDERS)
		return;
	sought->path = cleaned;
	sought->folders = (1ull << folders_above(cleaned)) - 1;
}

/* By links, any path with one of its names may lead to it: those of the folders above it, where
 * they are, are no such. A whiteout bears the name of what it takes away. */
static bool may_mean(const struct fl_sought *sought, const char *path)
{
	for (const char *at = path; *at;) {
		size_t len = strcspn(at, "/");
		bool is_whiteout = fl_str_starts(at, FL_TREE_WHITEOUT);
		size_t skip = is_whiteout ? strlen(FL_TREE_WHITEOUT) : 0;

		if (is_whiteout && fl_str_starts(at + skip, FL_TREE_WHITEOUT))
			return true; /* opaque: much goes away */
		if (!is_above(sought, path, (size_t)(at - path) + len) &&
		    has_component(sought->path, at + skip, len - skip))
			return true;
		at += len + (at[len] == '/');
	}
	return false;
}

static void look_at_folder(struct fl_sought *sought, const struct fl_entry *entry)
{
	if (entry->inode && S_ISDIR(entry->inode->mode))
		sought->seen |= 1ull << folders_above(entry->path);
	else
		sought->is_bent = true;
}

void fl_sought_look(struct fl_sought *sought, const struct fl_entry *entry)
{
	if (!sought->path)
		return;
	if (is_above(sought, entry->path, strlen(entry->path))) {
		look_at_folder(sought, entry);
	} else if (fl_sought_is(sought, entry)) {
		/* What this layer did before is no matter any more. */
		sought->is_found = true;
		sought->is_met = false;
		sought->before = sought->seen;
	} else if (!sought->is_met) {
		sought->is_met = may_mean(sought, entry->path);
	}
}

bool fl_sought_is(const struct fl_sought *sought, const struct fl_entry *entry)
{
	return sought->path && entry->inode && S_ISREG(entry->inode->mode) &&
	       strcmp(entry->path, sought->path) == 0;
}

void fl_sought_below(struct fl_sought *sought, const struct fl_sought *above)
{
	sought->above = above->above || above->is_met || above->is_found;
	sought->is_bent |= above->is_bent;
}

bool fl_sought_is_sure(const struct fl_sought *sought, bool is_lowest)
{
	return sought->is_found && !sought->is_met && !sought->above && !sought->is_bent &&
	       (is_lowest || sought->before == sought->folders);
}
