/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl doctor": what this host can and cannot do, and how to mend it.
 */
#pragma once

#include "common/cli.h"

int fl_doctor(struct fl_args *args, struct fl_err *err);
