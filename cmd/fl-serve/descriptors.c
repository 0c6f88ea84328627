/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/descriptors.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#define MOST_RESERVED 256 /* for programs, records, the journal */

unsigned fl_descriptors_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	return (unsigned)limit.rlim_cur;
}

static struct rlimit given; /* rlim_cur 0: as it was */

void fl_descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	given = limit;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void fl_descriptors_put_back(pid_t pid)
{
	if (given.rlim_cur)
		prlimit(pid, RLIMIT_NOFILE, &given, NULL);
}

/* The kernel gives the lowest number that is free: connections taken below a bound stay
 * below it, and what lies above is never theirs. */
bool fl_descriptors_are_left(enum fl_descriptors_for what)
{
	unsigned limit = fl_descriptors_limit();
	unsigned reserved = what == FL_DESCRIPTORS_HTTP ? limit / 2
			    : limit / 4 < MOST_RESERVED ? limit / 4 : MOST_RESERVED;
	int lowest = open("/", O_PATH | O_CLOEXEC);

	if (lowest < 0)
		return false;
	close(lowest);
	return (unsigned)lowest < limit - reserved;
}
