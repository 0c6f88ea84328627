/* SPDX-License-Identifier: MPL-2.0 */
#include "common/completion.h"

#include "common/help.h"

#include <string.h>

static void add_words(const struct fl_option *options, struct fl_str *out)
{
	for (; options && options->name; options++)
		fl_str_addf(out, " --%s", options->name);
}

static void complete_bash(const struct fl_program *program, struct fl_str *out)
{
	fl_cleanup_str struct fl_str name = FL_STR_INIT;

	fl_str_add(&name, program->name);
	for (char *c = name.data; *c; c++)
		*c = *c == '-' ? '_' : *c;
	fl_str_addf(out, "_%s()\n{\n\tlocal words\n\tcase ${COMP_WORDS[1]} in\n", name.data);
	for (const struct fl_command *command = program->commands; command->name; command++) {
		fl_str_addf(out, "\t%s) words=\"", command->name);
		add_words(command->options, out);
		fl_str_add(out, "\" ;;\n");
	}
	fl_str_add(out, "\tesac\n\t[ \"$COMP_CWORD\" -gt 1 ] || words=\"");
	for (const struct fl_command *command = program->commands; command->name; command++)
		fl_str_addf(out, " %s", command->name);
	for (const char *const *word = program->others; word && *word; word++)
		fl_str_addf(out, " %s", *word);
	fl_str_add(out, "\"\n\tmapfile -t COMPREPLY < <(compgen -W \"$words");
	add_words(fl_common_options, out);
	fl_str_addf(out, "\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n}\ncomplete -o default -F _%s %s\n",
		    name.data, program->name);
}

/* Between single quotes; what _arguments or _describe would take for its own (special) is escaped. */
static void add_zsh(const char *text, const char *special, struct fl_str *out)
{
	for (; *text; text++)
		if (*text == '\'')
			fl_str_add(out, "'\\''");
		else
			fl_str_addf(out, "%s%c", strchr(special, *text) ? "\\" : "", *text);
}

static void add_zsh_options(const struct fl_option *options, struct fl_str *out)
{
	for (; options && options->name; options++) {
		fl_str_addf(out, " '--%s%s[", options->name, options->value ? "=" : "");
		add_zsh(options->help, "[]\\", out);
		fl_str_add(out, "]");
		if (options->value) {
			fl_str_add(out, ":");
			add_zsh(options->value, ":\\", out);
			fl_str_add(out, ":_files");
		}
		fl_str_add(out, "'");
	}
}

static void add_zsh_commands(const struct fl_program *program, struct fl_str *out)
{
	for (const struct fl_command *command = program->commands; command->name; command++) {
		fl_str_addf(out, " '%s:", command->name);
		add_zsh(command->help, "\\", out);
		fl_str_add(out, "'");
	}
	for (const char *const *word = program->others; word && *word; word++)
		fl_str_addf(out, " '%s'", *word);
}

static void complete_zsh(const struct fl_program *program, struct fl_str *out)
{
	fl_str_addf(out, "#compdef %s\n_%s()\n{\n\tlocal -a commands common\n\tcommands=(", program->name,
		    program->name);
	add_zsh_commands(program, out);
	fl_str_add(out, ")\n\tcommon=(");
	add_zsh_options(fl_common_options, out);
	fl_str_add(out, ")\n\tif (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
			"\t\t_describe command commands\n\t\treturn\n\tfi\n\tcase $words[2] in\n");
	for (const struct fl_command *command = program->commands; command->name; command++) {
		fl_str_addf(out, "\t%s) _arguments", command->name);
		add_zsh_options(command->options, out);
		fl_str_add(out, " $common '*:file:_files' ;;\n");
	}
	/* Sourced, or found in fpath and run as the function itself. */
	fl_str_addf(out, "\t*) _arguments $common '*:file:_files' ;;\n\tesac\n}\n"
			 "if [ \"$funcstack[1]\" = _%s ]; then\n\t_%s \"$@\"\nelse\n\tcompdef _%s %s\nfi\n",
		    program->name, program->name, program->name, program->name);
}

static void add_fish_help(const char *text, struct fl_str *out)
{
	fl_str_add(out, " -d '");
	for (; *text; text++)
		fl_str_addf(out, "%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
	fl_str_add(out, "'\n");
}

static void add_fish_options(const struct fl_program *program, const char *condition,
			     const struct fl_option *options, struct fl_str *out)
{
	for (; options && options->name; options++) {
		fl_str_addf(out, "complete -c %s%s -l %s%s", program->name, condition, options->name,
			    options->value ? " -r" : "");
		add_fish_help(options->help, out);
	}
}

static void complete_fish(const struct fl_program *program, struct fl_str *out)
{
	for (const struct fl_command *command = program->commands; command->name; command++) {
		fl_cleanup_str struct fl_str condition = FL_STR_INIT;

		fl_str_addf(out, "complete -c %s -n __fish_use_subcommand -a %s", program->name,
			    command->name);
		add_fish_help(command->help, out);
		fl_str_addf(&condition, " -n \"__fish_seen_subcommand_from %s\"", command->name);
		add_fish_options(program, condition.data, command->options, out);
	}
	for (const char *const *word = program->others; word && *word; word++)
		fl_str_addf(out, "complete -c %s -n __fish_use_subcommand -a %s\n", program->name, *word);
	add_fish_options(program, "", fl_common_options, out);
}

int fl_completion_print(const struct fl_program *program, const char *shell, struct fl_err *err)
{
	static const struct {
		const char *shell;
		void (*add)(const struct fl_program *program, struct fl_str *out);
	} shells[] = { { "bash", complete_bash }, { "zsh", complete_zsh }, { "fish", complete_fish } };
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	for (size_t i = 0; i < FL_COUNT(shells); i++)
		if (strcmp(shells[i].shell, shell) == 0)
			shells[i].add(program, &out);
	if (!out.len)
		return fl_err_set(err, FL_ERR_USAGE, "no completion for \"%s\"; known are bash, zsh "
				  "and fish", shell);
	return fl_cli_print(out.data, out.len, err);
}
