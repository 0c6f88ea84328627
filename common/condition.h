/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a microVM can be waited for: "running", "boot", "cloud-init", "exit", "port:N".
 *
 *     struct fl_condition condition;
 *     if (fl_condition_parse("port:22", &condition, err) < 0) ...
 */
#pragma once

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

#define FL_CONDITIONS_BY(comma, or) "running" comma "boot" comma "cloud-init" comma "exit" or "port:N"
#define FL_CONDITIONS FL_CONDITIONS_BY(", ", " or ")
#define FL_CONDITIONS_WORDS FL_CONDITIONS_BY("|", "|") /* as an option has them */
#define FL_CONDITIONS_MOST 16 /* at once */

enum fl_condition_what {
	FL_CONDITION_RUNNING,
	FL_CONDITION_BOOT,
	FL_CONDITION_CLOUD_INIT,
	FL_CONDITION_EXIT,
	FL_CONDITION_PORT,
};

struct fl_condition {
	enum fl_condition_what what;
	const char *text; /* as it was written; borrowed */
	uint64_t port;
};

/* FL_ERR_USAGE: it is none. */
int fl_condition_parse(const char *text, struct fl_condition *condition, struct fl_err *err);

/* FL_ERR_USAGE when there are more than can be waited for at once. */
int fl_condition_check_count(size_t count, struct fl_err *err);
