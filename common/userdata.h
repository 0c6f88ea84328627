/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What cloud-init would make of user-data: it takes what it does not know for nothing, and boots
 * on. Formats: cloud-init's documentation, "User data formats".
 *
 *     if (fl_userdata_check(text, size, err) < 0) ...   // err says what it does not take
 */
#pragma once

#include "common/err.h"

#include <stddef.h>

/* FL_ERR_INVALID: no format that it knows, or a configuration that is no YAML mapping. Of the
 * content nothing is told: it may be secret. */
int fl_userdata_check(const char *text, size_t size, struct fl_err *err);
