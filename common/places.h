/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The places where volumes are made, as everyone who passes the question on must know them.
 * What they are is in cmd/fl-snap.
 *
 *     if (!fl_place_is_known(word)) ..."%s: " FL_PLACES " belongs here"
 */
#pragma once

#include <stdbool.h>

#define FL_PLACES_BY(comma, or) "auto" comma "thin" comma "qcow2" or "file"
#define FL_PLACES FL_PLACES_BY(", ", " or ")
#define FL_PLACES_WORDS FL_PLACES_BY("|", "|") /* as an option has them */

/* Whether the word is one of them. */
bool fl_place_is_known(const char *word);
