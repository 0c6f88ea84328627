/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a program needs to run, from its ELF file (System V ABI, chapter 5; elf.h).
 *
 *     bool dynamic;
 *     if (fl_elf_is_dynamic("/usr/bin/firecracker", &dynamic, err) < 0) return -1;
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>

/* Whether a loader and libraries must be there for it. FL_ERR_UNSUPPORTED when it is no ELF
 * file of 64 bits, or a damaged one. */
int fl_elf_is_dynamic(const char *path, bool *dynamic, struct fl_err *err);
