/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl-run console": what the guest says, from the file that its supervisor keeps, and what is
 * typed, through the supervisor's console socket. A command for the table in main.c.
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_console_options[];
int fl_console(struct fl_args *args, struct fl_err *err);
