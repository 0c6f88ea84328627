/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl-run wait": until one of several things is so; the exit status tells which. A command
 * for the table in main.c.
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_wait_options[];
int fl_wait(struct fl_args *args, struct fl_err *err);
