/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A time in the past, as people write it: a duration ago ("5m"), or a time in UTC
 * ("2026-01-02", "2026-01-02T03:04:05Z", with a fraction too).
 *
 *     char since[FL_CLOCK_TEXT];
 *     if (fl_since_parse("5m", since, err) < 0) return -1;
 *     if (strcmp(event_time, since) >= 0) ...          // as fl_clock_print_now writes it
 */
#pragma once

#include "common/clock.h"
#include "common/err.h"

/* FL_ERR_USAGE when it is neither. */
int fl_since_parse(const char *text, char since[static FL_CLOCK_TEXT], struct fl_err *err);
