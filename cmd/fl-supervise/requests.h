/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What clients of the control socket ask: "ping", "reboot", "stats"; see fl-state(5).
 *
 *     fl_requests_poll(&machine);          // in every round of the loop
 *     fl_requests_refuse(&machine);        // the VMM did not tell what they ask
 *     fl_requests_end(&machine);           // the VMM they ask about has ended
 */
#pragma once

#include "cmd/fl-supervise/machine.h"

void fl_requests_poll(struct fl_machine *machine);

/* Who waits for counters is told why none come; the next one asks again. */
void fl_requests_refuse(struct fl_machine *machine);

/* Who waits for the VMM's answer is told that none comes. */
void fl_requests_end(struct fl_machine *machine);
