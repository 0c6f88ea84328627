/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A program's completion for a shell, from its option table. Called by cli only.
 *
 *     return fl_completion_print(program, "bash", err);
 */
#pragma once

#include "common/cli.h"

/* For bash, zsh or fish; FL_ERR_USAGE for others. To be sourced, or to lie where the shell looks; in
 * zsh as a function "_PROGRAM" of fpath. */
int fl_completion_print(const struct fl_program *program, const char *shell, struct fl_err *err);
