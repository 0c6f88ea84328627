/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reasons to stop in the middle: a signal, or a record that is wanted otherwise now.
 * Whatever takes long is given one and asks it between two steps.
 *
 *     fl_cancel_catch_signals();
 *     while (more) {
 *             if (fl_cancel_check(cancel, err) < 0) return -1;   // interrupted, aborted
 *             ...
 *     }
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>

/* What the owner of a reason fills in. A NULL struct fl_cancel means signals only. */
struct fl_cancel {
	int fd;                                       /* readable when it pays to ask; -1: none */
	int (*check)(void *arg, struct fl_err *err);  /* 0: go on; -1: stop, err says why */
	void *arg;
};

/* From now on SIGINT, SIGTERM and SIGHUP are noted and not deadly; SIGPIPE is ignored,
 * so that writing gives EPIPE. */
void fl_cancel_catch_signals(void);

/* The signal that came, or 0. */
int fl_cancel_signal(void);

/* Readable once a signal came; -1 before fl_cancel_catch_signals(). */
int fl_cancel_signal_fd(void);

/* 0: go on. -1: FL_ERR_INTERRUPTED, or what cancel->check says. From any thread, if the
 * check function allows that. */
int fl_cancel_check(const struct fl_cancel *cancel, struct fl_err *err);

/* Sleeps until fd (-1: none) is readable, timeout_ms (-1: for ever) passed, or there is a
 * reason to stop: 1 readable, 0 time over, -1 stop or error. */
int fl_cancel_wait(const struct fl_cancel *cancel, int fd, int timeout_ms, struct fl_err *err);
