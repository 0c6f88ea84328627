/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/version.h"

#include "common/cancel.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MS 5000
#define LONGEST_ANSWER 4096

/* All that it says until it closes its end, or has said enough. */
static int read_answer(int from, const char *program, struct fl_str *text, struct fl_err *err)
{
	int64_t end = fl_clock_ms() + ANSWER_MS;
	ssize_t got = 1;

	while (got != 0 && text->len < LONGEST_ANSWER) {
		int64_t left = end - fl_clock_ms();
		int ready = fl_cancel_wait(NULL, from, left > 0 ? (int)left : 0, err);

		if (ready < 0)
			return -1;
		if (!ready)
			return fl_err_set(err, FL_ERR_TIMEOUT, "%s: does not tell its version within "
					  "%d ms", program, ANSWER_MS);
		got = read(from, fl_str_reserve(text, LONGEST_ANSWER), LONGEST_ANSWER);
		if (got < 0)
			return fl_err_errno(err, errno, "%s: cannot be read", program);
		text->len += (size_t)got;
		text->data[text->len] = 0;
	}
	return 0;
}

static int run(const char *program, struct fl_str *text, struct fl_err *err)
{
	const char *argv[] = { program, "--version", NULL };
	fl_cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	fl_cleanup_close int from = -1, to = -1;
	FL_CLEANUP(fl_proc_finish) struct fl_proc child = { .pidfd = -1 };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fl_err_errno(err, errno, "%s: a pipe", program);
	from = ends[0];
	to = ends[1];
	if (fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .in = null, .out = to,
							  .errfd = null, .die_with_parent = true },
			  err) < 0)
		return -1;
	close(fl_steal_fd(&to));
	if (read_answer(from, program, text, err) < 0)
		return -1;
	/* One that says ever more ends when nobody reads. */
	close(fl_steal_fd(&from));
	return fl_proc_wait(&child, ANSWER_MS, err) < 0 ? -1 : 0;
}

int fl_version_ask(const char *program, struct fl_version *version, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (run(program, &text, err) < 0)
		return -1;
	for (const char *at = text.len ? text.data : ""; *at; at++)
		if (*at == 'v' && isdigit((unsigned char)at[1]) &&
		    sscanf(at, "v%9u.%9u", &version->major, &version->minor) == 2)
			return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: does not tell its version", program);
}

bool fl_version_is(const struct fl_version *version, unsigned major, unsigned minor)
{
	return version->major > major || (version->major == major && version->minor >= minor);
}
