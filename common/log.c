/* SPDX-License-Identifier: MPL-2.0 */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct {
	fl_log_sink *sink;
	void *arg;
	enum fl_log_level level;
} log_to;

void fl_log_set_sink(fl_log_sink *sink, void *arg, enum fl_log_level level)
{
	log_to.sink = sink;
	log_to.arg = arg;
	log_to.level = level;
}

void fl_log_tame(char *text, const char *but)
{
	unsigned char *at = (unsigned char *)text;

	for (; *at; at++) {
		/* U+0080 to U+009F are two bytes. */
		if (*at == 0xc2 && (at[1] & 0xe0) == 0x80)
			at[0] = at[1] = '?';
		else if ((*at < ' ' || *at == 0x7f) && !strchr(but, *at))
			*at = '?';
	}
}

void fl_log(enum fl_log_level level, const char *fmt, ...)
{
	int saved = errno;
	char line[1024];
	va_list args;

	if (!log_to.sink || level > log_to.level)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fl_log_tame(line, "\t");
	log_to.sink(log_to.arg, level, line);
	errno = saved;
}
