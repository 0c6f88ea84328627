/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl-run top": what microVMs use, looked at again and again.
 *
 *     { "top", "[…]", "…", fl_top_options, 0, -1, fl_top },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_top_options[];

int fl_top(struct fl_args *args, struct fl_err *err);
