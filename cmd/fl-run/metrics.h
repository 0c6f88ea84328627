/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl-run metrics": what microVMs use. A command's function for the table in main.c.
 */
#pragma once

#include "common/cli.h"
#include "common/json.h"

/* A list, as fl_metrics_read has them, of the microVMs that the operands name, or of all. Caller owns
 * it; NULL with err. */
fl_json *fl_metrics_all(struct fl_args *args, struct fl_err *err);

int fl_metrics_show(struct fl_args *args, struct fl_err *err);
