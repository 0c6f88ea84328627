/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Settings of fl-serve that the programs it starts find in their environment, and which of them
 * name a program of another project: what writes the settings down must know them, too.
 *
 *     for (const struct fl_handed *one = fl_handed; one->setting; one++)
 *             if (one->is_program) ...
 */
#pragma once

#include <stdbool.h>

struct fl_handed {
	const char *setting;
	const char *variable; /* NULL: it is handed on as an option */
	bool is_program;
};

/* Ended by one without a setting. */
extern const struct fl_handed fl_handed[];
