/* SPDX-License-Identifier: MPL-2.0 */
#include "common/colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool fl_colour_is_wanted(int fd)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return !(no && *no) && terminal && *terminal && strcmp(terminal, "dumb") != 0 && isatty(fd);
}

enum fl_colour fl_colour_of(const char *state)
{
	static const struct {
		const char *state;
		enum fl_colour colour;
	} known[] = {
		/* of a record, fl-record(5) */
		{ "PENDING", FL_COLOUR_YELLOW }, { "CREATED", FL_COLOUR_GREEN },
		{ "FAILED", FL_COLOUR_RED }, { "DELETING", FL_COLOUR_YELLOW },
		/* of a VMM */
		{ "starting", FL_COLOUR_YELLOW }, { "running", FL_COLOUR_GREEN },
		{ "paused", FL_COLOUR_YELLOW }, { "stopping", FL_COLOUR_YELLOW },
		{ "rebooting", FL_COLOUR_YELLOW }, { "waiting", FL_COLOUR_YELLOW },
		{ "failed", FL_COLOUR_RED }, { "lost", FL_COLOUR_RED },
		/* of a link */
		{ "up", FL_COLOUR_GREEN }, { "in use", FL_COLOUR_GREEN },
		{ "missing", FL_COLOUR_RED }, { "another's", FL_COLOUR_RED },
		{ "let out", FL_COLOUR_RED }, { "orphaned", FL_COLOUR_YELLOW },
		/* of where volumes are */
		{ "full", FL_COLOUR_RED },
		/* of what the doctor finds */
		{ "ok", FL_COLOUR_GREEN }, { "poor", FL_COLOUR_YELLOW }, { "bad", FL_COLOUR_RED },
	};

	for (size_t i = 0; i < FL_COUNT(known); i++)
		if (strcmp(known[i].state, state) == 0)
			return known[i].colour;
	return FL_COLOUR_NONE;
}

void fl_colour_add(struct fl_str *out, enum fl_colour colour, const char *text)
{
	static const char *const begin[] = { "", "\033[32m", "\033[33m", "\033[31m" };

	fl_str_addf(out, "%s%s%s", begin[colour], text, colour ? "\033[0m" : "");
}
