/* SPDX-License-Identifier: MPL-2.0 */
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

void fl_clock_print_now(char text[static FL_CLOCK_TEXT])
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(text, FL_CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, FL_CLOCK_TEXT - len, ".%06ldZ", now.tv_nsec / 1000);
}

int64_t fl_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int64_t fl_clock_ms(void)
{
	return fl_clock_us() / 1000;
}

int64_t fl_clock_parse(const char *text)
{
	struct tm tm = { 0 };

	if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return 0;
	return timegm(&tm);
}
