/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Base 64 with padding (RFC 4648, section 4), strict both ways.
 *
 *     fl_cleanup_str struct fl_str bytes = FL_STR_INIT;
 *     if (!fl_base64_decode(text, &bytes)) ...          // not base 64
 */
#pragma once

#include "common/str.h"

#include <stdbool.h>

/* Adds the bytes of text; false (nothing added) when it is not canonical base 64. */
bool fl_base64_decode(const char *text, struct fl_str *bytes);

/* Adds them; of no bytes (data may be NULL) the text is "", and there. */
void fl_base64_encode(const void *data, size_t size, struct fl_str *text);
