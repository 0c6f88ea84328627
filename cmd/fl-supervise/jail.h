/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The jail that a VMM runs in, out of the launch document: made for each run, since a jailer
 * refuses one that was used, and removed after it.
 *
 *     if (fl_jail_make(vm, launch, cgroup, err) < 0) return -1;
 *     if (fl_jail_open_log(vm, launch, &ours, &theirs, err) < 0) return -1;
 *     fl_monitor_open_events(monitor, vm->dirfd, err);
 *     if (fl_jail_give_events(vm, launch, err) < 0) return -1;
 *     ...
 *     fl_jail_end(vm, launch);
 */
#pragma once

#include "common/json.h"
#include "common/state.h"

/* Nothing when the launch document has no jail. cgroup: the VMM's, or -1, which is an error: by
 * it alone all that was jailed can be found again. */
int fl_jail_make(const struct fl_vm *vm, const fl_json *launch, int cgroup, struct fl_err *err);

/* The fifo for log and stderr: an end that does not block to read, and one to write. */
int fl_jail_open_log(const struct fl_vm *vm, const fl_json *launch, int *ours, int *theirs,
		     struct fl_err *err);

/* Makes the VMM the owner of the fifo to which it reports. */
int fl_jail_give_events(const struct fl_vm *vm, const fl_json *launch, struct fl_err *err);

/* The run is over. */
void fl_jail_end(const struct fl_vm *vm, const fl_json *launch);
