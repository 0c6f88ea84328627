/* SPDX-License-Identifier: MPL-2.0 */
#include "common/help.h"

#include <string.h>

#ifndef FL_VERSION
#define FL_VERSION "unknown"
#endif

static void add_options(const struct fl_option *options, struct fl_str *out)
{
	for (; options && options->name; options++) {
		fl_cleanup_str struct fl_str left = FL_STR_INIT;

		fl_str_addf(&left, options->letter ? "  -%c, " : "      ", options->letter);
		fl_str_addf(&left, "--%s%s%s", options->name, options->value ? " " : "",
			    options->value ? options->value : "");
		if (left.len > 26)
			fl_str_addf(out, "%s\n%28s%s\n", left.data, "", options->help);
		else
			fl_str_addf(out, "%-28s%s\n", left.data, options->help);
	}
}

static void add_command(const struct fl_program *program, const struct fl_command *command,
			struct fl_str *out)
{
	fl_str_addf(out, "usage: %s %s [OPTIONS]%s%s\n\n%s\n", program->name, command->name,
		    *command->operands ? " " : "", command->operands, command->help);
	if (command->options && command->options->name) {
		fl_str_add(out, "\nOptions:\n");
		add_options(command->options, out);
	}
}

/* In lines of up to 76 characters. */
static void add_others(const struct fl_program *program, struct fl_str *out)
{
	size_t width = 0;

	fl_str_addf(out, "\n%s:\n", program->others_help);
	for (const char *const *word = program->others; *word; word++) {
		bool is_first = width == 0 || width + strlen(*word) > 74;

		fl_str_addf(out, "%s%s", !is_first ? " " : width ? "\n  " : "  ", *word);
		width = (is_first ? 2 : width + 1) + strlen(*word);
	}
	fl_str_add(out, "\n");
}

static void add_program(const struct fl_program *program, struct fl_str *out)
{
	size_t width = 10;

	fl_str_addf(out, "usage: %s COMMAND [OPTIONS] [OPERANDS]\n\n%s\n\nCommands:\n",
		    program->name, program->help);
	for (const struct fl_command *command = program->commands; command->name; command++)
		width = strlen(command->name) > width ? strlen(command->name) : width;
	for (const struct fl_command *command = program->commands; command->name; command++)
		fl_str_addf(out, "  %-*s  %s\n", (int)width, command->name, command->help);
	if (program->others)
		add_others(program, out);
	fl_str_addf(out, "\n\"%s COMMAND --help\" tells a command's options; the first command is "
		    "the default.\n", program->name);
}

int fl_help_print(const struct fl_program *program, const struct fl_command *command,
		  struct fl_err *err)
{
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	if (command)
		add_command(program, command, &out);
	else
		add_program(program, &out);
	fl_str_add(&out, "\nCommon options:\n");
	add_options(fl_common_options, &out);
	return fl_cli_print(out.data, out.len, err);
}

int fl_help_print_version(const struct fl_program *program, struct fl_err *err)
{
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	fl_str_addf(&out, "%s %s\n", program->name, FL_VERSION);
	return fl_cli_print(out.data, out.len, err);
}
