/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The journal of changes, STATE/events.jsonl: a line {seq,time,uid,namespace,name,what}
 * for every save. A line means "look again": there may be one too many, never one too few.
 * seq only grows, also across rotation (events.1.jsonl is the older part).
 *
 *     fl_cleanup_close int lock = fl_journal_lock(dirfd, err);   // before the change
 *     fl_journal_add(dirfd, &event, err);                        // then the line
 *     ... rename record.json ...                                 // then the change
 */
#pragma once

#include "common/cleanup.h"
#include "common/err.h"

#include <stdint.h>

struct fl_event {
	const char *uid, *name_space, *name;
	const char *what; /* "created", "changed", "deleted" */
};

/* Holds events.lock until the descriptor is closed. */
int fl_journal_lock(int dirfd, struct fl_err *err);

/* Appends under the lock. A line that does not fit on the disk leaves nothing behind. */
int fl_journal_add(int dirfd, const struct fl_event *event, struct fl_err *err);

/* The seq of the newest line; 0 when there is none. */
uint64_t fl_journal_last(int dirfd);
