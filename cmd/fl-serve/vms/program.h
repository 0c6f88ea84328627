/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One of the toolkit's programs, run beside the server: what it says goes into the log, its
 * end is told. It lives in a session of its own and outlives the server.
 *
 *     struct fl_program *program = fl_program_start(base, &spec, ended, arg, err);
 *     ... ended(arg, &end): end.status, end.words
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>

struct event_base;
struct fl_program_run;

struct fl_program_end {
	int status;        /* as fl_proc_wait() gives it */
	const char *words; /* its last line on standard error; "" when it said nothing */
	const char *out;   /* its standard output, when that was wanted, up to 64 KiB */
};

/* What is told is borrowed; the run is freed afterwards. */
typedef void fl_program_ended(void *arg, const struct fl_program_end *end);

struct fl_program_spec {
	const char *const *argv;
	/* Stand at its lines in the log; the request's id is its FL_REQUEST_ID, too. NULL: none. */
	const char *uid, *request;
	bool wants_output;
};

/* NULL with err when it cannot be started. */
struct fl_program_run *fl_program_start(struct event_base *base, const struct fl_program_spec *spec,
					fl_program_ended *ended, void *arg, struct fl_err *err);

/* Lets go of it; it runs on. NULL is fine. */
void fl_program_forget(struct fl_program_run *run);
