/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of one microVM: starts its VMM, follows what is wanted of it, and judges how
 * each run ended. One thread, one loop.
 *
 *     struct fl_machine machine;
 *     if (fl_machine_init(&machine, &vm, err) < 0) return -1;
 *     fl_machine_run(&machine);          // returns when there is nothing left to keep
 *     fl_machine_finish(&machine);
 */
#pragma once

#include "cmd/fl-supervise/console.h"
#include "cmd/fl-supervise/control.h"
#include "cmd/fl-supervise/guard.h"
#include "cmd/fl-supervise/keyboard.h"
#include "cmd/fl-supervise/monitor.h"
#include "cmd/fl-supervise/relay.h"
#include "cmd/fl-supervise/share.h"
#include "common/proc.h"
#include "common/state.h"

enum fl_machine_phase {
	FL_MACHINE_SETTLING, /* the VMM runs; the guest may still die young */
	FL_MACHINE_RUNNING,
	FL_MACHINE_STOPPING, /* asked to end; killed at the deadline */
	FL_MACHINE_WAITING,  /* for the next try */
	FL_MACHINE_DONE
};

enum fl_machine_wish { FL_WISH_RUNNING, FL_WISH_STOPPED, FL_WISH_PAUSED, FL_WISH_DELETED };
enum fl_machine_policy { FL_POLICY_NO, FL_POLICY_ON_FAILURE, FL_POLICY_ALWAYS };

struct fl_machine {
	const struct fl_vm *vm;
	fl_json *launch; /* host.vmm.launch */
	enum fl_machine_phase phase;
	enum fl_machine_wish wish;
	enum fl_machine_policy policy;
	int64_t deadline;   /* of the phase, on fl_clock_ms(); 0: none */
	int64_t started;    /* of this run */
	int64_t connect_by; /* monitor connection is tried until then; 0: not */
	uint64_t settle_ms, stop_ms;
	unsigned tries, restarts, reboots;
	bool reboot_wanted; /* the end of this run is to be followed by the next */
	bool deaf;         /* it was asked to end, and did not in time */
	bool refused_stop; /* the VMM would not even ask it */
	bool refused;      /* the record says why what is desired was not done */
	struct {
		bool told_paused, told_stuck;
		int64_t tell_at, try_at; /* on fl_clock_ms(); 0: at once, not */
	} held;
	const char *unreachable; /* the socket that the VMM should listen on; NULL: it does */
	bool told_to_quit;  /* the guest is at its end, the VMM would go on */
	bool stats_asked, resize_asked; /* of the monitor, and not answered yet */
	struct fl_proc vmm;
	int out, errors, in; /* from and to the VMM */
	bool console_connected; /* out and in are the console's own socket */
	int changes; /* of the folder with the record */
	struct fl_console console, stderr_text;
	struct fl_monitor monitor;
	struct fl_control control;
	struct fl_keyboard keyboard;
	struct fl_relay relay;   /* of a vsock that the VMM makes no socket for */
	struct fl_shares shares;
	struct fl_guard guard;   /* of a VMM in a jail */
};

int fl_machine_init(struct fl_machine *machine, const struct fl_vm *vm, struct fl_err *err);
void fl_machine_run(struct fl_machine *machine);
void fl_machine_finish(struct fl_machine *machine);

/* Guest reset without a guest's doing: the VMM ends and is started again. */
void fl_machine_reboot(struct fl_machine *machine);
