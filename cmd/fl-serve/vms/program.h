/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One of the toolkit's programs, run beside the server: what it says goes into the log, its
 * end is told. It lives in a session of its own and outlives the server.
 *
 *     struct fl_program *program = fl_program_start(base, argv, uid, ended, arg, err);
 *     ... ended(arg, status, "what it said last")
 */
#pragma once

#include "common/err.h"

struct event_base;
struct fl_program_run;

/* status as fl_proc_wait() gives it; words: its last line, "" when it said nothing. The run
 * is freed afterwards. */
typedef void fl_program_ended(void *arg, int status, const char *words);

/* label stands before its lines in the log. NULL with err when it cannot be started. */
struct fl_program_run *fl_program_start(struct event_base *base, const char *const *argv,
					const char *label, fl_program_ended *ended, void *arg,
					struct fl_err *err);

/* Lets go of it; it runs on. NULL is fine. */
void fl_program_forget(struct fl_program_run *run);
