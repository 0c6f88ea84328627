/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bringing a microVM's VMM up and down through its supervisor.
 *
 *     fl_start(&call, err);        // its supervisor has begun
 *     fl_vm_wait(vm, call.settle_ms, fl_start_judge, NULL, err);   // the guest runs
 *     fl_stop_for_good(vm, err);   // no process of it is left
 */
#pragma once

#include "common/step.h"

/* FL_ERR_USAGE for a value that no start can take, before anything is looked at. */
int fl_start_check(const struct fl_args *args, struct fl_err *err);

/* Returns when the VMM was started; the guest has yet to settle. */
int fl_start(struct fl_step_call *call, struct fl_err *err);

/* The plan's lines: the exact command line with its redirections. */
int fl_start_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err);

/* Waits for the supervisor of a microVM that is wanted deleted or stopped to end; kills
 * what does not. */
int fl_stop_for_good(const struct fl_vm *vm, int timeout_ms, struct fl_err *err);

/* For fl_vm_wait: 1 when the guest runs, -1 with the reason when it ended. */
int fl_start_judge(void *arg, const fl_json *record, struct fl_err *err);
