/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl apply DIR": the host becomes what the specs in a folder say.
 *
 *     { "apply", "DIR", "…", fl_apply_options, 1, 1, fl_apply },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_apply_options[];

int fl_apply(struct fl_args *args, struct fl_err *err);
