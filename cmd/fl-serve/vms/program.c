/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/vms/program.h"

#include "cmd/fl-serve/descriptors.h"
#include "cmd/fl-serve/logging.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/str.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_LINE 4096
#define MOST_OUTPUT (64 << 10)

struct fl_program_run {
	struct fl_proc child;
	struct event *ended, *said;
	int words, output; /* the child's standard error and output; -1: not wanted */
	struct fl_str line, out;
	char *uid, *request, *last;
	fl_program_ended *call;
	void *arg;
};

static void drop_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

void fl_program_forget(struct fl_program_run *run)
{
	if (!run)
		return;
	drop_event(&run->ended);
	drop_event(&run->said);
	if (run->words >= 0)
		close(run->words);
	if (run->output >= 0)
		close(run->output);
	if (run->child.pidfd >= 0)
		close(run->child.pidfd);
	fl_str_finish(&run->line);
	fl_str_finish(&run->out);
	free(run->uid);
	free(run->request);
	free(run->last);
	free(run);
}

static void say(const struct fl_program_run *run, enum fl_log_level level, const char *line)
{
	const struct fl_logging_field fields[] = { { "uid", run->uid }, { "request", run->request } };

	fl_logging_say(level, fields, FL_COUNT(fields), "%s", line);
}

static void take_line(struct fl_program_run *run, const char *line)
{
	say(run, FL_LOG_INFO, line);
	free(run->last);
	run->last = fl_strdup(line);
}

static void say_lines(struct fl_program_run *run)
{
	char *newline;

	while (run->line.len && (newline = memchr(run->line.data, '\n', run->line.len))) {
		size_t used = (size_t)(newline - run->line.data) + 1;

		*newline = 0;
		take_line(run, run->line.data);
		run->line.len -= used;
		memmove(run->line.data, newline + 1, run->line.len);
	}
	if (run->line.len > LONGEST_LINE)
		fl_str_clear(&run->line);
}

static void on_words(evutil_socket_t fd, short what, void *arg)
{
	struct fl_program_run *run = arg;
	ssize_t got = read(fd, fl_str_reserve(&run->line, LONGEST_LINE), LONGEST_LINE);

	(void)what;
	if (got <= 0) {
		drop_event(&run->said);
		return;
	}
	run->line.len += (size_t)got;
	say_lines(run);
}

/* All that the pipe holds, and what has no newline: its last words tell why it ended. One that it
 * started may go on to write. */
static void hear_out(struct fl_program_run *run)
{
	for (size_t heard = 0; run->said && heard < MOST_OUTPUT; heard += LONGEST_LINE)
		on_words(run->words, 0, run);
	fl_str_add(&run->line, "");
	if (run->line.len)
		take_line(run, run->line.data);
}

/* It fits into the pipe, whose size is the limit: what is more was never written. */
static void read_output(struct fl_program_run *run)
{
	ssize_t got;

	while (run->output >= 0 && run->out.len < MOST_OUTPUT &&
	       (got = read(run->output, fl_str_reserve(&run->out, 4096), 4096)) > 0)
		run->out.len += (size_t)got;
	fl_str_add(&run->out, "");
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct fl_program_run *run = arg;
	struct fl_err err;
	int status = fl_proc_wait(&run->child, 0, &err);

	(void)fd;
	(void)what;
	if (status < 0 && err.kind == FL_ERR_TIMEOUT)
		return;
	hear_out(run);
	drop_event(&run->ended);
	read_output(run);
	run->call(run->arg, &(struct fl_program_end){ status, run->last ? run->last : "",
						      run->out.data ? run->out.data : "" });
	fl_program_forget(run);
}

static int spawn(struct fl_program_run *run, const struct fl_program_spec *spec, struct fl_err *err)
{
	fl_cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	fl_cleanup_close int words = -1, output = -1;
	fl_cleanup_free char *variable =
		run->request ? fl_asprintf("FL_REQUEST_ID=%s", run->request) : NULL;
	const char *const variables[] = { variable, NULL };
	int ends[2];

	if (null < 0)
		return fl_err_errno(err, errno, "/dev/null");
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return fl_err_errno(err, errno, "a pipe");
	run->words = ends[0];
	words = ends[1];
	if (spec->wants_output) {
		if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
			return fl_err_errno(err, errno, "a pipe");
		run->output = ends[0];
		output = ends[1];
	}
	return fl_proc_spawn(&run->child, &(struct fl_proc_spec){
			.argv = spec->argv, .variables = variables, .in = null, .out = output >= 0 ? output : null,
			.errfd = words, .new_session = true }, err);
}

static struct event *watch(struct event_base *base, int fd, event_callback_fn call, void *arg)
{
	struct event *event = event_new(base, fd, EV_READ | EV_PERSIST, call, arg);

	if (!event)
		abort();
	event_add(event, NULL);
	return event;
}

struct fl_program_run *fl_program_start(struct event_base *base, const struct fl_program_spec *spec,
					fl_program_ended *ended, void *arg, struct fl_err *err)
{
	struct fl_program_run *run = fl_alloc_zero(1, sizeof(*run));
	fl_cleanup_free char *what = NULL;

	run->words = run->output = run->child.pidfd = -1;
	run->uid = spec->uid ? fl_strdup(spec->uid) : NULL;
	run->request = spec->request ? fl_strdup(spec->request) : NULL;
	run->call = ended;
	run->arg = arg;
	if (spawn(run, spec, err) < 0) {
		fl_program_forget(run);
		return NULL;
	}
	fl_descriptors_put_back(run->child.pid);
	what = fl_asprintf("runs %s %s", spec->argv[0], spec->argv[1]);
	say(run, FL_LOG_DEBUG, what);
	run->ended = watch(base, run->child.pidfd, on_ended, run);
	run->said = watch(base, run->words, on_words, run);
	return run;
}
