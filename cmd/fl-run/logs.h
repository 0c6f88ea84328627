/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl-run logs": what the VMM said, line by line, and what it says. A command for the table
 * in main.c.
 */
#pragma once

#include "cmd/fl-run/life.h"
#include "common/tail.h"

extern const struct fl_option fl_logs_options[];
int fl_logs(struct fl_args *args, struct fl_err *err);

/* Opens what a microVM's launch document names as key ("console" or "stderr"), from its oldest
 * byte on. FL_ERR_PRECONDITION when it was never started. */
struct fl_log_file {
	struct fl_tail tail;
	char *name, *older;
};

#define FL_LOG_FILE_INIT { .tail = FL_TAIL_INIT }

int fl_log_file_open(struct fl_log_file *file, const struct fl_vm *vm, const char *key,
		     struct fl_err *err);
void fl_log_file_finish(struct fl_log_file *file);
#define fl_cleanup_log_file FL_CLEANUP(fl_log_file_finish)
