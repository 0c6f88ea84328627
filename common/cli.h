/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command line of every program, from one table: parsing, --help, --version, the
 * completion, and the last word when something failed.
 *
 *     static const struct fl_option options[] = {
 *             { "size", 's', "SIZE", "make it that large" },
 *             { 0 },
 *     };
 *     static const struct fl_command commands[] = {
 *             { "export", "REF FILE", "write an image's file system", options, 2, 2, export },
 *             { 0 },
 *     };
 *     static const struct fl_program program = { "fl-snap", "images into disks of microVMs", commands };
 *     int main(int argc, char **argv) { return fl_cli_main(&program, argc, argv); }
 *
 * Options may stand anywhere before "--"; a flag may be followed by =true or =false. A command's function returns 0, or -1 with err.
 */
#pragma once

#include "common/cancel.h"
#include "common/err.h"
#include "common/json.h"
#include "common/state.h"

struct fl_option {
	const char *name; /* long name without dashes */
	char letter;      /* 0: none */
	const char *value; /* its name in --help, or "all|the|words" there are; NULL for a flag */
	const char *help;
};

struct fl_args;

struct fl_command {
	const char *name;
	const char *operands; /* for --help, such as "REF FILE"; completion knows NAMESPACE/NAME */
	const char *help;
	const struct fl_option *options; /* ended by one without a name; may be NULL */
	int min, max;                    /* operands; max -1: any number */
	int (*run)(struct fl_args *args, struct fl_err *err);
	bool ends_options; /* the first operand ends the options: the rest is another's */
};

struct fl_program {
	const char *name;
	const char *help; /* what it is for, in one line */
	/* Ended by one without a name. The first is meant when no command is named. */
	const struct fl_command *commands;
	/* Called for a first word that names no command; NULL: an error. Does not return on
	 * success. */
	int (*other)(const struct fl_program *program, int argc, char **argv, struct fl_err *err);
	/* For help and completion: first words that "other" takes, ended by NULL, a line about them,
	 * and the program they are commands of; all or none. */
	const char *const *others;
	const char *others_help, *others_of;
	/* What commands are called elsewhere, each with its name here; ended by one without. May be NULL. */
	const struct fl_synonym {
		const char *word, *command;
	} *synonyms;
	/* The command that a first word may be meant for that is neither a command nor a file, where
	 * the first command takes files; NULL: none. */
	const char *guess;
};

struct fl_args {
	const struct fl_program *program;
	const struct fl_command *command;
	FL_VEC(struct fl_arg_value {
		const struct fl_option *option;
		const char *value;
		const char *source; /* where it was set; NULL: on the command line */
	}) values;
	FL_VEC(char *) operands;
	int exit_status; /* a command may set it for an answer that is not an error */
};

/* For "other": FL_ERR_USAGE, that word is WHAT ("no command"), with the command that may be meant. */
int fl_cli_no_command(const struct fl_program *program, const char *word, const char *what,
		      struct fl_err *err);

/* All of main: parses, runs, prints the error, returns the exit status. "help" and "help COMMAND" are
 * "--help" and "COMMAND --help". */
int fl_cli_main(const struct fl_program *program, int argc, char **argv);

/* Sets an option that neither the command line nor an earlier call has set, for programs that
 * have a configuration file or variables; value and source ("FILE: line 3") are borrowed.
 * FL_ERR_INVALID naming the source when there is no such option, or a flag is neither "true"
 * nor "false". */
int fl_args_default(struct fl_args *args, const char *name, const char *value, const char *source,
		    struct fl_err *err);

/* The last value given for an option, or otherwise. */
const char *fl_args_text(const struct fl_args *args, const char *name, const char *otherwise);
bool fl_args_flag(const struct fl_args *args, const char *name);

/* The index-th value of an option that may be repeated; NULL past the last. */
const char *fl_args_each(const struct fl_args *args, const char *name, size_t index);

/* Strict values of options; otherwise is used when it is not given. */
int fl_args_number(const struct fl_args *args, const char *name, uint64_t min, uint64_t max,
		   uint64_t otherwise, uint64_t *value, struct fl_err *err);
int fl_args_size(const struct fl_args *args, const char *name, uint64_t otherwise,
		 uint64_t *bytes, struct fl_err *err);
int fl_args_duration(const struct fl_args *args, const char *name, uint64_t otherwise_ms,
		     uint64_t *ms, struct fl_err *err);

/* --state-dir, FL_STATE_DIR or the default, opened. */
int fl_args_state(const struct fl_args *args, bool make, struct fl_state *state,
		  struct fl_err *err);
const char *fl_args_state_dir(const struct fl_args *args);

/* Results go to stdout through these; a lost reader is an error, not a signal. */
int fl_cli_print(const char *text, size_t size, struct fl_err *err);
int fl_cli_lost_reader(struct fl_err *err); /* says so; -1 */
int fl_cli_print_json(const fl_json *value, struct fl_err *err); /* one line */

/* For those who print what comes: sleeps until fd is readable (0), or a signal came or nobody
 * reads standard output any more (-1). */
int fl_cli_wait(int fd, struct fl_err *err);

/* Whether the results go to a terminal, or the words for people do. */
bool fl_cli_is_terminal(void);
bool fl_cli_shows_progress(const struct fl_args *args);
