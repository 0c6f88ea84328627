/* SPDX-License-Identifier: MPL-2.0 */
#include "common/since.h"

#include "common/num.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void print(time_t seconds, unsigned microseconds, char since[static FL_CLOCK_TEXT])
{
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(since, FL_CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(since + len, FL_CLOCK_TEXT - len, ".%06uZ", microseconds % 1000000);
}

/* Behind the seconds: "", "Z" or ".5Z". */
static bool read_fraction(const char *text, unsigned *microseconds)
{
	unsigned scale = 100000;

	*microseconds = 0;
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, scale /= 10)
			*microseconds += (unsigned)(*text - '0') * scale;
	return strcmp(text, "Z") == 0 || !*text;
}

static bool read_time(const char *text, char since[static FL_CLOCK_TEXT])
{
	struct tm tm = { 0 };
	unsigned microseconds = 0;
	const char *rest = strptime(text, "%Y-%m-%d", &tm);

	if (rest && *rest)
		rest = strptime(rest, "T%H:%M:%S", &tm);
	if (!rest || tm.tm_year < 0 || tm.tm_year > 8099 || !read_fraction(rest, &microseconds))
		return false;
	print(timegm(&tm), microseconds, since);
	return true;
}

int fl_since_parse(const char *text, char since[static FL_CLOCK_TEXT], struct fl_err *err)
{
	struct timespec now;
	uint64_t ago;

	if (read_time(text, since))
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	if (fl_num_duration(text, &ago, NULL) < 0 || ago / 1000 > (uint64_t)now.tv_sec)
		return fl_err_set(err, FL_ERR_USAGE, "\"%s\" is neither a duration in h, m, s or ms (720h, "
				  "5m) nor a time in UTC (2026-01-02, 2026-01-02T03:04:05Z)", text);
	ago = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 - ago;
	print((time_t)(ago / 1000), (unsigned)(ago % 1000) * 1000, since);
	return 0;
}
