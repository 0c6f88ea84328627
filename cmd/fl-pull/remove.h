/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Images that are no longer wanted: "rm" takes names away, "gc" what no name leads to.
 *
 *     { "rm", "REF…", "remove names …", fl_rm_options, 1, -1, fl_remove_names },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_rm_options[];
extern const struct fl_option fl_gc_options[];

int fl_remove_names(struct fl_args *args, struct fl_err *err);
int fl_remove_garbage(struct fl_args *args, struct fl_err *err);
