/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Colours of words that say how something is, on a terminal. What is not for people has none: a
 * pipe, a file, JSON; nor has anything where NO_COLOR (https://no-color.org) or TERM=dumb is set.
 *
 *     bool coloured = fl_colour_is_wanted(STDOUT_FILENO);
 *     fl_colour_add(&line, coloured ? fl_colour_of("failed") : FL_COLOUR_NONE, "failed");
 */
#pragma once

#include "common/str.h"

enum fl_colour { FL_COLOUR_NONE, FL_COLOUR_GREEN, FL_COLOUR_YELLOW, FL_COLOUR_RED };

/* Whether what is written to fd may be coloured. */
bool fl_colour_is_wanted(int fd);

/* Of a state, of any program: green is well, yellow is on its way or held up, red has failed; none
 * of any other word. */
enum fl_colour fl_colour_of(const char *state);

/* The text in that colour, and then none. */
void fl_colour_add(struct fl_str *out, enum fl_colour colour, const char *text);
