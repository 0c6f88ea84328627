/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Locks between processes: flock on a file, released when its descriptor is closed,
 * also by death.
 *
 *     fl_cleanup_close int lock = fl_lock_file(dirfd, "lock", FL_LOCK_EXCLUSIVE, 5000, err);
 *     if (lock < 0) return -1;
 */
#pragma once

#include "common/cleanup.h"
#include "common/err.h"

enum fl_lock_mode { FL_LOCK_SHARED, FL_LOCK_EXCLUSIVE };

/* Waits without bound when given as timeout. */
#define FL_LOCK_FOREVER (-1)

/* Opens name in folder dirfd (made with mode 0600 when missing) and locks it within
 * timeout_ms (0: at once or not). Returns a close-on-exec descriptor that holds the lock,
 * or -1: FL_ERR_BUSY when another holds it, FL_ERR_INTERRUPTED on a signal that a handler
 * took. A file that was removed or replaced while waiting is opened again. */
int fl_lock_file(int dirfd, const char *name, enum fl_lock_mode mode, int timeout_ms,
		 struct fl_err *err);

/* Locks what fd refers to (a folder, for example) in the same way. */
int fl_lock_fd(int fd, const char *name, enum fl_lock_mode mode, int timeout_ms,
	       struct fl_err *err);
