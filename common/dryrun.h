/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "up --dry-run": the plan of a step for every record, and nothing made, not even a state
 * folder. Called by step only.
 */
#pragma once

#include "common/step.h"

int fl_step_dry_run(const struct fl_step *step, struct fl_args *args, struct fl_err *err);
