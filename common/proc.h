/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Child processes, held by pidfd: no number read from anywhere is ever signalled.
 *
 *     const char *argv[] = { "nft", "-f", "-", NULL };
 *     struct fl_proc child;
 *     if (fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .in = fd, .out = -1,
 *                       .errfd = -1 }, err) < 0) return -1;
 *     int status = fl_proc_wait(&child, 5000, err);
 */
#pragma once

#include "common/err.h"
#include "common/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Open in the child under another number, which must be above all that are open here. */
struct fl_proc_descriptor {
	int fd, as;
};

/* Whom a root's child becomes, without other groups, and what it may do all the same. */
struct fl_proc_user {
	uid_t uid;
	gid_t gid;
	uint64_t capabilities; /* a bit for each, by its number (capabilities(7)) */
};

struct fl_proc_spec {
	const char *const *argv; /* argv[0] is looked up in PATH unless it has a slash */
	const char *const *variables; /* NAME=VALUE…, then NULL: set for it alone; NULL: none */
	int in, out, errfd;      /* become 0, 1, 2; -1 inherits; borrowed */
	const struct fl_proc_descriptor *more; /* and these */
	size_t more_count;
	int cgroup;              /* a cgroup v2 folder to be born in, when > 0 */
	bool die_with_parent;    /* SIGKILL when the calling thread ends */
	const struct fl_proc_user *user; /* NULL: who we are */
	bool new_session;
};

struct fl_proc {
	pid_t pid;
	int pidfd; /* owned until the end is seen; -1 then */
};

/* Starts it; signals are unblocked and default in the child. A program that cannot be
 * executed is an error here, naming it, and not a status later. */
int fl_proc_spawn(struct fl_proc *child, const struct fl_proc_spec *spec, struct fl_err *err);

/* Waits up to timeout_ms (-1: for ever). Returns 0..255 for an exit status, 256 + N for
 * death by signal N, or -1: FL_ERR_TIMEOUT (still runs), FL_ERR_INTERRUPTED. */
int fl_proc_wait(struct fl_proc *child, int timeout_ms, struct fl_err *err);

/* Runs argv to its end, within timeout_ms, and adds what it said on standard output to out, which
 * is "" at least; its other words go nowhere. -1 when it cannot be run or does not end with 0. */
int fl_proc_ask(const char *const *argv, int timeout_ms, struct fl_str *out, struct fl_err *err);

/* Nothing when it has ended. */
void fl_proc_signal(struct fl_proc *child, int signal);

/* SIGKILL, and waits for the end. For use with FL_CLEANUP: zeroed or ended is fine. */
void fl_proc_finish(struct fl_proc *child);
