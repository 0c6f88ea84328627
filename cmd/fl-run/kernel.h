/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether a file is a kernel that a VMM can start, and a guest's command line.
 *
 *     if (fl_kernel_check(path, err) < 0) return -1;
 *     fl_kernel_cmdline(spec, defaults, forced, &text);
 */
#pragma once

#include "common/spec.h"

/* An ELF executable, a bzImage (Documentation/arch/x86/boot.rst) or an arm64 Image
 * (Documentation/arch/arm64/booting.rst). FL_ERR_INVALID says what was found instead. */
int fl_kernel_check(const char *path, struct fl_err *err);

/* False also when it cannot be read. */
bool fl_kernel_is_bzimage(const char *path);

struct fl_kernel_argument {
	const char *key, *value; /* value "": a bare key */
};

/* The command line: defaults unless the user gave the key, then the user's in their order,
 * then forced ones, which the user cannot change. Lists end with a NULL key. */
void fl_kernel_cmdline(const struct fl_spec *spec, const struct fl_kernel_argument *defaults,
		       const struct fl_kernel_argument *forced, struct fl_str *text);
