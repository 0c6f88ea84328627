/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a program says of itself, from its option table. Called by cli only.
 *
 *     return fl_help_print(program, command, err);       // NULL: the whole program
 */
#pragma once

#include "common/cli.h"

/* What every program takes; ended by one without a name. */
extern const struct fl_option fl_common_options[];

int fl_help_print(const struct fl_program *program, const struct fl_command *command,
		  struct fl_err *err);
int fl_help_print_version(const struct fl_program *program, struct fl_err *err);
