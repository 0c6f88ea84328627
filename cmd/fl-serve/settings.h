/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What fl-serve is told: options, variables (FLINTLOCKD_GRPC_ENDPOINT for --grpc-endpoint),
 * a configuration file with the options' names as keys; the first of these three that
 * says something counts. flintlockd's own names are all taken.
 *
 *     struct fl_settings settings = FL_SETTINGS_INIT;
 *     if (fl_settings_read(&settings, args, err) < 0) return -1;
 *     fl_server_create(&settings.config, err);
 *     fl_settings_finish(&settings);
 */
#pragma once

#include "cmd/fl-serve/server.h"
#include "common/cli.h"

struct fl_settings {
	struct fl_config config; /* its texts live as long as this and args */
	char *file;              /* the configuration file; NULL: there is none */
	bool verbosity_is_fixed; /* by an option or a variable: the file does not count */
	FL_VEC(char *) texts;
};

#define FL_SETTINGS_INIT { .file = NULL }

extern const struct fl_option fl_settings_options[];

/* Says what is not used, once. What is wrong names its place: option, variable, or file and
 * line. */
int fl_settings_read(struct fl_settings *settings, struct fl_args *args, struct fl_err *err);

/* Logs what was taken and is not used, and programs that are not there: once the log is as the
 * settings say. */
void fl_settings_remark(const struct fl_args *args);
void fl_settings_finish(struct fl_settings *settings);
#define fl_cleanup_settings FL_CLEANUP(fl_settings_finish)
