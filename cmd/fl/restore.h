/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl restore": what ran before the host was restarted, or before its supervisor was killed, runs
 * again.
 *
 *     { "restore", "", "…", fl_restore_options, 0, 0, fl_restore },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_restore_options[];

int fl_restore(struct fl_args *args, struct fl_err *err);
