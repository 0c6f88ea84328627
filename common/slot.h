/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Places for what loads the whole host: so many processes do one kind of it at once, the
 * others wait for their turn. A place is a lock on a file in a folder that all share; who
 * dies gives it back.
 *
 *     fl_cleanup_slot struct fl_slot slot = FL_SLOT_INIT;
 *     if (fl_slot_take(&slot, run_folder, "pull", 8, cancel, err) < 0) return -1;
 *
 * Who waits for another's lock while holding a place must know that the other has, or needs,
 * none.
 */
#pragma once

#include "common/cancel.h"
#include "common/cleanup.h"

struct fl_slot {
	int dirfd, lock;
	char *name;
};

#define FL_SLOT_INIT { -1, -1, NULL }

/* Waits until fewer than most hold a place of that kind (a file name; most 0: takes none), or
 * for a reason to stop. folder is made when it is missing; where that may not be, nobody
 * else is there to share with, and there is no limit. */
int fl_slot_take(struct fl_slot *slot, const char *folder, const char *kind, unsigned most,
		 const struct fl_cancel *cancel, struct fl_err *err);

/* Gives the place back, its file with it. */
void fl_slot_give(struct fl_slot *slot);
#define fl_cleanup_slot FL_CLEANUP(fl_slot_give)

/* Takes away the files of places whose holders were killed. */
void fl_slot_sweep(const char *folder);
