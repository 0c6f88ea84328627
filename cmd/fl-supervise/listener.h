/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A unix stream socket that waits for clients of its owner only.
 *
 *     int fd = fl_listener_open("/run/flintlock/UID/console.sock", err);
 */
#pragma once

#include "common/err.h"

/* Non-blocking, mode 0600. A stale socket of a dead supervisor is replaced; the caller holds
 * run.lock. Caller closes it, and removes the path. */
int fl_listener_open(const char *path, struct fl_err *err);
