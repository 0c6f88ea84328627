/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The terminal on standard input while every key belongs to somebody else. What it was like
 * before comes back at the end, also at the end by a signal, and while the program is
 * stopped by one.
 *
 *     fl_terminal_take();
 *     ...
 *     fl_terminal_give_back();
 */
#pragma once

#include <stdbool.h>

/* False when standard input is no terminal: nothing is changed then. */
bool fl_terminal_take(void);

/* Nothing when it was not taken. */
void fl_terminal_give_back(void);
