/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A bar on a terminal that says how far something long is, or lines of JSON on standard error
 * for programs that show it. Used by cmd/ only.
 *
 *     struct fl_progress bar;
 *     fl_progress_start(&bar, "debian:12", true);
 *     fl_progress_update(&bar, done, total);        // as often as you like
 *     fl_progress_end(&bar);
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct fl_progress {
	const char *name; /* borrowed */
	bool shown, is_json;
	int64_t started_ms, drawn_ms;
	pthread_t owner; /* who started it draws it; others' updates are passed over */
};

void fl_progress_start(struct fl_progress *bar, const char *name, bool shown);

/* Lines {"name":…,"done":…,"total":…}, at most ten a second and one when all is done. */
void fl_progress_start_json(struct fl_progress *bar, const char *name);

void fl_progress_update(void *bar, uint64_t done, uint64_t total);
void fl_progress_end(struct fl_progress *bar);
