/* SPDX-License-Identifier: MPL-2.0 */
#include "common/slot.h"

#include "common/alloc.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define LOOK_EVERY_MS 50

/* false: there is no such folder, nor can one be made. */
static bool open_folder(struct fl_slot *slot, const char *folder)
{
	struct fl_err why = { 0 };

	if (fl_path_make_folders(folder, 0755, &why) == 0)
		slot->dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (slot->dirfd < 0 || faccessat(slot->dirfd, ".", W_OK, 0) < 0) {
		fl_log(FL_LOG_DEBUG, "%s: cannot be written; no limit is kept", folder);
		return false;
	}
	return true;
}

/* 1: a place; 0: all are taken; -1: error. */
static int look(struct fl_slot *slot, const char *kind, unsigned most, struct fl_err *err)
{
	for (unsigned i = 0; i < most; i++) {
		fl_cleanup_free char *name = fl_asprintf("%s.%u", kind, i);
		struct fl_err why = { 0 };

		slot->lock = fl_lock_file(slot->dirfd, name, FL_LOCK_EXCLUSIVE, 0, &why);
		if (slot->lock >= 0) {
			slot->name = fl_steal(&name);
			return 1;
		}
		if (why.kind != FL_ERR_BUSY)
			return fl_err_pass(err, &why);
	}
	return 0;
}

int fl_slot_take(struct fl_slot *slot, const char *folder, const char *kind, unsigned most,
		 const struct fl_cancel *cancel, struct fl_err *err)
{
	struct fl_err why = { 0 };
	bool told = false;
	int rc;

	*slot = (struct fl_slot)FL_SLOT_INIT;
	if (!most || !open_folder(slot, folder))
		return 0;
	while ((rc = look(slot, kind, most, &why)) <= 0) {
		/* Somebody took the folder away: it is made anew. */
		if (rc < 0 && why.kind == FL_ERR_NOT_FOUND) {
			fl_slot_give(slot);
			if (!open_folder(slot, folder))
				return 0;
			continue;
		}
		if (rc < 0)
			return fl_err_pass(err, &why);
		if (!told)
			fl_log(FL_LOG_INFO, "%u others %s on this host now; waiting for one to end",
			       most, kind);
		told = true;
		if (fl_cancel_wait(cancel, -1, LOOK_EVERY_MS, err) < 0)
			return -1;
	}
	return 0;
}

void fl_slot_give(struct fl_slot *slot)
{
	int saved = errno;

	/* Unlinked while it is locked: whoever has it open sees that and opens the next. */
	if (slot->lock >= 0) {
		unlinkat(slot->dirfd, slot->name, 0);
		close(slot->lock);
	}
	if (slot->dirfd >= 0)
		close(slot->dirfd);
	free(slot->name);
	*slot = (struct fl_slot)FL_SLOT_INIT;
	errno = saved;
}

/* Whether it is KIND.N. */
static bool is_place(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot > name && dot[1] && !dot[1 + strspn(dot + 1, "0123456789")];
}

void fl_slot_sweep(const char *folder)
{
	fl_cleanup_dir DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		fl_cleanup_close int lock = -1;

		if (entry->d_type != DT_REG || !is_place(entry->d_name))
			continue;
		lock = fl_lock_file(dirfd(dir), entry->d_name, FL_LOCK_EXCLUSIVE, 0, NULL);
		if (lock >= 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
}
