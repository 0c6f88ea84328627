/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Label selectors: "key=value", "key!=value" (also true without the key), "key" (it is
 * there), "!key" (it is not); several, joined by commas, must all be true.
 *
 *     if (fl_selector_check("tier=web,!old", err) < 0) return -1;
 *     if (fl_selector_matches("tier=web,!old", fl_json_at(record, "spec.labels"))) ...
 */
#pragma once

#include "common/json.h"

/* FL_ERR_USAGE when it is none. */
int fl_selector_check(const char *text, struct fl_err *err);

/* Of a selector that was checked; labels: a map of text, NULL without any. */
bool fl_selector_matches(const char *text, const fl_json *labels);
