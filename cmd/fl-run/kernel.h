/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What kind of kernel a file is, and a guest's command line.
 *
 *     struct fl_kernel kernel;
 *     if (fl_kernel_read(path, &kernel, err) < 0) return -1;
 *     fl_kernel_cmdline(spec, defaults, forced, &text);
 */
#pragma once

#include "common/arch.h"
#include "common/spec.h"

/* An ELF executable, a bzImage (Documentation/arch/x86/boot.rst), an arm64 Image
 * (Documentation/arch/arm64/booting.rst). */
enum fl_kernel_format { FL_KERNEL_ELF, FL_KERNEL_BZIMAGE, FL_KERNEL_IMAGE };

struct fl_kernel {
	enum fl_kernel_format format;
	const struct fl_arch *arch; /* NULL: none that is known */
};

/* FL_ERR_INVALID says what was found when it is none. */
int fl_kernel_read(const char *path, struct fl_kernel *kernel, struct fl_err *err);

/* For those that boot nothing else on arm64: FL_ERR_UNSUPPORTED unless it is an Image. */
int fl_kernel_check_image(const char *path, const char *provider, struct fl_err *err);

struct fl_kernel_argument {
	const char *key, *value; /* value "": a bare key */
};

/* The command line: defaults unless the user gave the key, then the user's in their order,
 * then forced ones, which the user cannot change. Lists end with a NULL key. */
void fl_kernel_cmdline(const struct fl_spec *spec, const struct fl_kernel_argument *defaults,
		       const struct fl_kernel_argument *forced, struct fl_str *text);
