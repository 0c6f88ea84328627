/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Other programs, run to their end, with what they print kept.
 *
 *     fl_cleanup_str struct fl_str out = FL_STR_INIT;
 *     const char *argv[] = { "losetup", "--find", "--show", path, NULL };
 *     if (fl_program_run(argv, &out, err) < 0) return -1;
 *
 * They end with this process: what is begun again finds no other at work.
 */
#pragma once

#include "common/err.h"
#include "common/str.h"

/* 0 when it ended with status 0; else -1 with the line of its words that tells why. out (NULL: not wanted) gets what
 * it printed, without the last newline. A program that is not installed is
 * FL_ERR_UNSUPPORTED. */
int fl_program_run(const char *const *argv, struct fl_str *out, struct fl_err *err);

/* The same, fed with a text, and printing into a file. */
int fl_program_filter(const char *const *argv, const struct fl_str *in, struct fl_str *out,
		      struct fl_err *err);

/* The same, told as yes and no: its exit status, or -1 when it could not be run. */
int fl_program_status(const char *const *argv);

#define FL_RUN(out, err, ...) \
	fl_program_run((const char *const[]){ __VA_ARGS__, NULL }, (out), (err))
#define FL_ASK(...) fl_program_status((const char *const[]){ __VA_ARGS__, NULL })
