/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A guest that does not run though the VMM does: paused as was wished, or held up by the VMM because
 * the host has no room for what it writes. That is told, and tried again until there is room.
 *
 *     fl_held_look(&machine);          // after the monitor was read
 *     timeout = fl_held_wait_ms(&machine);
 */
#pragma once

#include "cmd/fl-supervise/machine.h"

void fl_held_look(struct fl_machine *machine);

/* Somebody wishes once more that it goes on: what comes of that is told. */
void fl_held_again(struct fl_machine *machine);

/* Until it is to be looked at again though nothing happens; -1: not. */
int64_t fl_held_wait_ms(const struct fl_machine *machine);
