/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Text that must not stay in memory longer than it is of use.
 *
 *     fl_cleanup_secret struct fl_str password = FL_STR_INIT;
 *
 * Growing may leave copies behind: what is read in pieces reserves its room first.
 */
#pragma once

#include "common/str.h"

#include <string.h>

static inline void fl_secret_finish(struct fl_str *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret->cap);
	fl_str_finish(secret);
}
#define fl_cleanup_secret FL_CLEANUP(fl_secret_finish)

static inline void fl_secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
