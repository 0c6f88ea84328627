/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What was changed on this host, in the order in which it was: a line of JSON per change, on
 * disk before the change is begun. So nothing is made that "undo" does not know of.
 *
 *     struct fl_ledger ledger = FL_LEDGER_INIT;
 *     if (fl_ledger_open(&ledger, state_dir, true, err) < 0) return -1;
 *     fl_ledger_begin(&ledger, entry, err);              // then make the change
 *     fl_ledger_end(&ledger, entry, err);                // once it is taken back
 *     fl_ledger_close(&ledger);
 *
 * It lies beside the state folder (STATE-provision), since a file system may be mounted over
 * that. A line that a crash has torn was never acted on, and is cut off.
 */
#pragma once

#include "common/json.h"

struct fl_ledger {
	char *folder; /* absolute */
	int dirfd, fd;
	fl_json *entries; /* not taken back, oldest first; NULL: there is no ledger */
	int64_t next;
};

#define FL_LEDGER_INIT { .dirfd = -1, .fd = -1 }

/* make: for changing; holds it alone (FL_ERR_BUSY when another does). Otherwise what is there is
 * read, and nothing at all is there at first. */
int fl_ledger_open(struct fl_ledger *ledger, const char *state_dir, bool make, struct fl_err *err);
void fl_ledger_close(struct fl_ledger *ledger);
#define fl_cleanup_ledger FL_CLEANUP(fl_ledger_close)

/* Adds an entry, on disk when it returns. entry is borrowed, and gets its number. */
int fl_ledger_begin(struct fl_ledger *ledger, fl_json *entry, struct fl_err *err);

/* Notes that an entry's change was taken back; what was kept for it goes. */
int fl_ledger_end(struct fl_ledger *ledger, const fl_json *entry, struct fl_err *err);

/* The newest entry for a thing; NULL: we have not made or changed it. Borrowed. */
fl_json *fl_ledger_find(const struct fl_ledger *ledger, const char *kind, const char *name);

/* The same by another member than its name. */
fl_json *fl_ledger_find_by(const struct fl_ledger *ledger, const char *kind, const char *key,
			   const char *value);

/* Keeps a file's text for the entry that comes next, and gives it back. */
int fl_ledger_keep(const struct fl_ledger *ledger, const struct fl_str *text, struct fl_err *err);
int fl_ledger_kept(const struct fl_ledger *ledger, const fl_json *entry, struct fl_str *text,
		   struct fl_err *err);

/* Removes it when no entry is left. */
int fl_ledger_forget(struct fl_ledger *ledger, struct fl_err *err);
