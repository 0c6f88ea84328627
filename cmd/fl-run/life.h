/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands on microVMs that exist: stop, start, pause, resume, reboot.
 * Each is a command's function for the table in main.c.
 */
#pragma once

#include "common/step.h"

/* For the option tables of commands that take several microVMs. */
#define FL_LIFE_ALL_OPTION                                                                      \
	FL_STEP_ALL_OPTION,                                                                     \
	FL_STEP_SELECTOR_OPTION

int fl_life_stop(struct fl_args *args, struct fl_err *err);
int fl_life_start(struct fl_args *args, struct fl_err *err);
int fl_life_pause(struct fl_args *args, struct fl_err *err);
int fl_life_resume(struct fl_args *args, struct fl_err *err);
int fl_life_reboot(struct fl_args *args, struct fl_err *err);

/* FL_ERR_USAGE when neither operands nor --selector nor --all name anything. */
int fl_life_check_operands(const struct fl_args *args, struct fl_err *err);

/* Calls each for the microVMs named, with the state folder opened. */
int fl_life_each(struct fl_args *args,
		 int (*each)(void *arg, const struct fl_vm *vm, struct fl_err *err), void *arg,
		 struct fl_err *err);
