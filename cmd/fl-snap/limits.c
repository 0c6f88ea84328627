/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/limits.h"

#include "cmd/fl-snap/budget.h"

#define MOST_ENTRIES UINT32_MAX /* an ext4 has no more inodes */
#define MOST_BUILDS 1024

int fl_limits_take(const struct fl_args *args, struct fl_cache_limits *limits, struct fl_err *err)
{
	uint64_t builds;

	if (fl_args_size(args, "max-size", FL_BUDGET_BYTES, &limits->max_bytes, err) < 0 ||
	    fl_args_number(args, "max-entries", 1, MOST_ENTRIES, FL_BUDGET_ENTRIES,
			   &limits->max_entries, err) < 0 ||
	    fl_args_number(args, "max-builds", 1, MOST_BUILDS, fl_cache_builds(), &builds, err) < 0)
		return -1;
	limits->builds = (unsigned)builds;
	return 0;
}
