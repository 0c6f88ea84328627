/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl spec": options into a spec, printed.
 *
 *     { "spec", "", "print a spec", fl_make_spec_options, 0, 0, fl_make_spec }
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_make_spec_options[];
int fl_make_spec(struct fl_args *args, struct fl_err *err);
