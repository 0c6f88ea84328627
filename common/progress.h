/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A bar on a terminal that says how far something long is, or lines of JSON on standard error
 * for programs that show it. Used by cmd/ only.
 *
 *     static const struct fl_option options[] = { FL_PROGRESS_OPTION, { 0 } };
 *     struct fl_progress bar;
 *     if (fl_progress_start(&bar, "debian:12", args, err) < 0) return -1;
 *     fl_progress_update(&bar, done, total);        // as often as you like
 *     fl_progress_end(&bar);
 */
#pragma once

#include "common/cli.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct fl_progress {
	const char *name; /* borrowed */
	bool shown, is_json;
	int64_t started_ms, drawn_ms;
	uint64_t drawn, total; /* as they were then */
	pthread_mutex_t mutex;
};

#define FL_PROGRESS_OPTION                                                                     \
	{ "progress", 0, "auto|none|json", "auto (default): a bar on a terminal" }

/* As --progress says; FL_ERR_USAGE when it says nothing known. JSON is lines
 * {"name":…,"done":…,"total":…}, at most ten a second and one when all is done. */
int fl_progress_start(struct fl_progress *bar, const char *name, const struct fl_args *args,
		      struct fl_err *err);

/* From any thread. Less than was shown before is passed over. */
void fl_progress_update(void *bar, uint64_t done, uint64_t total);
void fl_progress_end(struct fl_progress *bar);
