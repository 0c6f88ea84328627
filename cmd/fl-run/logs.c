/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/logs.h"

#include "common/alloc.h"
#include "common/log.h"
#include "common/since.h"

#include <string.h>

#define STAMP_LEN 27 /* 2026-01-02T03:04:05.678901Z */
#define LONGEST_LINE 65536

const struct fl_option fl_logs_options[] = {
	{ "follow", 'f', NULL, "go on until the VMM's supervisor ends" },
	{ "since", 0, "WHEN", "from this time on: a duration ago (5m), or a time in UTC" },
	{ "timestamps", 't', NULL, "with the time before each line" },
	FL_LIFE_ALL_OPTION,
	{ 0 },
};

int fl_log_file_open(struct fl_log_file *file, const struct fl_vm *vm, const char *key,
		     struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	const char *name = fl_json_text(fl_json_get(fl_json_at(record, "host.vmm.launch"), key));

	if (!record)
		return -1;
	if (!name || !*name || strchr(name, '/'))
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s/%s: was not started yet; \"fl status\" tells how it is",
				  vm->name_space, vm->name);
	file->name = fl_strdup(name);
	file->older = fl_asprintf("%s.1", name);
	return fl_tail_open(&file->tail, vm->dirfd, vm->path, file->name, file->older, err);
}

void fl_log_file_finish(struct fl_log_file *file)
{
	fl_tail_finish(&file->tail);
	free(file->name);
	free(file->older);
}

struct reading {
	const struct fl_args *args;
	char since[FL_CLOCK_TEXT]; /* "": from the beginning */
	struct fl_str text;
	bool is_late_enough; /* of the last line with a time */
	bool has_said;       /* anything */
};

static bool has_stamp(const char *line, size_t len)
{
	static const char pattern[] = "0000-00-00T00:00:00.000000Z ";

	if (len < STAMP_LEN + 1)
		return false;
	for (size_t i = 0; i <= STAMP_LEN; i++)
		if (pattern[i] == '0' ? line[i] < '0' || line[i] > '9' : line[i] != pattern[i])
			return false;
	return true;
}

static int print_line(struct reading *reading, const char *line, size_t len, struct fl_err *err)
{
	if (has_stamp(line, len)) {
		reading->is_late_enough = strncmp(line, reading->since, STAMP_LEN) >= 0;
		if (!fl_args_flag(reading->args, "timestamps")) {
			line += STAMP_LEN + 1;
			len -= STAMP_LEN + 1;
		}
	}
	reading->has_said = true;
	return reading->is_late_enough ? fl_cli_print(line, len, err) : 0;
}

/* Whole lines; without bounds only what is longer than any line should be. */
static int print_lines(struct reading *reading, bool all, struct fl_err *err)
{
	struct fl_str *text = &reading->text;
	size_t at = 0;

	while (at < text->len) {
		const char *newline = memchr(text->data + at, '\n', text->len - at);
		size_t len = newline ? (size_t)(newline - text->data) + 1 - at : text->len - at;

		if (!newline && !all && len < LONGEST_LINE)
			break;
		if (print_line(reading, text->data + at, len, err) < 0)
			return -1;
		at += len;
	}
	memmove(text->data, text->data + at, text->len - at);
	text->len -= at;
	return 0;
}

static int print_present(struct reading *reading, struct fl_tail *tail, struct fl_err *err)
{
	ssize_t got;

	while ((got = fl_tail_read(tail, fl_str_reserve(&reading->text, 16384), 16384)) > 0) {
		reading->text.len += (size_t)got;
		if (print_lines(reading, false, err) < 0)
			return -1;
	}
	return 0;
}

/* Whether it may say more is asked before the last look, lest its last words be missed. */
static int print_log(struct reading *reading, const struct fl_vm *vm, struct fl_tail *tail,
		     struct fl_err *err)
{
	bool follow = fl_args_flag(reading->args, "follow"), lives;

	do {
		lives = follow && fl_vm_is_supervised(vm);
		if (print_present(reading, tail, err) < 0)
			return -1;
		if (lives && fl_cli_wait(tail->inotify, err) < 0)
			return -1;
	} while (lives);
	return print_lines(reading, true, err);
}

static int logs_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	struct reading *reading = arg;
	fl_cleanup_log_file struct fl_log_file file = FL_LOG_FILE_INIT;

	if (fl_log_file_open(&file, vm, "stderr", err) < 0)
		return -1;
	reading->is_late_enough = !*reading->since;
	reading->has_said = false;
	if (print_log(reading, vm, &file.tail, err) < 0)
		return -1;
	if (!reading->has_said)
		fl_log(FL_LOG_INFO, "%s/%s: its VMM said nothing; the guest speaks on \"fl console %s --print\"",
		       vm->name_space, vm->name, vm->uid);
	return 0;
}

int fl_logs(struct fl_args *args, struct fl_err *err)
{
	struct reading reading = { .args = args };
	const char *since = fl_args_text(args, "since", NULL);
	int rc;

	if (since && fl_since_parse(since, reading.since, err) < 0)
		return fl_err_prefix(err, "option --since");
	if (fl_args_flag(args, "follow") && args->operands.count != 1)
		return fl_err_set(err, FL_ERR_USAGE, "--follow goes with one microVM");
	rc = fl_life_each(args, logs_one, &reading, err);
	fl_str_finish(&reading.text);
	return rc;
}
