/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The step "apt": packages that microVMs need.
 *
 *     fl_packages_add(&site, true, &acts, err);
 */
#pragma once

#include "cmd/fl-provision/steps.h"

fl_step_adder fl_packages_add;
