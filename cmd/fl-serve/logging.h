/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The log of a daemon: lines of text or of JSON, to standard error, standard output or a
 * file that may be moved away (SIGHUP opens it anew); or entries with fields for the journal
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL).
 *
 *     if (fl_logging_start(&config.log, err) < 0) return -1;
 *     const struct fl_logging_field fields[] = { { "uid", uid } };
 *     fl_logging_say(FL_LOG_INFO, fields, 1, "deleted");
 *     fl_logging_reopen();
 */
#pragma once

#include "common/err.h"
#include "common/log.h"

#include <stdbool.h>
#include <stddef.h>

enum fl_logging_format { FL_LOGGING_TEXT, FL_LOGGING_JSON, FL_LOGGING_JOURNALD };

/* 0, or -1 when there is no format of that name. */
int fl_logging_find_format(const char *name, enum fl_logging_format *format);

struct fl_logging {
	enum fl_logging_format format;
	bool debug;
	const char *output; /* "stderr", "stdout" or a path; borrowed */
};

int fl_logging_start(const struct fl_logging *logging, struct fl_err *err);

/* What a line is about, by names of lower-case letters. Without a value it is left out. */
struct fl_logging_field {
	const char *name, *value;
};

/* Whether lines of the level are written at all. */
bool fl_logging_is_wanted(enum fl_log_level level);

void fl_logging_say(enum fl_log_level level, const struct fl_logging_field *fields, size_t count,
		    const char *fmt, ...) FL_PRINTF(4, 5);

/* From now on, also what is for debugging, or not any more. */
void fl_logging_set_debug(bool debug);
int fl_logging_reopen(const struct fl_logging *logging, struct fl_err *err);
