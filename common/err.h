/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Failure as a value that travels.
 *
 * A function that can fail takes "struct fl_err *err" last and returns 0, or -1
 * after it has filled in err. Success leaves err alone. Callers add context in front;
 * main says it once and exits with fl_err_exit_status().
 *
 *     int fd = open(path, O_RDONLY | O_CLOEXEC);
 *     if (fd < 0)
 *             return fl_err_errno(err, errno, "%s: cannot be opened", path);
 *     if (parse(fd, err) < 0)
 *             return fl_err_prefix(err, "%s", path);
 *
 * A message names the thing, says what was wrong and what to do; it has no newline.
 * err may be NULL where the caller does not want to know.
 */
#pragma once

#include "common/macro.h"

#include <stdarg.h>

enum fl_err_kind {
	FL_ERR_NONE,
	FL_ERR_NO,              /* the answer to a question is no */
	FL_ERR_USAGE,           /* the command line is wrong */
	FL_ERR_INVALID,         /* a document or value given to us is wrong */
	FL_ERR_NOT_FOUND,       /* what was named does not exist */
	FL_ERR_EXISTS,          /* it exists already and differs */
	FL_ERR_DENIED,          /* the right to do it is missing */
	FL_ERR_UNAUTHENTICATED, /* a registry or peer wants a login */
	FL_ERR_PRECONDITION,    /* the thing is not in a state for this */
	FL_ERR_BUSY,            /* another holds it now; later it may work */
	FL_ERR_UNAVAILABLE,     /* a peer cannot be reached or answers with a fault */
	FL_ERR_EXHAUSTED,       /* no space, memory or free address is left */
	FL_ERR_CORRUPT,         /* data is not what its digest or format says */
	FL_ERR_UNSUPPORTED,     /* this host, VMM or build cannot do it */
	FL_ERR_TIMEOUT,         /* the deadline passed */
	FL_ERR_ABORTED,         /* wanted otherwise meanwhile (deleted, stopped) */
	FL_ERR_GUEST,           /* the guest or its VMM ended badly */
	FL_ERR_INTERRUPTED,     /* SIGINT, SIGTERM */
	FL_ERR_SYSTEM,          /* the operating system refused; a defect otherwise */
	FL_ERR_KINDS
};

struct fl_err {
	enum fl_err_kind kind;
	char text[1020]; /* cut, never overrun, when longer */
};

/* Sets kind and text; returns -1, so that it can be returned. */
int fl_err_set(struct fl_err *err, enum fl_err_kind kind, const char *fmt, ...) FL_PRINTF(3, 4);
int fl_err_vset(struct fl_err *err, enum fl_err_kind kind, const char *fmt, va_list args);

/* The same, with the kind taken from errnum and ": <its text>" added. */
int fl_err_errno(struct fl_err *err, int errnum, const char *fmt, ...) FL_PRINTF(3, 4);

/* What another failure is; returns -1. */
int fl_err_pass(struct fl_err *err, const struct fl_err *why);

/* Puts "context: " in front of the text; returns -1. */
int fl_err_prefix(struct fl_err *err, const char *fmt, ...) FL_PRINTF(2, 3);

/* The kind's name in messages and JSON ("not_found"), and back (FL_ERR_SYSTEM when unknown). */
const char *fl_err_kind_name(enum fl_err_kind kind);
enum fl_err_kind fl_err_kind_of(const char *name);

/* The exit status of fl(7), and the code of google.rpc.Code. */
int fl_err_exit_status(enum fl_err_kind kind);
int fl_err_grpc_status(enum fl_err_kind kind);

/* One sentence for fl(7) and --help. */
const char *fl_err_kind_meaning(enum fl_err_kind kind);
