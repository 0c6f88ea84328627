/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl events": what changed, from the journal, and what changes from now on.
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_events_options[];
int fl_events(struct fl_args *args, struct fl_err *err);
