/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Starting a VMM as the launch document says, with all that it is handed: pipes, fifo, the
 * descriptors of its macvtaps, a place in the control group.
 *
 *     if (fl_launch(machine, err) < 0) return -1;
 *     fl_launch_close(machine);                       // its end was seen
 */
#pragma once

#include "cmd/fl-supervise/machine.h"

int fl_launch(struct fl_machine *machine, struct fl_err *err);
void fl_launch_close(struct fl_machine *machine);

/* The monitor, and where the console is a socket that one, too: until both are there. */
void fl_launch_connect(struct fl_machine *machine);
