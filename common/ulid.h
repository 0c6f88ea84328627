/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ULIDs: 26 characters of Crockford's base 32, sorted by time of birth.
 * Format: the ULID specification (48 bits of milliseconds, 80 random bits).
 *
 *     char uid[FL_ULID_TEXT];
 *     fl_ulid_new(uid);
 */
#pragma once

#include <stdbool.h>

#define FL_ULID_TEXT 27

void fl_ulid_new(char text[static FL_ULID_TEXT]);

/* One that nothing is born with: of no time, and always the same for the same bytes. */
void fl_ulid_imagine(const unsigned char bytes[static 16], char text[static FL_ULID_TEXT]);

/* 26 characters of the alphabet, upper case, not beyond the 48 bits of time. */
bool fl_ulid_is_valid(const char *text);
