/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The step of a microVM's disks: its volumes as copy-on-write children of bases, its
 * kernel and initrd.
 *
 *     static const struct fl_step step = { "snap", fl_volumes_up, fl_volumes_down, … };
 */
#pragma once

#include "common/step.h"

int fl_volumes_up(struct fl_step_call *call, struct fl_err *err);
int fl_volumes_down(struct fl_step_call *call, struct fl_err *err);
int fl_volumes_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err);

/* The folder of a microVM's volumes, made when it is missing; -1. */
int fl_volumes_open(const struct fl_vm *vm, struct fl_err *err);
