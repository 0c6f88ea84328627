/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl-run metrics": what microVMs use. A command's function for the table in main.c.
 */
#pragma once

#include "common/cli.h"

int fl_metrics_show(struct fl_args *args, struct fl_err *err);
