/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the layers of an image may cost together, against those that are small when packed and
 * without end when unpacked; and the reasons to stop in their middle. Threads share one budget.
 *
 *     struct fl_budget budget = { .max_bytes = 64ull << 30, .max_entries = 2000000 };
 *     if (fl_budget_bytes(&budget, got, err) < 0) return -1;
 */
#pragma once

#include "common/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fl_budget {
	uint64_t max_bytes, max_entries; /* 0: FL_BUDGET_BYTES, FL_BUDGET_ENTRIES */
	/* Asked between two pieces of work, from several threads; true: FL_ERR_ABORTED. */
	bool (*cancelled)(void *arg);
	void *arg;
	atomic_bool stop; /* another thread failed: FL_ERR_ABORTED for all */
	_Atomic uint64_t bytes, entries, memory;
};

#define FL_BUDGET_BYTES (64ull << 30)
#define FL_BUDGET_ENTRIES 2000000

int fl_budget_check_stop(struct fl_budget *budget, struct fl_err *err);

/* Notes unpacked bytes, one entry, or bytes of memory that names and attributes take.
 * FL_ERR_EXHAUSTED when that is too much, with the option that allows more. With the bytes
 * comes a look at the reasons to stop. */
int fl_budget_bytes(struct fl_budget *budget, uint64_t bytes, struct fl_err *err);
int fl_budget_entry(struct fl_budget *budget, struct fl_err *err);
int fl_budget_memory(struct fl_budget *budget, uint64_t bytes, struct fl_err *err);

/* Notes what was counted apart, as by fl_budget_bytes and the others. */
int fl_budget_take(struct fl_budget *budget, const struct fl_budget *part, struct fl_err *err);
