/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The work behind Create and Delete: "fl up" and "fl down", one program at a time for a
 * microVM, many microVMs at once. Deletes do not wait for anybody else's pull. What is to
 * be done stands in the records (host.serve, host.desired), so that a killed server's
 * successor goes on with it.
 *
 *     struct fl_jobs *jobs = fl_jobs_create(&options);
 *     fl_jobs_want(jobs, entry);        // after its record was changed, or at the start
 */
#pragma once

#include "cmd/fl-serve/vms/index.h"

struct event_base;
struct fl_jobs;

struct fl_jobs_options {
	struct event_base *base;
	const struct fl_state *state;
	struct fl_index *index;
	const char *accel;      /* passed on to fl-run; NULL: not */
	const char *qemu;       /* likewise */
	unsigned most;          /* of "up" at once; as many of "down" beside them */
	unsigned most_retries;
};

struct fl_jobs *fl_jobs_create(const struct fl_jobs_options *options);

/* Programs that run go on without us. */
void fl_jobs_destroy(struct fl_jobs *jobs);

/* Looks at the record, and does what it asks for. */
void fl_jobs_want(struct fl_jobs *jobs, struct fl_index_entry *entry);

/* All that was left undone by the server before, little by little. */
void fl_jobs_resume(struct fl_jobs *jobs);

/* The entry is about to go. */
void fl_jobs_forget(struct fl_jobs *jobs, struct fl_index_entry *entry);

/* What has ended since the start. A "down" whose microVM is gone is done. */
struct fl_jobs_ended {
	uint64_t up, up_failed, down, down_failed;
	uint64_t pulled, pull_failed; /* of "up": whether its images came */
};

const struct fl_jobs_ended *fl_jobs_ended(const struct fl_jobs *jobs);

size_t fl_jobs_running(const struct fl_jobs *jobs);
size_t fl_jobs_queued(const struct fl_jobs *jobs);
