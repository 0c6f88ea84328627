/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How a run of the VMM ended, decided from exit status, monitor and console together,
 * since none of them tells alone; and what the record says of it.
 *
 *     struct fl_verdict verdict = fl_verdict_of(&machine, status);
 */
#pragma once

#include "cmd/fl-supervise/machine.h"

enum fl_verdict_kind { FL_ENDED_REBOOT, FL_ENDED_POWEROFF, FL_ENDED_PANIC, FL_ENDED_FAULT };

struct fl_verdict {
	enum fl_verdict_kind kind;
	int status; /* as fl_proc_wait gives it */
	char reason[600];
};

struct fl_verdict fl_verdict_of(const struct fl_machine *machine, int status);

/* Writes host.vmm.state and, where it changes, status.state; verdict may be NULL. Records
 * that are being deleted keep their state. */
int fl_verdict_save(const struct fl_machine *machine, const char *vmm_state, const char *state,
		     const struct fl_verdict *verdict);

/* Writes host.vmm.refused: why the VMM did not do what is desired. */
int fl_verdict_refuse(const struct fl_machine *machine, const char *why);
