/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Words for people, on their way to whoever runs the program. Nothing under common/
 * prints: main sets a sink, and without one all of it is dropped.
 *
 *     fl_log_set_sink(print_to_stderr, NULL, FL_LOG_INFO);
 *     fl_log(FL_LOG_INFO, "%s: built in %d ms", name, ms);
 *
 * A line has no newline at its end.
 */
#pragma once

#include "common/macro.h"

enum fl_log_level { FL_LOG_ERROR, FL_LOG_WARN, FL_LOG_INFO, FL_LOG_DEBUG };

typedef void fl_log_sink(void *arg, enum fl_log_level level, const char *line);

/* Lines up to and including level go to sink; arg is borrowed. */
void fl_log_set_sink(fl_log_sink *sink, void *arg, enum fl_log_level level);

/* Control characters but those become '?': what came from outside, such as a name, moves no cursor
 * and forges no line. */
void fl_log_tame(char *text, const char *but);

/* May be called from any thread; keeps errno. The line is tamed. */
void fl_log(enum fl_log_level level, const char *fmt, ...) FL_PRINTF(2, 3);
