/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The names in one layer, read by a thread of its own, while the layer above is read by another.
 * A file of the sought name is written on the way, by the uppermost layer that has one: who meets
 * it waits until those above have been settled.
 *
 *     struct fl_scan_output output;
 *     fl_scan_output_init(&output, fd, 2);
 *     struct fl_scan upper = { .layer = &layers[1], .number = 1, .output = &output }, lower = …;
 *     fl_scan_start(&upper);
 *     fl_scan_start(&lower);
 *     if (fl_scan_join(&upper, err) < 0) ...
 *     fl_scan_settle(&upper);
 *     if (fl_scan_join(&lower, err) < 0) ...
 *     fl_scan_finish(&lower);
 *     fl_scan_finish(&upper);
 *     fl_scan_output_finish(&output);
 */
#pragma once

#include "cmd/fl-snap/base.h"
#include "cmd/fl-snap/budget.h"
#include "cmd/fl-snap/sought.h"
#include "cmd/fl-snap/tar.h"
#include "common/vec.h"

#include <pthread.h>

struct fl_scan_output {
	int fd; /* borrowed */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	size_t settled;              /* the lowest layer with no word to say any more */
	const struct fl_inode *kept; /* whose data is in fd, of the layers settled; NULL: nobody's */
};

/* count: of the image's layers. */
void fl_scan_output_init(struct fl_scan_output *output, int fd, size_t count);
void fl_scan_output_finish(struct fl_scan_output *output);

/* The inodes carry where they came from in extent_count (the layer) and first_block (the entry's
 * number). */
struct fl_scan {
	/* Filled in by who starts it: of the budget its limits, sought as fl_sought_init leaves it. */
	const struct fl_base_layer *layer;
	uint32_t number; /* 0: the lowest */
	struct fl_scan_output *output;
	struct fl_budget budget;
	struct fl_sought sought;
	/* What is found: valid once joined. */
	struct fl_arena arena;
	FL_VEC(struct fl_entry) names;
	const struct fl_inode *kept; /* whose data this layer wrote; NULL: nobody's */
	/* Its own. */
	pthread_t thread;
	bool is_started, has_thread;
	int rc;
	struct fl_err fault;
};

void fl_scan_start(struct fl_scan *scan);

/* FL_ERR_CORRUPT: the layer is not what its digest says, or no tar; the budget's errors. */
int fl_scan_join(struct fl_scan *scan, struct fl_err *err);

/* It was joined, and all above are settled: what it wrote stays. */
void fl_scan_settle(struct fl_scan *scan);

/* One that still runs is stopped. One that was never started is fine. */
void fl_scan_finish(struct fl_scan *scan);

/* The present file of tar into fd, which is emptied; blocks of zeros become holes. */
int fl_scan_copy_data(struct fl_tar *tar, uint64_t size, int fd, struct fl_err *err);
