/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/wanted.h"

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

/* Of the first len bytes of the wanted path, which end at a "/". */
static bool is_above(const struct fl_wanted *wanted, const char *path, size_t len)
{
	return len && strncmp(path, wanted->path, len) == 0 && wanted->path[len] == '/';
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

void fl_wanted_init(struct fl_wanted *wanted, const char *path, const char *cleaned)
{
	bool can_be = cleaned && *cleaned && is_plain(path) &&
		      !fl_str_starts(fl_path_last(cleaned), FL_TREE_WHITEOUT);

	*wanted = (struct fl_wanted){ 0 };
	if (!can_be || folders_above(cleaned) > MOST_FOLDERS)
		return;
	wanted->path = cleaned;
	wanted->folders = (1ull << folders_above(cleaned)) - 1;
}

/* By links, any path with one of its names may lead to it: those of the folders above it, where
 * they are, are no such. A whiteout bears the name of what it takes away. */
static bool may_mean(const struct fl_wanted *wanted, const char *path)
{
	for (const char *at = path; *at;) {
		size_t len = strcspn(at, "/");
		bool is_whiteout = fl_str_starts(at, FL_TREE_WHITEOUT);
		size_t skip = is_whiteout ? strlen(FL_TREE_WHITEOUT) : 0;

		if (is_whiteout && fl_str_starts(at + skip, FL_TREE_WHITEOUT))
			return true; /* opaque: much goes away */
		if (!is_above(wanted, path, (size_t)(at - path) + len) &&
		    has_component(wanted->path, at + skip, len - skip))
			return true;
		at += len + (at[len] == '/');
	}
	return false;
}

static void look_at_folder(struct fl_wanted *wanted, const struct fl_entry *entry)
{
	if (entry->inode && S_ISDIR(entry->inode->mode))
		wanted->seen |= 1ull << folders_above(entry->path);
	else
		wanted->is_bent = true;
}

void fl_wanted_look(struct fl_wanted *wanted, const struct fl_entry *entry)
{
	if (!wanted->path)
		return;
	if (is_above(wanted, entry->path, strlen(entry->path))) {
		look_at_folder(wanted, entry);
	} else if (fl_wanted_is(wanted, entry)) {
		/* What this layer did before is no matter any more. */
		wanted->is_found = true;
		wanted->is_met = false;
		wanted->before = wanted->seen;
	} else if (!wanted->is_met) {
		wanted->is_met = may_mean(wanted, entry->path);
	}
}

bool fl_wanted_is(const struct fl_wanted *wanted, const struct fl_entry *entry)
{
	return wanted->path && entry->inode && S_ISREG(entry->inode->mode) &&
	       strcmp(entry->path, wanted->path) == 0;
}

bool fl_wanted_is_sure(const struct fl_wanted *wanted, bool is_lowest)
{
	return wanted->is_found && !wanted->is_met && !wanted->above && !wanted->is_bent &&
	       (is_lowest || wanted->before == wanted->folders);
}

void fl_wanted_next_layer(struct fl_wanted *wanted)
{
	wanted->above |= wanted->is_met || wanted->is_found;
	wanted->is_met = wanted->is_found = false;
	wanted->seen = 0;
}
