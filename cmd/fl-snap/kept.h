/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands about what is kept: "ls", "rm", "status" and "grow".
 *
 *     { "ls", "", "list bases and files", NULL, 0, 0, fl_kept_list },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_kept_status_options[];
int fl_kept_list(struct fl_args *args, struct fl_err *err);
int fl_kept_remove(struct fl_args *args, struct fl_err *err);
int fl_kept_status(struct fl_args *args, struct fl_err *err);
int fl_kept_grow(struct fl_args *args, struct fl_err *err);
