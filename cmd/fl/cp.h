/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl cp": files into a guest and out of it, by scp.
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_cp_options[];
int fl_cp(struct fl_args *args, struct fl_err *err);
