/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lists of what is there, and the removal of what nobody owns any more.
 *
 *     { "ls", "", "list bridges and links", NULL, 0, 0, fl_show_ls },
 */
#pragma once

#include "common/cli.h"

/* Bridges of ours and taps of ours, made or only recorded. */
int fl_show_ls(struct fl_args *args, struct fl_err *err);

/* Bridges of ours only. */
int fl_show_bridges(struct fl_args *args, struct fl_err *err);

/* Removes taps whose microVM has no record, and prints their names. */
int fl_show_gc(struct fl_args *args, struct fl_err *err);
