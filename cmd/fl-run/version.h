/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which release of a VMM a program is.
 *
 *     struct fl_version version;
 *     if (fl_version_ask("firecracker", &version, err) < 0) return -1;
 *     if (!fl_version_is(&version, 1, 10)) ...too old
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>

struct fl_version {
	unsigned major, minor;
};

/* Runs PROGRAM --version and takes the first vN.N of what it says. FL_ERR_NOT_FOUND when it
 * cannot be executed, FL_ERR_UNSUPPORTED when it names no version. */
int fl_version_ask(const char *program, struct fl_version *version, struct fl_err *err);

/* That or a later one. */
bool fl_version_is(const struct fl_version *version, unsigned major, unsigned minor);
