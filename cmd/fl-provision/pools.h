/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The steps "direct_lvm" and "devpool": thin pools, on a disk or for development.
 *
 *     fl_pools_direct_lvm_add(&site, true, &acts, err);
 */
#pragma once

#include "cmd/fl-provision/steps.h"

/* The pool's name in its volume group. */
#define FL_LVM_POOL "thinpool"

fl_step_adder fl_pools_direct_lvm_add, fl_pools_devpool_add;
