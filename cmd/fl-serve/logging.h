/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The log of a daemon: lines of text or of JSON, to standard error, standard output or a
 * file that may be moved away (SIGHUP opens it anew).
 *
 *     if (fl_logging_start(&config.log, err) < 0) return -1;
 *     fl_logging_reopen();
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>

struct fl_logging {
	bool json, debug;
	const char *output; /* "stderr", "stdout" or a path; borrowed */
};

int fl_logging_start(const struct fl_logging *logging, struct fl_err *err);
int fl_logging_reopen(const struct fl_logging *logging, struct fl_err *err);
