/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/logging.h"

#include "common/clock.h"
#include "common/io.h"
#include "common/json.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL "/run/systemd/journal/socket"
#define PREFIX "FLINTLOCK_" /* of our fields in the journal */

struct line {
	enum fl_log_level level;
	const char *text;
	const struct fl_logging_field *fields;
	size_t count;
};

/* The log is one of the process. */
static struct {
	int out, journal;
	bool debug;
	bool is_file; /* out: nobody else notes the time */
	void (*write)(const struct line *line);
} log_to = { .out = STDERR_FILENO, .journal = -1 };

static bool is_said(const struct fl_logging_field *field)
{
	return field->value && *field->value;
}

static void put(struct fl_str *text)
{
	fl_str_add(text, "\n");
	fl_io_write(log_to.out, text->data, text->len, "the log", NULL);
}

static void write_text(const struct line *line)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char now[FL_CLOCK_TEXT];

	if (log_to.is_file) {
		fl_clock_print_now(now);
		fl_str_addf(&text, "%s ", now);
	}
	fl_str_addf(&text, "fl-serve: %s", line->text);
	for (size_t i = 0; i < line->count; i++)
		if (is_said(&line->fields[i]))
			fl_str_addf(&text, " %s=%s", line->fields[i].name, line->fields[i].value);
	/* What a client sent may stand in it: it forges no lines. */
	fl_log_tame(text.data, "");
	put(&text);
}

static void write_json(const struct line *line)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	fl_cleanup_json fl_json *entry = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char now[FL_CLOCK_TEXT];

	fl_clock_print_now(now);
	fl_json_set(entry, "time", fl_json_new_text(now));
	fl_json_set(entry, "level", fl_json_new_text(names[line->level]));
	fl_json_set(entry, "msg", fl_json_new_text(line->text));
	for (size_t i = 0; i < line->count; i++)
		if (is_said(&line->fields[i]))
			fl_json_set(entry, line->fields[i].name,
				    fl_json_new_text(line->fields[i].value));
	fl_json_print(entry, false, &text);
	put(&text);
}

/* A field whose value may hold a newline is told with its length, 64 bits little-endian. */
static void add_field(struct fl_str *entry, const char *prefix, const char *name, const char *value)
{
	uint64_t size = strlen(value);

	fl_str_add(entry, prefix);
	for (; *name; name++)
		fl_str_addf(entry, "%c", toupper((unsigned char)*name));
	fl_str_add(entry, "\n");
	for (int i = 0; i < 8; i++)
		fl_str_add_bytes(entry, &(uint8_t){ (uint8_t)(size >> 8 * i) }, 1);
	fl_str_add_bytes(entry, value, size);
	fl_str_add(entry, "\n");
}

/* Priorities are syslog's. Where the journal takes nothing, it is said as text. */
static void write_journal(const struct line *line)
{
	static const char *const priorities[] = { "3", "4", "6", "7" };
	const struct sockaddr_un to = { AF_UNIX, JOURNAL };
	fl_cleanup_str struct fl_str entry = FL_STR_INIT;

	if (log_to.journal < 0)
		log_to.journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	add_field(&entry, "", "message", line->text);
	add_field(&entry, "", "priority", priorities[line->level]);
	add_field(&entry, "", "syslog_identifier", "fl-serve");
	for (size_t i = 0; i < line->count; i++)
		if (is_said(&line->fields[i]))
			add_field(&entry, PREFIX, line->fields[i].name, line->fields[i].value);
	if (sendto(log_to.journal, entry.data, entry.len, MSG_NOSIGNAL, (const struct sockaddr *)&to,
		   sizeof(to)) < 0)
		write_text(line);
}

static const struct {
	const char *name;
	void (*write)(const struct line *line);
} formats[] = {
	[FL_LOGGING_TEXT] = { "text", write_text },
	[FL_LOGGING_JSON] = { "json", write_json },
	[FL_LOGGING_JOURNALD] = { "journald", write_journal },
};

int fl_logging_find_format(const char *name, enum fl_logging_format *format)
{
	for (size_t i = 0; i < FL_COUNT(formats); i++)
		if (strcmp(formats[i].name, name) == 0) {
			*format = (enum fl_logging_format)i;
			return 0;
		}
	return -1;
}

static void sink(void *arg, enum fl_log_level level, const char *text)
{
	(void)arg;
	log_to.write(&(struct line){ level, text, NULL, 0 });
}

bool fl_logging_is_wanted(enum fl_log_level level)
{
	return log_to.write && level <= (log_to.debug ? FL_LOG_DEBUG : FL_LOG_INFO);
}

void fl_logging_say(enum fl_log_level level, const struct fl_logging_field *fields, size_t count,
		    const char *fmt, ...)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	va_list args;

	if (!fl_logging_is_wanted(level))
		return;
	va_start(args, fmt);
	fl_str_vaddf(&text, fmt, args);
	va_end(args);
	log_to.write(&(struct line){ level, text.data, fields, count });
}

void fl_logging_set_debug(bool debug)
{
	log_to.debug = debug;
	fl_log_set_sink(sink, NULL, debug ? FL_LOG_DEBUG : FL_LOG_INFO);
}

int fl_logging_reopen(const struct fl_logging *logging, struct fl_err *err)
{
	int fd = strcmp(logging->output, "stderr") == 0 ? STDERR_FILENO
		 : strcmp(logging->output, "stdout") == 0
			 ? STDOUT_FILENO
			 : open(logging->output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	struct stat st;

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", logging->output);
	if (log_to.out > STDERR_FILENO)
		close(log_to.out);
	log_to.out = fd;
	log_to.is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	return 0;
}

int fl_logging_start(const struct fl_logging *logging, struct fl_err *err)
{
	if (fl_logging_reopen(logging, err) < 0)
		return -1;
	log_to.write = formats[logging->format].write;
	fl_logging_set_debug(logging->debug);
	return 0;
}
