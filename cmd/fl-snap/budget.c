/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/budget.h"

#include "common/num.h"

/* 500 bytes for each of the most entries: no image known has half of it. */
#define MOST_MEMORY (1ull << 30)

int fl_budget_check_stop(struct fl_budget *budget, struct fl_err *err)
{
	if (atomic_load(&budget->stop) || (budget->cancelled && budget->cancelled(budget->arg)))
		return fl_err_set(err, FL_ERR_ABORTED, "stopped in the middle");
	return 0;
}

int fl_budget_bytes(struct fl_budget *budget, uint64_t bytes, struct fl_err *err)
{
	uint64_t most = budget->max_bytes ? budget->max_bytes : FL_BUDGET_BYTES;
	char text[16];

	if (atomic_fetch_add(&budget->bytes, bytes) + bytes <= most)
		return fl_budget_check_stop(budget, err);
	fl_num_print_size(most, text);
	return fl_err_set(err, FL_ERR_EXHAUSTED, "the layers unpack to more than %s; --max-size "
			  "allows more", text);
}

static int take_entries(struct fl_budget *budget, uint64_t count, struct fl_err *err)
{
	uint64_t most = budget->max_entries ? budget->max_entries : FL_BUDGET_ENTRIES;

	if (atomic_fetch_add(&budget->entries, count) + count <= most)
		return 0;
	return fl_err_set(err, FL_ERR_EXHAUSTED, "the layers hold more than %llu entries; "
			  "--max-entries allows more", (unsigned long long)most);
}

int fl_budget_entry(struct fl_budget *budget, struct fl_err *err)
{
	return take_entries(budget, 1, err);
}

int fl_budget_memory(struct fl_budget *budget, uint64_t bytes, struct fl_err *err)
{
	char text[16];

	if (atomic_fetch_add(&budget->memory, bytes) + bytes <= MOST_MEMORY)
		return 0;
	fl_num_print_size(MOST_MEMORY, text);
	return fl_err_set(err, FL_ERR_EXHAUSTED, "the layers' names and attributes take more than "
			  "%s of memory", text);
}

int fl_budget_take(struct fl_budget *budget, const struct fl_budget *part, struct fl_err *err)
{
	if (fl_budget_bytes(budget, part->bytes, err) < 0 ||
	    take_entries(budget, part->entries, err) < 0)
		return -1;
	return fl_budget_memory(budget, part->memory, err);
}
