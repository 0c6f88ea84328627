/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Of names that are known, the one that was meant with an unknown one.
 *
 *     struct fl_alike alike = { .written = "filname" };
 *     fl_alike_try(&alike, "image"); fl_alike_try(&alike, "filename");
 *     if (alike.nearest) ...                            // "did you mean filename?"
 */
#pragma once

#include <stdbool.h>

struct fl_alike {
	const char *written;
	const char *nearest; /* of those tried, borrowed; NULL: none may be meant */
	unsigned distance;   /* to it: letters that are wrong, missing, too many or turned round */
};

/* A name may be meant when it begins alike, or differs by at most two letters (by one, when one of
 * them has fewer than four). Of two as near the first is kept. */
void fl_alike_try(struct fl_alike *alike, const char *name);
