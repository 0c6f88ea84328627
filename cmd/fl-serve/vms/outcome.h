/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a record asks the server to do, and what is made of a program's end: done, again
 * after a rest, or failed for good. The rules are here, the running of programs is not.
 *
 *     if (fl_outcome_wanted(index, entry) == FL_OUTCOME_UP) ... start "fl up"
 *     fl_outcome_take(state, entry, status, 10, &outcome);     // it has ended
 */
#pragma once

#include "cmd/fl-serve/vms/index.h"

/* UNKNOWN: the host had nothing left to read the record with. */
enum fl_outcome_what { FL_OUTCOME_DONE, FL_OUTCOME_UP, FL_OUTCOME_DOWN, FL_OUTCOME_UNKNOWN };

struct fl_outcome {
	enum fl_outcome_what what; /* what comes next */
	int rest_seconds;          /* before it */
	bool has_failed;           /* it did not do what it was started for */
	bool is_judged;            /* it was an "up" whose end the record tells of */
	bool has_pulled;           /* its images are there */
};

/* The mark host.serve.wants of a record that the server is to bring up. */
fl_json *fl_outcome_mark(void);

/* *request: the id of the call that asked for it, NULL without; the caller frees it. */
enum fl_outcome_what fl_outcome_wanted(const struct fl_index *index,
				       const struct fl_index_entry *entry, char **request);

/* Marks one that wants to run and lost its VMM (the host was restarted, its supervisor was
 * killed), so that it is brought up again. */
void fl_outcome_restore(const struct fl_state *state, const struct fl_index_entry *entry);

/* Writes into the record what became of it: status.retry, FAILED, or nothing. status is the
 * program's exit status as fl_proc_wait() gives it. */
void fl_outcome_take(const struct fl_state *state, const struct fl_index_entry *entry, int status,
		     unsigned most_retries, struct fl_outcome *outcome);
