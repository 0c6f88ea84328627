/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/logging.h"

#include "common/clock.h"
#include "common/io.h"
#include "common/json.h"
#include "common/log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The log is one of the process. */
static int out = STDERR_FILENO;

static void write_text(void *arg, enum fl_log_level level, const char *line)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	(void)arg;
	(void)level;
	fl_str_addf(&text, "fl-serve: %s\n", line);
	fl_io_write(out, text.data, text.len, "the log", NULL);
}

static void write_json(void *arg, enum fl_log_level level, const char *line)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	fl_cleanup_json fl_json *entry = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char now[FL_CLOCK_TEXT];

	(void)arg;
	fl_clock_print_now(now);
	fl_json_set(entry, "time", fl_json_new_text(now));
	fl_json_set(entry, "level", fl_json_new_text(names[level]));
	fl_json_set(entry, "msg", fl_json_new_text(line));
	fl_json_print(entry, false, &text);
	fl_str_add(&text, "\n");
	fl_io_write(out, text.data, text.len, "the log", NULL);
}

int fl_logging_reopen(const struct fl_logging *logging, struct fl_err *err)
{
	int fd = strcmp(logging->output, "stderr") == 0 ? STDERR_FILENO
		 : strcmp(logging->output, "stdout") == 0
			 ? STDOUT_FILENO
			 : open(logging->output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", logging->output);
	if (out > STDERR_FILENO)
		close(out);
	out = fd;
	return 0;
}

int fl_logging_start(const struct fl_logging *logging, struct fl_err *err)
{
	if (fl_logging_reopen(logging, err) < 0)
		return -1;
	fl_log_set_sink(logging->json ? write_json : write_text, NULL,
			logging->debug ? FL_LOG_DEBUG : FL_LOG_INFO);
	return 0;
}
