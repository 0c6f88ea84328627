/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl-snap gc": takes away what no image in the store and no microVM leads to.
 *
 *     { "gc", "", "remove what nothing leads to", fl_gc_options, 0, 0, fl_gc },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_gc_options[];
int fl_gc(struct fl_args *args, struct fl_err *err);
