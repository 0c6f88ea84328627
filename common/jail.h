/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where a VMM's jail is: in its microVM's folder, made by the supervisor for each run, and taken
 * away after it, or by whoever finds it later.
 *
 *     fl_jail_remove(vm, err);             // no process of the microVM is left
 */
#pragma once

#include "common/state.h"

/* Below the microVM's folder. */
#define FL_JAIL_FOLDER "jail"

/* A short way to the root of the jail, which is deep below. */
#define FL_JAIL_ROOT FL_JAIL_FOLDER "/root"

/* What is not there is fine. */
int fl_jail_remove(const struct fl_vm *vm, struct fl_err *err);
