/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The journal of changes, STATE/events.jsonl: a line {seq,time,uid,namespace,name,what}
 * for every save, "request" in it where a call to fl-serve asked for the change, and how it is
 * from then on: "state", "vmm_state", "reason" (of a failure). A line
 * means "look again": there may be one too many, never one too few.
 * seq only grows, also across rotation (events.1.jsonl is the older part).
 *
 *     fl_cleanup_close int lock = fl_journal_lock(dirfd, err);   // before the change
 *     fl_journal_add(dirfd, &event, err);                        // then the line
 *     ... rename record.json ...                                 // then the change
 */
#pragma once

#include "common/json.h"
#include "common/tail.h"

struct fl_event {
	const char *uid, *name_space, *name;
	const char *what;    /* "created", "changed", "deleted" */
	const char *request; /* who asked for it; NULL: nobody in particular */
	const fl_json *record; /* as it is saved; NULL: it goes */
};

/* Holds events.lock until the descriptor is closed. */
int fl_journal_lock(int dirfd, struct fl_err *err);

/* Appends under the lock. A line that does not fit on the disk leaves nothing behind. */
int fl_journal_add(int dirfd, const struct fl_event *event, struct fl_err *err);

/* The seq of the newest line; 0 when there is none. */
uint64_t fl_journal_last(int dirfd);

/*
 * Reading it, from its oldest line or from its end on:
 *
 *     fl_cleanup_journal struct fl_journal_reader reader = FL_JOURNAL_READER_INIT;
 *     if (fl_journal_open(&reader, dirfd, path, false, err) < 0) return -1;
 *     while ((event = fl_journal_next(&reader))) ...           // owned by the caller
 *     fl_cancel_wait(NULL, reader.tail.inotify, -1, err);      // until there may be more
 *     fl_journal_settled(dirfd);                               // before records are read
 */
struct fl_journal_reader {
	struct fl_tail tail;
	struct fl_str text; /* read and not handed out yet */
	size_t at;
	uint64_t seq; /* of the last line handed out; 0 before */
	bool missed;  /* lines before the last were lost to rotation */
};

#define FL_JOURNAL_READER_INIT { .tail = FL_TAIL_INIT }

/* path: as for fl_tail_open(). */
int fl_journal_open(struct fl_journal_reader *reader, int dirfd, const char *path, bool from_end,
		    struct fl_err *err);
void fl_journal_finish(struct fl_journal_reader *reader);
#define fl_cleanup_journal FL_CLEANUP(fl_journal_finish)

/* The next line as it stands; torn ones are passed over. NULL: no more for now. */
fl_json *fl_journal_next(struct fl_journal_reader *reader);

/* Waits until every change whose line was read so far has happened: lines come first. -1: it could
 * not be waited for (the lock's file cannot be opened). */
int fl_journal_settled(int dirfd);
