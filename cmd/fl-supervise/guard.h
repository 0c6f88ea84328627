/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What ends a jailed VMM when its supervisor is killed: the kernel forgets that a process is to
 * die with its parent (prctl(2), PR_SET_PDEATHSIG) when it becomes another user. A process that
 * does nothing but wait for the supervisor's death, and then kills the control group.
 *
 *     if (fl_guard_start(&guard, uid, err) < 0) return -1;      // before the VMM
 *     fl_guard_end(&guard);                                     // when it has ended
 */
#pragma once

#include "common/proc.h"

struct fl_guard {
	struct fl_proc process;
	int line; /* its other end is the guard's; closed by death */
};

#define FL_GUARD_INIT { { .pidfd = -1 }, -1 }

/* Nothing when it is there and lives. uid: the microVM's. */
int fl_guard_start(struct fl_guard *guard, const char *uid, struct fl_err *err);
void fl_guard_end(struct fl_guard *guard);

/* fl-supervise guard UID: the guard itself; returns the exit status. */
int fl_guard_main(const char *uid);
