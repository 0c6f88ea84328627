/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The step "reflink": where the state folder's file system cannot share blocks between files,
 * one in a sparse file that can.
 *
 *     fl_reflink_add(&site, true, &acts, err);
 */
#pragma once

#include "cmd/fl-provision/steps.h"

fl_step_adder fl_reflink_add;
